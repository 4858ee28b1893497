"""Other libraries' strategies behind our contract, over stand-ins for their formulas."""

import sys
import types

import numpy as np
import pytest

from lal.checks import check_strategy, sample_state
from lal.errors import UnknownNameError, UsageError
from lal.integrations import alipy_strategies, baal_strategies, modal_strategies
from lal.state import QueryState
from lal.strategies.base import make_strategy, select
from lal.strategies.committee import committee_proba
from lal.strategies.uncertainty import entropy_utility, margin_utility

PREFIXED = {
    "modal": modal_strategies,
    "alipy": alipy_strategies,
    "baal": baal_strategies,
}


def rng(seed=0):
    return np.random.default_rng(seed)


def module(monkeypatch, name, **content):
    made = types.ModuleType(name)
    vars(made).update({"__path__": []} | content)
    monkeypatch.setitem(sys.modules, name, made)


@pytest.fixture
def modal(monkeypatch):
    module(monkeypatch, "modAL")
    module(monkeypatch, "modAL.models")
    module(monkeypatch, "modAL.models.learners", check_X_y=None)
    module(
        monkeypatch,
        "modAL.uncertainty",
        classifier_uncertainty=lambda clf, X: 1 - clf.predict_proba(X).max(axis=1),
        classifier_margin=lambda clf, X: -margin_utility(clf.predict_proba(X)),
        classifier_entropy=lambda clf, X: entropy_utility(clf.predict_proba(X)),
    )

    def spread(committee, X):
        proba = committee.vote_proba(X)
        votes = committee.vote(X)
        assert proba.shape == (len(X), len(committee), len(committee.classes_))
        assert votes.shape == (len(X), len(list(committee)))
        return proba.std(axis=1).sum(axis=1)

    names = ("vote_entropy", "consensus_entropy", "KL_max_disagreement")
    module(monkeypatch, "modAL.disagreement", **dict.fromkeys(names, spread))


class AlipyKind:
    """Chooses by margin, whatever it is called; knows what it was made with."""

    def __init__(self, X, y, train_idx=None, disagreement="vote_entropy"):
        self.X, self.y, self.train_idx, self._disagreement = X, y, train_idx, disagreement
        assert not np.isin(y, (-1,)).any()

    def select_by_prediction_mat(self, unlabel_index, predict, batch_size=1):
        table = predict if isinstance(predict, np.ndarray) else np.array(predict)
        scores = table.std(axis=0) if isinstance(predict, list) else table.max(axis=1)
        scores = scores if scores.ndim == 1 else scores.sum(axis=1)
        return unlabel_index[np.argsort(scores)[:batch_size]]

    def select(self, label_index, unlabel_index, batch_size=1, proba_prediction=None):
        away = ((self.X[unlabel_index][:, None] - self.X[label_index][None]) ** 2).sum(-1).min(1)
        return unlabel_index[np.argsort(-away)[:batch_size]].tolist()


@pytest.fixture
def alipy(monkeypatch):
    module(monkeypatch, "alipy")
    names = alipy_strategies.OFFERED
    module(monkeypatch, "alipy.query_strategy", **dict.fromkeys(names, AlipyKind))


@pytest.fixture
def baal(monkeypatch):
    def heuristic(reversed, score):
        def make(reduction):
            return types.SimpleNamespace(reversed=reversed, get_uncertainties=score)

        return make

    high = heuristic(True, lambda p: p.std(axis=-1).sum(axis=1))
    low = heuristic(False, lambda p: -margin_utility(p.mean(axis=-1)))
    kinds = {"BALD": high, "Entropy": high, "Margin": low, "Certainty": low, "Variance": high}
    module(monkeypatch, "baal")
    module(monkeypatch, "baal.active")
    module(monkeypatch, "baal.active.heuristics", **kinds)


ALL = [(p, n) for p, m in PREFIXED.items() for n in m.OFFERED]


@pytest.mark.parametrize(("prefix", "name"), ALL, ids=[f"{p}:{n}" for p, n in ALL])
def test_the_contract_is_kept(prefix, name, request):
    request.getfixturevalue(prefix)
    check_strategy(f"{prefix}:{name}")


@pytest.mark.parametrize("prefix", PREFIXED)
def test_what_is_not_offered_is_explained(prefix):
    held = PREFIXED[prefix]
    assert not set(held.OFFERED) & set(held.REFUSED)
    for name, reason in held.REFUSED.items():
        with pytest.raises(UnknownNameError, match=f"'{prefix}:{name}' cannot be used: it"):
            make_strategy(f"{prefix}:{name}")
        assert reason in held.REFUSED.values()
    near = next(iter(held.OFFERED))
    with pytest.raises(UnknownNameError, match=f"did you mean .*{near}"):
        make_strategy(f"{prefix}:{near}x")


def test_modal_margin_has_our_sign(modal):
    state = sample_state()
    theirs = make_strategy("modal:margin_sampling").utilities(state, rng())
    assert np.allclose(theirs, make_strategy("margin").utilities(state, rng()))


def test_baal_lowest_first_is_turned_round(baal):
    state = sample_state()
    theirs = make_strategy("baal:Margin").utilities(state, rng())
    members = committee_proba(state, rng(), 8)
    assert np.allclose(theirs, margin_utility(members.mean(axis=0)))


def test_alipy_is_never_shown_a_label_that_was_not_bought(alipy, monkeypatch):
    state = sample_state()
    seen = []
    kinds = sys.modules["alipy.query_strategy"]

    class Spy(AlipyKind):
        def __init__(self, X, y, **options):
            seen.append(y)
            super().__init__(X, y, **options)

    monkeypatch.setattr(kinds, "QueryInstanceQBC", Spy)
    make_strategy("alipy:QueryInstanceQBC", disagreement="KL_divergence").utilities(state, rng())
    assert np.array_equal(seen[0][state.labelled], state.labels)
    assert not seen[0][state.open].any()


def test_alipy_batches(alipy):
    state: QueryState = sample_state()
    strategy = make_strategy("alipy:QueryInstanceUncertainty")
    assert state.proba is not None
    top = np.argsort(state.proba[state.open].max(axis=1))[:4]
    assert set(select(strategy, state, rng(), rng(), 4)) == set(state.open[top])
    assert "QueryInstanceUncertainty" in repr(strategy)
    cold = sample_state(2, 0)
    assert len(select(strategy, cold, rng(), rng(), 4)) == 4
    with pytest.raises(UsageError, match="more than the"):
        select(strategy, state, rng(), rng(), 999)
