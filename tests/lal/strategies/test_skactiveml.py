"""Every pool strategy of scikit-activeml behind our contract."""

import subprocess
import sys

import numpy as np
import pytest

from lal.episode import Episode, run_episode
from lal.errors import MissingDependencyError, UnknownNameError, UsageError
from lal.learners import make_learner
from lal.strategies import skactiveml as wrapped
from lal.strategies.base import make_strategy, select
from lal.task import Part, Task

pool = pytest.importorskip("skactiveml.pool", reason="scikit-activeml is not installed")

BINARY_ONLY = {"EpistemicUncertaintySampling"}
NAMES = wrapped.skactiveml_names()


def get_task(n_classes=2, learner="logistic_regression", start=9, X=None):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(40) % n_classes)
    rows = rng.normal(size=(40, 3)) + 2.0 * np.eye(3)[y]
    part = Part(rows[:24] if X is None else X(rows[:24]), y[:24])
    test = Part(rows[24:], y[24:])
    return Task("b", "b", make_learner(learner), n_classes, part, test, budget=4, start=start)


def rngs() -> tuple[np.random.Generator, np.random.Generator]:
    return np.random.default_rng(0), np.random.default_rng(1)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_ranks_and_chooses_batches(name, n_classes):
    strategy = make_strategy(f"skactiveml:{name}")
    state = Episode(get_task(n_classes), seed=0).state()
    assert state.n_classes == n_classes
    if name in BINARY_ONLY and n_classes > 2:
        with pytest.raises(UsageError, match=f"'skactiveml:{name}' cannot query .* 3 classes"):
            strategy.utilities(state, rngs()[0])
        return
    utilities = strategy.utilities(state, rngs()[0])
    assert utilities.shape == (state.N,)
    assert np.isfinite(utilities).all()
    assert utilities[state.labelled].max() <= utilities[state.open].max()
    np.testing.assert_array_equal(utilities, strategy.utilities(state, rngs()[0]))
    batch = select(strategy, state, *rngs(), 3)
    assert len(set(batch.tolist())) == 3
    assert set(batch.tolist()) <= set(state.open.tolist())


@pytest.mark.parametrize("name", [n for n in NAMES if "EER" not in n])
def test_every_strategy_starts_without_a_label(name):
    strategy = make_strategy(f"skactiveml:{name}")
    picked = select(strategy, Episode(get_task(start=0), seed=0).state(), *rngs(), 2)
    assert len(set(picked.tolist())) == 2


def test_nothing_is_missing():
    """A new release of the library must be looked at: its strategies are wrapped or refused."""
    classes = {name for name in pool.__all__ if name[0].isupper()}
    regression = {
        "ExpectedModelChangeMaximization",
        "ExpectedModelOutputChange",
        "ExpectedModelVarianceReduction",
        "GreedySamplingTarget",
        "KLDivergenceMaximization",
    }
    assert regression <= set(wrapped.skactiveml_names("regression"))
    assert classes - set(NAMES) == regression | set(wrapped.NOT_STRATEGIES)
    assert len(NAMES) >= 23


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("least_confident", "least_confident"), ("margin_sampling", "margin"), ("entropy", "entropy")],
)
def test_uncertainty_sampling_agrees_with_our_rules(theirs, ours):
    for seed in range(5):
        state = Episode(get_task(3), seed=seed).state()
        wrap = make_strategy("skactiveml:UncertaintySampling", method=theirs)
        own = make_strategy(ours)
        a, b = (s.utilities(state, rngs()[0])[state.open] for s in (wrap, own))
        np.testing.assert_array_equal(np.argsort(a), np.argsort(b))


def test_committee_agrees_with_ours_on_a_forest():
    state = Episode(get_task(3, "random_forest"), seed=0).state()
    theirs = make_strategy("skactiveml:QueryByCommittee").utilities(state, rngs()[0])
    ours = make_strategy("query_by_committee").utilities(state, rngs()[0])
    np.testing.assert_allclose(theirs[state.open], ours[state.open], atol=1e-5)


def test_the_model_is_used_as_it_stands():
    class Once:
        name = "once"
        inner = make_learner("gaussian_nb")
        fits = 0  # of the class: scikit-activeml copies what it refits

        def fit(self, X, y, *, n_classes, **more):
            Once.fits += 1
            return self.inner.fit(X, y, n_classes=n_classes, **more)

    state = Episode(get_task(learner=Once()), seed=0).state()
    before = Once.fits
    for name in ("UncertaintySampling", "Badge", "Clue", "ContrastiveAL", "DropQuery", "Falcun"):
        make_strategy(f"skactiveml:{name}").utilities(state, rngs()[0])
    assert Once.fits == before
    make_strategy("skactiveml:MonteCarloEER").utilities(state, rngs()[0])
    assert Once.fits > before + len(state.open), "look-ahead refits the task's own learner"


def test_duplicate_rows_never_give_a_duplicate_choice():
    task = get_task(X=lambda rows: np.repeat(rows[:6], 4, axis=0))
    for seed in range(10):
        state = Episode(task, seed=seed).state()
        if state.proba is None:
            continue
        batch = select(
            make_strategy("skactiveml:Badge"), state, np.random.default_rng(seed), rngs()[1], 8
        )
        assert len(set(batch.tolist())) == 8


def test_a_whole_episode_labels_what_was_asked():
    curve = run_episode(make_strategy("skactiveml:CoreSet"), get_task(), seed=0, batch_size=2)
    assert len(set(curve.queried.tolist())) == len(curve.queried) == 13


def test_names_and_options_are_checked():
    with pytest.raises(UnknownNameError, match="did you mean 'BatchBALD'"):
        make_strategy("skactiveml:BatchBald")
    with pytest.raises(UsageError, match="is for regression, and this is a classification task"):
        run_episode(make_strategy("skactiveml:GreedySamplingTarget"), get_task(), seed=0)
    with pytest.raises(UnknownNameError, match="a wrapper around another strategy"):
        make_strategy("skactiveml:SubSamplingWrapper")
    with pytest.raises(UsageError, match="takes no option 'random_state'"):
        make_strategy("skactiveml:CoreSet", random_state=1)


def test_samples_that_are_no_numbers_are_refused_by_model_based_strategies():
    words = Episode(
        get_task(X=lambda rows: np.where(rows > 0, "a", "b").astype(object), start=0), 0
    )
    state = words.state()
    make_strategy("skactiveml:CoreSet").utilities(state, rngs()[0])
    with pytest.raises(UsageError, match="needs samples that are finite numbers"):
        wrapped._dense_numbers(state, "Badge")


def test_a_missing_package_names_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "skactiveml.pool", None)
    install = r"pip install 'learned-active-learning\[hosts-skactiveml\]'"
    with pytest.raises(MissingDependencyError, match=install):
        make_strategy("skactiveml:CoreSet")


def test_the_registry_loads_nothing_heavy():
    code = (
        "import sys, lal.strategies.base as b, lal.learners; b.make_strategy('margin'); "
        "print([m for m in ('sklearn', 'skactiveml', 'scipy.stats') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
