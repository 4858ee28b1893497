import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import lal
from agents import AGENTS
from agents.dad.config import PRESETS as DAD
from agents.dad.learner import DadLearner
from agents.dad.network import StaticDesigns, torch_mean
from agents.few_shot.config import PRESETS as FEW_SHOT
from agents.few_shot.learner import FewShotLearner
from agents.one_shot.config import PRESETS as ONE_SHOT
from agents.one_shot.learner import (
    OneShotLearner,
    exploration,
    other_answers_loss,
    td_loss,
    wrong_reward,
)
from agents.training.run_folder import RunFolder
from envs.class_banks import load_bank
from envs.design.evaluation import play, policy_rule
from envs.design.models import MODELS
from envs.few_shot.episodes import Layout, draw_few_shot
from lal.errors import PolicyFileError, UsageError
from lal.policies.kinds import load_as, load_policy
from lal.policies.pool_policy import PoolPolicy

SMOKES = [("dad", DAD["smoke"]), ("active_one_shot", ONE_SHOT["smoke"]),
          ("active_one_shot", replace(ONE_SHOT["smoke"], embedding=4, embedding_gradient_steps=2,
                                      all_answers=True)),
          *[("few_shot", replace(FEW_SHOT["smoke"], head=h))
            for h in ("one_step", "sequential", "graph")],
          ("few_shot", replace(FEW_SHOT["smoke"], head="one_step", task="conditions")),
          ("few_shot", replace(FEW_SHOT["smoke"], task="conditions", one_shot=True)),
          ("few_shot", FEW_SHOT["smoke-batch"])]  # fmt: skip


@pytest.mark.parametrize(("name", "config"), SMOKES)
def test_trains_resumes_and_loads(name, config, tmp_path, monkeypatch):
    agent = AGENTS[name]
    whole = agent.train(config, tmp_path / "whole")
    real, calls = RunFolder.save_checkpoint, []

    def stop(self, segment, *rest):
        real(self, segment, *rest)
        calls.append(segment)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "save_checkpoint", stop)
    with pytest.raises(KeyboardInterrupt):
        agent.train(config, tmp_path / "cut")
    cut = agent.train(config, tmp_path / "cut")
    assert calls == [0, 1]
    assert cut.read_bytes() == whole.read_bytes()
    policy = load_policy(whole)
    policy.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == whole.read_bytes()
    with pytest.raises(PolicyFileError, match=f"kind '{policy.kind}', expected 'pool'"):
        load_as(PoolPolicy, whole)
    with pytest.raises(PolicyFileError, match=f"kind '{policy.kind}', expected 'stream'"):
        lal.load_stream_policy(whole)
    again = pickle.loads(pickle.dumps(policy))
    assert set(again.scorers) == set(policy.scorers)
    one, two = agent.export_untrained(config, 2)
    assert any(not np.array_equal(one.tensors[k], two.tensors[k]) for k in one.tensors)


@pytest.mark.parametrize("name", MODELS)
def test_torch_mean_is_the_models(name):
    model, rng = MODELS[name], np.random.default_rng(0)
    theta, xi = model.prior(rng, 6), model.random_designs(rng, 6)
    found = torch_mean(model, torch.from_numpy(theta), torch.from_numpy(xi)).numpy()
    assert found == pytest.approx(model.mean(theta, xi), abs=1e-5)


@pytest.mark.parametrize("squash", [False, True])
def test_design_policy_equals_its_network(squash):
    learner = DadLearner(replace(DAD["smoke"], squash=squash))
    policy = learner.export()
    memory, theirs = policy.start(), learner.designer.start(1)
    for t, outcome in enumerate((0.3, -1.2, 2.0)):
        design = policy.act(memory)
        with torch.no_grad():
            wanted = learner.designer.design(theirs, t)
            theirs = learner.designer.advance(theirs, wanted, torch.tensor([outcome]))
        assert design == pytest.approx(wanted[0].numpy(), abs=1e-5)
        before = {k: v.copy() for k, v in memory.items()}
        later = policy.update(memory, {"design": wanted[0].numpy(), "outcome": outcome})
        assert all(np.array_equal(memory[k], before[k]) for k in before)
        memory = later
    assert memory["n"] == 3


def test_squashed_designs_stay_in_the_box():
    learner = DadLearner(replace(DAD["smoke"], model="gp_regression", squash=True))
    with torch.no_grad():
        found = learner.designer.design(torch.linspace(-1e3, 1e3, 8 * 4).reshape(8, 4), 0)
    assert float(found.abs().max()) <= 1.0 + 1e-6
    assert float(found.abs().max()) > 0.99


