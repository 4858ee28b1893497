"""Subset policies and their features by hand; no torch, no training."""

from typing import Any

import numpy as np
import pytest

from lal.errors import PolicyFileError, UsageError
from lal.policies.subset_features import (
    N_DIVERSITY,
    N_KNOWN,
    N_NODE,
    N_ORDER,
    N_STATISTICS,
    SHARPNESS,
    coverage_gains,
    coverage_order,
    covered_by,
    diversity_features,
    known_features,
    nearest,
    neighbours,
    node_features,
    order_features,
    prototype_statistics,
    similarities,
)
from lal.policies.subset_policy import HEADS, SubsetPolicy

RNG = np.random.default_rng(0)


def linear(weight: str, *inputs: str, out: str = "y") -> dict[str, Any]:
    ops = [
        {"op": "concat", "in": list(inputs), "out": ["joined"]},
        {"op": "affine", "in": ["joined"], "out": [out], "weight": weight},
    ]
    return {"ops": ops, "output": out}


D, EMBEDDING, HIDDEN, C = 3, 2, 2, 2


def subset(head: str) -> SubsetPolicy:
    rng = np.random.default_rng(HEADS.index(head))
    tensors, programs = {}, {}
    rows = {
        "one_step": {"score": (["candidates"], 2 * HIDDEN + N_ORDER, 1)},
        "sequential": {"score": (["candidates", "context"], N_KNOWN + EMBEDDING + HIDDEN, 1)},
        "batch": {"score": (["candidates"], N_STATISTICS + N_DIVERSITY, 1)},
        "graph": {"first": (["candidates"], 2 * N_NODE, HIDDEN),
                  "second": (["candidates"], 2 * HIDDEN, HIDDEN),
                  "score": (["candidates"], HIDDEN + N_NODE, 1)},
    }[head]  # fmt: skip
    cells = {
        "one_step": {"forward": EMBEDDING + N_ORDER, "backward": EMBEDDING + N_ORDER},
        "sequential": {"read": EMBEDDING + C + 1},
    }.get(head, {})
    read = {role: (["context", "h"], width + HIDDEN, HIDDEN) for role, width in cells.items()}
    every = {"embed": (["candidates"], D, EMBEDDING), **rows, **read}
    for role, (inputs, width, out) in every.items():
        tensors[role] = rng.normal(size=(out, width)) / 3
        programs[role] = linear(role, *inputs)
    sizes = {"head": HEADS.index(head), "classes": C, "columns": D, "embedding": EMBEDDING,
             "hidden": HIDDEN}  # fmt: skip
    return SubsetPolicy(name=head, sizes=sizes, programs=programs, tensors=tensors)


ITEMS = RNG.normal(size=(6, D))
SUPPORT = {"support": RNG.normal(size=(3, D)), "support_labels": [0, 1, 1]}
INFO = {"items": ITEMS, **SUPPORT}


def joined(policy: SubsetPolicy, role: str, *parts: Any) -> Any:
    return np.concatenate(parts, axis=-1) @ policy.tensors[role].T


def test_the_one_step_head_by_hand() -> None:
    policy = subset("one_step")
    Z = ITEMS @ policy.tensors["embed"].T
    given = similarities(Z)
    place, worth = coverage_order(given.K, Z)
    features = order_features(given, place, worth)
    order = np.argsort(place)
    states: dict[str, dict[int, Any]] = {"forward": {}, "backward": {}}
    for role, path in (("forward", order), ("backward", order[::-1])):
        h = np.zeros(HIDDEN)
        for i in path:
            h = joined(policy, role, Z[i], features[i], h)
            states[role][int(i)] = h
    wanted = [
        joined(policy, "score", states["forward"][i], states["backward"][i], features[i])[0]
        for i in range(6)
    ]
    memory = policy.start({"items": ITEMS})
    np.testing.assert_allclose(policy.scores(memory), wanted, atol=1e-12)
    assert policy.act(memory) == int(np.argmax(wanted))


def test_the_sequential_head_by_hand() -> None:
    policy = subset("sequential")
    Z = ITEMS @ policy.tensors["embed"].T
    given = similarities(Z)
    memory = policy.update(policy.start({"items": ITEMS}), {"item": 2, "label": C})
    h = joined(policy, "read", Z[2], [0, 0, 1], np.zeros(HIDDEN))
    np.testing.assert_allclose(memory["h"], h, atol=1e-12)
    chosen = np.arange(6) == 2
    wanted = joined(policy, "score", known_features(given, chosen), Z, np.tile(h, (6, 1)))[:, 0]
    found = policy.scores(memory)
    assert found[2] == -np.inf
    np.testing.assert_allclose(np.delete(found, 2), np.delete(wanted, 2), atol=1e-12)


