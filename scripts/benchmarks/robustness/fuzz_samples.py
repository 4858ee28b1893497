"""The policy files that the fuzzer damages, of several kinds, and what each answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from lal.arrays import Floats
from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES, FEATURES
from lal.policies import kinds
from lal.policies.kinds import load_policy
from lal.policies.pool_policy import PoolPolicy
from lal.policies.subset_features import N_NODE
from lal.policies.subset_policy import HEADS, SubsetPolicy
from lal.streams.features import StreamEvent, StreamItem
from lal.streams.policy import StreamPolicy


@dataclass(frozen=True)
class Sample:
    """A policy file as it was saved.

    Attributes:
        name: Name of the policy.
        content: Its bytes.
        n_features: Candidate features.
        right: What it answers; see `answer`.
    """

    name: str
    content: bytes
    n_features: int
    right: Floats

    def load(self, path: Path) -> Any:
        """Return the policy of a file, or of an alias when it is a file of aliases."""
        if not path.with_name("aliases.json").is_file():
            return load_policy(path)
        kinds._aliases.cache_clear()
        try:
            with mock.patch.object(kinds, "SHIPPED", path.parent):
                return load_policy("best")
        finally:
            kinds._aliases.cache_clear()  # or "default" would be unknown from here on


def answer(policy: Any) -> Floats:
    """Return what a policy of any kind says of fixed rows, items or samples, shape (8,)."""
    return ANSWERS[policy.kind](policy)


def _utilities(policy: PoolPolicy) -> Floats:
    """Return the output of the program on 8 candidates and 1 024 references."""
    width = sum(FEATURES[i].dim for i in policy.candidate_features)
    context = sum(FEATURES[i].dim for i in policy.context_features)
    given = {
        "candidates": np.sin(np.outer(np.arange(1, 9), np.arange(1, width + 1))),
        "context": np.cos(np.arange(context)),
        "reference": np.cos(np.outer(np.arange(1, 1025), np.arange(1, width + 1))),
    }
    return policy.scorer.run(given)


def _worths(policy: StreamPolicy) -> Floats:
    """Return the utilities of 8 items of a stream."""
    memory, found = policy.start(), []
    for p in np.linspace(0.5, 1.0, 8):
        item = StreamItem(np.array([p, 1.0 - p]), content=np.ones(policy.content_width))
        found.append(policy.utility(memory, item))
        memory = policy.update(memory, StreamEvent(item, policy.act(memory, item), None))
    return np.array(found)


def _scores(policy: SubsetPolicy) -> Floats:
    """Return the scores of 8 samples after one of them was chosen."""
    items = np.sin(np.outer(np.arange(1, 9), np.arange(1, policy.size("columns") + 1)))
    memory = policy.start({"items": items, "support": items[:2], "support_labels": [0, 1]})
    memory = policy.update(memory, {"item": policy.act(memory), "label": 0})
    return np.nan_to_num(policy.scores(memory), neginf=-1e9)


ANSWERS: Mapping[str, Callable[[Any], Floats]] = {
    PoolPolicy.kind: _utilities,
    StreamPolicy.kind: _worths,
    SubsetPolicy.kind: _scores,
}


def samples(folder: Path) -> list[Sample]:
    """Return a perceptron, trees, attention with a memory cell, a stream and a subset policy."""
    found = []
    kept = load_policy("lal-independent"), load_policy("stream-dqn")
    for policy in (_perceptron(), *kept, _attention(), _subset()):
        path = folder / "original.safetensors"
        policy.save(path)
        n_features = len(getattr(policy, "candidate_features", ()))
        right = answer(load_policy(path))
        found.append(Sample(policy.name, path.read_bytes(), n_features, right))
    return found


def _width(names: tuple[str, ...]) -> int:
    return sum(FEATURES[i].dim for i in names)


def _perceptron() -> PoolPolicy:
    rng = np.random.default_rng(0)
    both = _width(DEFAULT_CANDIDATE_FEATURES) + _width(DEFAULT_CONTEXT_FEATURES)
    ops = [
        {"op": "concat", "in": ["candidates", "context"], "out": ["x"]},
        {"op": "affine", "in": ["x"], "out": ["h"], "weight": "w1", "bias": "b1"},
        {"op": "layer_norm", "in": ["h"], "out": ["n"], "eps": 1e-5},
        {"op": "gelu", "in": ["n"], "out": ["a"]},
        {"op": "affine", "in": ["a"], "out": ["u"], "weight": "w2"},
    ]
    return PoolPolicy(
        name="perceptron",
        candidate_features=DEFAULT_CANDIDATE_FEATURES,
        context_features=DEFAULT_CONTEXT_FEATURES,
        program={"ops": ops, "output": "u"},
        tensors={
            "w1": rng.normal(size=(8, both)).astype(np.float32),
            "b1": rng.normal(size=8),
            "w2": rng.normal(size=(1, 8)),
        },
        card={"summary": "for the fuzzer", "ranges": {"n_classes": [2, 10]}},
    )


def _subset() -> SubsetPolicy:
    """Return the graph head with random weights: three columns, an embedding of two."""
    rng, hidden = np.random.default_rng(2), 3
    widths = {
        "embed": (3, 2), "first": (2 * N_NODE, hidden), "second": (2 * hidden, hidden),
        "score": (hidden + N_NODE, 1),
    }  # fmt: skip
    ops = {
        role: {"op": "affine", "in": ["candidates"], "out": ["y"], "weight": f"{role}.w"}
        for role in widths
    }
    return SubsetPolicy(
        name="subset",
        sizes={"head": HEADS.index("graph"), "classes": 2, "columns": 3, "embedding": 2}
        | {"hidden": hidden},
        programs={role: {"ops": [op], "output": "y"} for role, op in ops.items()},
        tensors={f"{r}.w": rng.normal(size=(out, into)) for r, (into, out) in widths.items()},
    )


def _attention() -> PoolPolicy:
    rng = np.random.default_rng(1)
    features = ("margin@1", "entropy@1", "density@1", "novelty@1")
    ops = [
        {"op": "clip", "in": ["candidates"], "out": ["c"], "low": -2.0, "high": 2.0},
        {"op": "attention", "in": ["c", "reference", "reference"], "out": ["a"], "heads": 2},
        {"op": "masked_mean", "in": ["reference"], "out": ["m"]},
        {"op": "broadcast", "in": ["m", "c"], "out": ["b"]},
        {"op": "gru_cell", "in": ["a", "b"], "out": ["g"]}
        | {"weight_ih": "wi", "weight_hh": "wh", "bias_ih": "bi", "bias_hh": "bh"},
        {"op": "select", "in": ["g"], "out": ["s"], "columns": [0, 2]},
        {"op": "softmax", "in": ["s"], "out": ["p"]},
        {"op": "affine", "in": ["p"], "out": ["u"], "weight": "w"},
    ]
    return PoolPolicy(
        name="attention",
        candidate_features=features,
        program={"ops": ops, "output": "u"},
        tensors={
            "wi": rng.normal(size=(12, 4)),
            "wh": rng.normal(size=(12, 4)),
            "bi": rng.normal(size=12),
            "bh": rng.normal(size=12),
            "w": rng.normal(size=(1, 2)),
        },
    )