def test_design_policy_forgets_the_order():
    policy = DadLearner(DAD["smoke"]).export()
    events = [{"design": [1.0, 2.0], "outcome": 0.5}, {"design": [0.0, -1.0], "outcome": 2.0}]
    memories = []
    for order in (events, events[::-1]):
        memory = policy.start()
        for event in order:
            memory = policy.update(memory, event)
        memories.append(memory["sum"])
    assert memories[0] == pytest.approx(memories[1])
    with pytest.raises(UsageError, match="expected a design of 2"):
        policy.update(policy.start(), {"design": [1.0], "outcome": 0.0})


@pytest.mark.parametrize("T", [1, 2, 5])
def test_static_export_plays_its_list(T):
    learner = DadLearner(replace(DAD["smoke"], kind="static", n_experiments=T))
    played = play(learner.model, policy_rule(learner.export()), n_steps=T, n_episodes=2, seed=0)
    assert isinstance(learner.designer, StaticDesigns)
    wanted = np.clip(learner.designer.designs.detach().numpy(), -4, 4)
    assert played.designs[1] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("embedding", [0, 5])
def test_one_shot_policy_equals_its_network(embedding):
    config = replace(ONE_SHOT["smoke"], embedding=embedding, embedding_gradient_steps=2)
    learner = OneShotLearner(config)
    policy = learner.export()
    rng = np.random.default_rng(0)
    memory = policy.start({"episodes": 2})
    theirs = (torch.zeros(2, config.lstm_hidden_size),) * 2
    shown = torch.zeros(2, 3)
    for _ in range(4):
        item = rng.standard_normal((2, 16))
        with torch.no_grad():
            seen = torch.from_numpy(item).float()
            if learner.embedding is not None:
                seen = learner.embedding(seen)
            theirs = learner.network.cell(torch.cat([shown, seen], dim=1), theirs)
            wanted = learner.network.head(theirs[0]).numpy()
        assert policy.values(memory, item) == pytest.approx(wanted, abs=1e-5)
        memory = policy.update(memory, {"item": item, "label": np.array([1, -1])})
        shown = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


def gradient(values):
    assert values.grad is not None
    return values.grad


def test_losses_by_hand():
    """Two steps, one episode, gamma 0.5: values 1 then max 4, rewards 2 and 3, actions 0 and 1."""
    values = torch.tensor([[[1.0, 0.0]], [[4.0, 2.0]]], requires_grad=True)
    chosen, rewards = torch.tensor([[0], [1]]), torch.tensor([[2.0], [3.0]])
    base = replace(ONE_SHOT["smoke"], gamma=0.5)
    published = td_loss(values, chosen, rewards, replace(base, loss="published"))
    assert float(published.detach()) == (1 - 2 - 2) ** 2
    published.backward()
    assert gradient(values)[1, 0, 0] != 0  # through the target
    values = values.detach().requires_grad_()
    ours = td_loss(values, chosen, rewards, replace(base, loss="stop_gradient"))
    assert float(ours.detach()) == (1 - 2 - 2) ** 2 + (2 - 3) ** 2
    ours.backward()
    assert gradient(values)[1, 0, 0] == 0


def test_other_answers_by_hand():
    """One episode of two steps; the first answers 0 where 1 is right, the second asks."""
    values = torch.tensor([[[0.5, 0.2, 0.0, 0.3]], [[0.0, 2.0, 1.0, 0.0]]])
    chosen, labels = torch.tensor([[0], [3]]), torch.tensor([[1], [2]])
    config = replace(ONE_SHOT["smoke"], gamma=0.5)
    found = other_answers_loss(values, chosen, labels, -1.0, config)
    assert float(found) == pytest.approx((0.2 - 1 - 1) ** 2 + (0.0 + 1 - 1) ** 2)


def test_schedules_start_high_and_end_at_the_setting():
    config = replace(
        ONE_SHOT["smoke"], exploration_initial_eps=0.45, wrong=-5.0, wrong_at_first=-1.0
    )
    assert [exploration(config, d) for d in (0.0, 0.25, 0.5, 1.0)] == pytest.approx(
        [0.45, 0.25, 0.05, 0.05]
    )
    assert [wrong_reward(config, d) for d in (0.0, 0.5, 0.625, 0.75, 1.0)] == [-1, -1, -3, -5, -5]
    plain = ONE_SHOT["smoke"]
    assert (exploration(plain, 0.0), wrong_reward(plain, 0.0)) == (0.05, -1.0)