def test_the_batch_head_by_hand() -> None:
    policy = subset("batch")
    Z, support = (v @ policy.tensors["embed"].T for v in (ITEMS, SUPPORT["support"]))
    given = similarities(Z, support)
    statistics = prototype_statistics(Z, given.density, support, np.array([0, 1, 1]), C)
    memory = policy.update(policy.start(INFO), {"item": 1})  # no label is asked for
    diversity = diversity_features(given, np.arange(6) == 1)
    wanted = joined(policy, "score", statistics, diversity)[:, 0]
    np.testing.assert_allclose(
        np.delete(policy.scores(memory), 1), np.delete(wanted, 1), atol=1e-12
    )


def test_the_graph_head_by_hand() -> None:
    policy = subset("graph")
    Z = ITEMS @ policy.tensors["embed"].T
    given = similarities(Z)
    memory = policy.start({"items": ITEMS})
    assert memory["labels"].tolist() == [-1] * 6
    memory = policy.update(memory, {"item": 4, "label": 1})
    assert memory["labels"].tolist() == [-1, -1, -1, -1, 1, -1]
    nodes = node_features(given, np.arange(6) == 4, memory["labels"])
    edges, h = neighbours(given.S), nodes
    for role in ("first", "second"):
        h = joined(policy, role, h, edges @ h)
    wanted = joined(policy, "score", h, nodes)[:, 0]
    np.testing.assert_allclose(
        np.delete(policy.scores(memory), 4), np.delete(wanted, 4), atol=1e-12
    )


@pytest.mark.parametrize("head", HEADS)
def test_heads_choose_each_item_once(head: str) -> None:
    policy = subset(head)
    chosen = policy.choose(INFO, np.array([0, 1, 2, 0, 1, 2]), 6)
    assert sorted(chosen.tolist()) == list(range(6))
    assert chosen[0] == policy.act(policy.start(INFO))


def test_what_a_subset_policy_refuses() -> None:
    starts: tuple[Any, ...] = (None, {})
    for info in starts:
        with pytest.raises(UsageError, match=r"a subset policy starts with \{'items': samples\}"):
            subset("graph").start(info)
    for given in ({"items": ITEMS}, {"items": ITEMS, "support": np.zeros((0, D))}):
        with pytest.raises(UsageError, match="the batch head needs a support set: 'support' and"):
            subset("batch").start(given)
    memory = subset("graph").start(INFO)
    for item in (-1, 6):
        with pytest.raises(UsageError, match=f"item {item} cannot be chosen any more"):
            subset("graph").update(memory, {"item": item, "label": 0})
    again = subset("graph").update(memory, {"item": 0, "label": 0})
    with pytest.raises(UsageError, match="item 0 cannot be chosen any more"):
        subset("graph").update(again, {"item": 0, "label": 0})
    for head in ("sequential", "graph"):
        with pytest.raises(UsageError, match=f"the {head} head needs the label of every chosen"):
            subset(head).update(subset(head).start(INFO), {"item": 0})
    sizes = {**subset("graph").sizes, "head": len(HEADS)}
    with pytest.raises(PolicyFileError, match="the head must be 0 to 3, got 4"):
        SubsetPolicy(name="x", sizes=sizes, programs={}, tensors={})
    with pytest.raises(PolicyFileError, match="50001 prototypes of 2 numbers are too many"):
        SubsetPolicy(name="x", sizes={**sizes, "classes": 50001}, programs={}, tensors={})


def test_similarities_by_hand() -> None:
    Z = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    given = similarities(Z, np.array([[0.0, 5.0]]))
    half = np.sqrt(0.5)
    S = np.array([[1, 0, half], [0, 1, half], [half, half, 1]])
    np.testing.assert_allclose(given.S, S, atol=1e-12)
    assert SHARPNESS == (2.0, 4.0, 8.0)
    for kernel, s in zip(given.K, SHARPNESS, strict=True):
        np.testing.assert_allclose(kernel, np.exp(s * (S - 1)), atol=1e-12)
    np.testing.assert_allclose(given.near[1], np.exp(4 * (np.array([0, 1, half]) - 1)), atol=1e-12)
    np.testing.assert_allclose(given.density, [half / 2, half / 2, half], atol=1e-12)
    assert not similarities(Z).near.any()
    assert not similarities(Z, np.zeros((0, 2))).near.any()
    np.testing.assert_allclose(nearest(S, 1), [half, half, half])
    line = np.arange(8) / 10
    rows = np.where(np.eye(8, dtype=bool), 1.0, line)  # item j is as near as j says, to all
    assert nearest(rows)[0] == pytest.approx(np.mean(line[3:]))
    assert nearest(rows)[7] == pytest.approx(np.mean(line[2:7]))


