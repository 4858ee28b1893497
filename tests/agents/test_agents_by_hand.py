"""Learners of gains and of imitation by hand, and what several agents share."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

from agents.dqn.config import PRESETS as DQN
from agents.dqn.learner import DQNLearner
from agents.imitation import learner as imitation
from agents.imitation.config import IMITATION_PRESETS
from agents.imitation.learner import ImitationLearner
from agents.imitation.states import States
from agents.lal_regression import learner as lal_regression
from agents.lal_regression.config import PRESETS as LAL
from agents.lal_regression.learner import LalLearner, compare
from agents.lal_regression.rows import GainRows
from agents.lal_regression.validation import Advantage
from agents.training.tasks import SUITE, feature_lists, training_datasets
from lal.errors import UsageError

# regression of gains


def make_rows(config: Any) -> GainRows:
    rng = np.random.default_rng(0)
    task = np.arange(config.n_tasks * 10) // 10
    features = rng.random((len(task), 8))
    return GainRows(features, features[:, 1] + 0.1 * task, task)


@pytest.mark.parametrize("trees", [0, 3])
def test_regressors_are_compared_on_tasks_held_back(monkeypatch: Any, trees: int) -> None:
    """Boosted trees rank by the gain, the forest by the opposite, uncertainty by feature 0."""
    config = replace(LAL["smoke"], n_tasks=8, validation_share=0.25, reference_trees=trees)
    rows = make_rows(config)
    fitted: list[Any] = []

    def fit(sign: float) -> Callable[..., Any]:
        def fit_one(given: Any, features: Any, targets: Any) -> Any:
            fitted.append((features, targets))
            return SimpleNamespace(predict=lambda x: sign * x[:, 1])

        return fit_one

    monkeypatch.setattr(lal_regression, "fit_boosted", fit(1.0))
    monkeypatch.setattr(lal_regression, "fit_reference", fit(-1.0))
    found = compare(config, rows)
    kept, held = rows.task < 6, rows.task >= 6
    for features, targets in fitted:
        assert np.array_equal(features, rows.features[kept])
        assert np.array_equal(targets, rows.gains[kept])
    gains = rows.gains[held].reshape(2, 10)
    ahead = gains - gains.mean(axis=1, keepdims=True)
    first = np.abs(rows.features[held, 0] - 0.5).reshape(2, 10).argmin(axis=1)
    wanted = {
        "shipped": ahead.max(axis=1), "uncertainty": ahead[[0, 1], first],
        "oracle": ahead.max(axis=1),
    }  # fmt: skip
    if trees:
        wanted["reference_forest"] = ahead.min(axis=1)
        wanted["lost_by_shrinking"] = ahead.min(axis=1) - ahead.max(axis=1)
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        assert found[name].mean == pytest.approx(values.mean()), name
        half = 1.96 * values.std(ddof=1) / np.sqrt(2)
        assert found[name].half_width == pytest.approx(half), name


def test_a_fit_of_gains_is_reported_and_exported(monkeypatch: Any, capsys: Any) -> None:
    config = replace(LAL["smoke"], n_tasks=8)
    learner = LalLearner(config)
    with pytest.raises(UsageError, match="LAL exports what it has fitted; call train_segment fir"):
        learner.export()
    rows = make_rows(config)
    learner.rows = rows
    evidence = {"shipped": Advantage(0.02, 0.005), "oracle": Advantage(0.5, 0.125)}
    monkeypatch.setattr(lal_regression, "compare", lambda *given: evidence)
    figures = learner.train_segment(0)
    assert figures == {"n_rows": 80, "advantage_shipped": 0.02, "advantage_oracle": 0.5}
    assert capsys.readouterr().out == (
        "pick advantage, shipped: +2.000 +- 0.500 points\n"
        "pick advantage, oracle: +50.000 +- 12.500 points\n"
    )
    policy = learner.export()
    validation = {name: list(found) for name, found in policy.card["validation"].items()}
    assert validation == {"shipped": [0.02, 0.005], "oracle": [0.5, 0.125]}
    monkeypatch.setattr(lal_regression, "controls", lambda *given: ("copies", *given))
    monkeypatch.setattr(lal_regression, "control_test", lambda *given, note: (given, note))
    ((settings, judged, copies), note) = learner.check(policy)["did_it_learn"]
    assert (settings, judged, copies) == (config, policy, ("copies", config, rows))
    assert note is lal_regression._say


# imitation


def make_states(config: Any) -> States:
    candidate, context = feature_lists(config)
    rng = np.random.default_rng(0)
    shape = (5, 4, len(candidate))
    return States(
        rng.normal(size=shape).astype(np.float32),
        rng.normal(size=(5, len(context))).astype(np.float32),
        rng.normal(size=(5, 4, 2)).astype(np.float32),
        np.ones((5, 4), dtype=bool),
        np.full(5, 3),
    )


@pytest.mark.parametrize("fallback", [True, False])
def test_a_gate_is_fitted_to_scores_in_spreads(monkeypatch: Any, fallback: bool) -> None:
    config = replace(IMITATION_PRESETS["smoke"], fallback=fallback)
    states = make_states(config)
    scores = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)) * 3.0
    monkeypatch.setattr(imitation, "mean_scores", lambda networks, data: scores)
    given: list[Any] = []

    def fit(*arguments: Any) -> str:
        given.append(arguments)
        return "gate"

    monkeypatch.setattr(imitation, "fit_fallback", fit)
    parts: Any = ("networks", "data", states, "standard", config)
    found: Any = imitation._finish(*parts)
    spread = scores.numpy().astype(float).std(axis=1).mean()
    assert found.spread == pytest.approx(spread, rel=1e-5)
    assert (found.networks, found.standard) == ("networks", "standard")
    if not fallback:
        assert given == []
        assert found.gate is None
        return
    ((unit, data, margin, settings),) = given
    assert found.gate == "gate"
    assert torch.allclose(unit, scores / spread, rtol=1e-5)
    column = feature_lists(config)[0].index("margin_z@1")
    assert np.array_equal(margin.numpy(), -states.candidates[:, :, column])
    assert (data, settings) == ("data", config)


def test_imitation_exports_what_it_has_fitted() -> None:
    learner = ImitationLearner(IMITATION_PRESETS["smoke"])
    with pytest.raises(UsageError, match="imitation exports what it has fitted; call train_segmen"):
        learner.export()


# what several share


def test_suites_are_spelled_out_and_single_sets_loaded() -> None:
    config = replace(DQN["smoke"], datasets=(f"{SUITE}bundled",), hold_out=("sklearn:wine",))
    found = {dataset.name for dataset in training_datasets(config)}
    assert found == {"iris", "digits", "breast_cancer"}
    one = replace(config, datasets=("sklearn:iris", "sklearn:wine"))
    assert [dataset.name for dataset in training_datasets(one)] == ["iris"]


def test_only_a_candidate_network_is_exported() -> None:
    learner = object.__new__(DQNLearner)
    model: Any = SimpleNamespace(q_net=torch.nn.Linear(2, 1))
    with pytest.raises(UsageError, match="expected a CandidateQNetwork, got Linear"):
        learner.scorer(model)


def test_designs_are_learned_at_a_rate_that_falls_along_a_cosine(monkeypatch: Any) -> None:
    """Segment 1 of 2, two gradient steps each: a half and three quarters are done."""
    from agents.dad import learner as dad
    from agents.dad.config import PRESETS

    config = replace(PRESETS["smoke"], gradient_steps=4, n_segments=2, learning_rate=0.5)
    learner = dad.DadLearner(config)
    bounds = iter([torch.tensor(1.0), torch.tensor(2.0)])
    taken: list[Any] = []

    def step(loss: torch.Tensor, *, max_norm: float) -> None:
        taken.append((loss.item(), max_norm, learner.optimiser.param_groups[0]["lr"]))

    monkeypatch.setattr(dad, "contrastive_bound", lambda *given: next(bounds))
    monkeypatch.setattr(learner, "step", step)
    assert learner.train_segment(1) == {"gradient_steps": 4, "bound": 1.5}
    rates = [0.5 * (0.1 + 0.45 * (1 + np.cos(np.pi * done))) for done in (0.5, 0.75)]
    assert [rate for *_, rate in taken] == pytest.approx(rates)
    assert [(loss, norm) for loss, norm, _ in taken] == [(-1.0, 1.0), (-2.0, 1.0)]