@pytest.mark.parametrize("config", [c for name, c in SMOKES if name == "few_shot"])
def test_subset_policy_equals_its_head(config):
    learner = FewShotLearner(config)
    policy = learner.export()
    layout = Layout(config.n_classes, config.n_pool, config.n_distractors, config.shots)
    drawn = draw_few_shot(load_bank("vectors"), np.random.default_rng(0), layout, n=1, split="test")
    info = {"items": drawn.pool[0], "support": drawn.support[0],
            "support_labels": drawn.support_labels[0]}  # fmt: skip
    memory, world = policy.start(info), learner.world(drawn)
    state, chosen = learner.head.start(world), np.zeros((1, config.n_pool), dtype=bool)
    for index in (3, 0):
        with torch.no_grad():
            wanted = learner.head.logits(state, world, chosen)[0].numpy()
            state = learner.head.advance(state, world, torch.tensor([index]))
        found = policy.scores(memory)
        open_rows = ~chosen[0]
        assert found[open_rows] == pytest.approx(wanted[open_rows], abs=1e-4)
        assert np.isneginf(found[~open_rows]).all()
        memory = policy.update(memory, {"item": index, "label": int(drawn.labels[0, index])})
        chosen[0, index] = True
    with pytest.raises(UsageError, match="cannot be chosen any more"):
        policy.update(memory, {"item": 3, "label": 0})


@pytest.mark.parametrize(
    ("name", "preset", "score"),
    [("few_shot", "smoke", "dev_accuracy"), ("active_one_shot", "smoke", "dev_return")],
)
def test_the_best_checkpoint_by_validation_is_kept(name, preset, score, tmp_path, monkeypatch):
    """The first of two segments scores higher, so the run ends with its policy."""
    agent, kept, real = AGENTS[name], [], AGENTS[name].learner_type.validate

    def validate(self, policy):
        kept.append(policy)
        score = real(self, policy)
        assert score is not None
        return score - 5.0 * len(kept)

    monkeypatch.setattr(agent.learner_type, "validate", validate)
    policy = load_policy(agent.train(agent.preset(preset), tmp_path / "run"))
    best = kept[0].tensors
    assert all(np.array_equal(policy.tensors[role], best[role]) for role in best)
    assert any(not np.array_equal(kept[1].tensors[role], best[role]) for role in best)
    assert score in policy.card


@pytest.mark.parametrize("head", ["one_step", "batch"])
def test_validation_plays_what_the_policy_plays(head):
    config = replace(FEW_SHOT["smoke-batch"], head=head)
    learner = FewShotLearner(config)
    policy, (drawn, _) = learner.export(), learner._dev_worlds[0]
    info = [{"items": x, "support": s, "support_labels": y} for x, s, y in
            zip(drawn.pool, drawn.support, drawn.support_labels, strict=True)]  # fmt: skip
    rows = np.stack([policy.choose(one, y, 2) for one, y in zip(info, drawn.labels, strict=True)])
    assert learner.validate(policy) == pytest.approx(learner._reward(drawn, rows).mean())
    assert set(np.unique(learner.bank.classes("validation"))).isdisjoint(
        learner.bank.classes("fit")
    )


@pytest.mark.parametrize("head", ["graph", "batch"])
def test_heads_of_similarities_take_any_embedding(head):
    """Their own embedding given by hand changes nothing; another width is taken as it is."""
    policy = FewShotLearner(replace(FEW_SHOT["smoke-batch"], head=head)).export()
    rng = np.random.default_rng(0)
    items, support = rng.standard_normal((8, 16)), rng.standard_normal((2, 16))
    info: dict[str, Any] = {"items": items, "support": support, "support_labels": [0, 1]}
    own = {**info, "items": policy.embed(items), "support": policy.embed(support)}
    labels = np.arange(8) % 2
    picks = policy.choose(info, labels, 3).tolist()
    assert policy.choose({**own, "embedded": True}, labels, 3).tolist() == picks
    wide = {**info, "items": np.tile(own["items"], 3), "support": np.tile(own["support"], 3)}
    assert len(policy.choose({**wide, "embedded": True}, labels, 3)) == 3


def test_heads_that_read_the_embedding_take_their_own_width_only():
    policy = FewShotLearner(FEW_SHOT["smoke"]).export()
    with pytest.raises(UsageError, match=r"sequential head takes embedded items \(rows, 4 columns"):
        policy.start({"items": np.zeros((8, 5)), "embedded": True})