def test_coverage_by_hand() -> None:
    K = np.stack([np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.0], [0.2, 0.0, 1.0]])] * 3)
    none = covered_by(K, np.zeros(3, dtype=bool))
    assert not none.any()
    np.testing.assert_allclose(
        coverage_gains(K, none), np.tile([[1.0], [1.5 / 1.7], [1.2 / 1.7]], (1, 3))
    )
    first = covered_by(K, np.array([True, False, False]))
    np.testing.assert_allclose(first[0], [1.0, 0.5, 0.2])
    np.testing.assert_allclose(coverage_gains(K, first)[:, 0], [0.0, 0.5 / 0.8, 1.0])
    weights = np.tile([1.0, 4.0, 1.0], (3, 1))
    np.testing.assert_allclose(coverage_gains(K, first, weights)[:, 0], [0.0, 1.0, 0.4])
    twins = np.ones((3, 2, 2))
    assert sorted(coverage_order(twins, np.zeros((2, 1)))[0].tolist()) == [0, 1]
    place, worth = coverage_order(K, np.array([[0.0], [1.0], [2.0]]))
    assert place.tolist() == [0, 2, 1]
    np.testing.assert_allclose(worth[:, 0], [1.0, 0.5 / 1.7, 0.8 / 1.7])


def test_features_of_an_order_and_of_what_is_known_by_hand() -> None:
    Z = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    given = similarities(Z)
    half = np.sqrt(0.5)
    place, worth = np.array([1, 2, 0]), np.ones((3, 3))
    found = order_features(given, place, worth) / 8
    np.testing.assert_allclose(found[:, 0], [half, half, -1.0], atol=1e-12)  # most like before
    np.testing.assert_allclose(found[:, 1], [0.0, -1.0, half], atol=1e-12)
    np.testing.assert_allclose(found[:, 2], given.S.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(found[:, 4:], 1.0)
    known = known_features(given, np.array([True, False, False])) / 8
    np.testing.assert_allclose(known[:, 0], [1.0, 0.0, half], atol=1e-12)
    np.testing.assert_allclose(known[:, :3], np.tile(known[:, :1], (1, 3)), atol=1e-12)
    np.testing.assert_allclose(known[:, 3], [half, 1.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(known[:, 4], [half / 2, (1 + half) / 2, (1 + half) / 2], atol=1e-12)
    np.testing.assert_allclose(known[:, 5], [0.0, half, half], atol=1e-12)
    empty = known_features(given, np.zeros(3, dtype=bool))
    assert not empty[:, :3].any()
    nodes = node_features(given, np.array([True, True, False]), np.array([0, 1, -1]))
    assert nodes[:, -2].tolist() == [1, 1, 0]
    assert nodes[:, -1].tolist() == [0.5, 0.5, 0.0]
    weights = neighbours(given.S)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert weights[0, 1] / weights[0, 0] == pytest.approx(np.exp(-8))


def test_statistics_of_prototypes_by_hand() -> None:
    Z, support = np.array([[0.0], [3.0]]), np.array([[0.0], [2.0], [4.0]])
    found = prototype_statistics(Z, np.array([0.1, 0.2]), support, np.array([0, 1, 1]), 2)
    distances = np.array([[0.0, 3.0], [3.0, 0.0]]) / 1.5  # prototypes at 0 and 3, mean distance 1.5
    p = np.exp(-8 * distances)
    p /= p.sum(axis=1, keepdims=True)
    entropy = -(p * np.log(p)).sum(axis=1)
    np.testing.assert_allclose(found[:, 0], [0.0, 0.0])
    np.testing.assert_allclose(found[:, 1], [2.0, 2.0])
    np.testing.assert_allclose(found[:, 2], [1.0, 1.0])
    np.testing.assert_allclose(found[:, 3], entropy, atol=1e-12)
    np.testing.assert_allclose(found[:, 4], p.max(axis=1) - p.min(axis=1))
    assert found[:, 5].tolist() == [0.1, 0.2]


def test_leading_axes_are_sets_of_their_own() -> None:
    Z, chosen = RNG.normal(size=(2, 5, 3)), np.arange(10).reshape(2, 5) % 4 == 1
    labels, whole = np.arange(10).reshape(2, 5) % 2, similarities(Z)
    for i in range(2):
        one = similarities(Z[i])
        for found, wanted in (
            (known_features(whole, chosen)[i], known_features(one, chosen[i])),
            (diversity_features(whole, chosen)[i], diversity_features(one, chosen[i])),
            (node_features(whole, chosen, labels)[i], node_features(one, chosen[i], labels[i])),
        ):
            np.testing.assert_allclose(found, wanted, atol=1e-12)
