"""The adapters against stand-ins that call them as the real packages do.

The real packages have pins that conflict; `python -m scripts.benchmark host-parity`
plays against them.
"""

import subprocess
import sys
import types
from abc import ABC
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lal.errors import MissingDependencyError, UsageError
from lal.integrations import alipy, baal, libact, modal, small_text
from lal.integrations.numpy_loop import label_loop
from lal.policies.kinds import load_policy

ROOT = Path(__file__).resolve().parents[3]
N_QUERIES = 6


def learner():
    return LogisticRegression(tol=1e-10, max_iter=10_000)


def plain(pool, policy, batch_size=1):
    rows, _ = label_loop(
        policy,
        pool.X,
        pool.answers,
        learner(),
        start=pool.start,
        n_queries=N_QUERIES,
        batch_size=batch_size,
    )
    return rows[len(pool.start) :].tolist()


@pytest.fixture
def stand_in(monkeypatch):
    """Put modules of these names and contents in place of a package."""

    def put(**modules):
        for name, content in modules.items():
            made = types.ModuleType(name.replace("__", "."))
            vars(made).update(content)
            monkeypatch.setitem(sys.modules, made.__name__, made)

    return put


class Base(ABC):  # noqa: B024  (stands in for a host's abstract base)
    pass


HOSTS = {
    "modAL": ("hosts-modal", lambda: modal.LearnedQuery("margin")),
    "alipy": ("hosts-alipy", lambda: alipy.LearnedQuery(None, None, policy="margin")),
    "small_text": ("hosts-small-text", lambda: small_text.LearnedQueryStrategy("margin")),
    "libact": ("hosts-libact", lambda: libact.LearnedQuery(None, "margin")),
    "baal": ("hosts-baal", baal.ranking),
    "skactiveml": ("hosts-skactiveml", None),
}


@pytest.mark.parametrize("package", HOSTS)
def test_a_missing_host_names_the_install_command(package, monkeypatch):
    extra, use = HOSTS[package]
    if use is None:
        code = f"import sys\nsys.modules[{package!r}] = None\nimport lal.integrations.skactiveml"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
        )
        assert f"pip install 'learned-active-learning[{extra}]'" in done.stderr
        return
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"pip install .*\[{extra}\]"):
        use()


def test_importing_the_adapters_imports_no_host():
    names = "modal, alipy, baal, small_text, libact, numpy_loop"
    code = (
        f"import sys\nfrom lal.integrations import {names}\n"
        f"from lal.integrations import modal_strategies, alipy_strategies, baal_strategies\n"
        f"print(*[m for m in {[*HOSTS, 'torch']} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "", done.stderr


def modal_modules(stand_in):
    def check_X_y(X, y, force_all_finite=True):
        raise TypeError("check_X_y() got an unexpected keyword argument 'force_all_finite'")

    stand_in(
        modAL={"__path__": []},
        modAL__models={"__path__": []},
        modAL__models__learners={"check_X_y": check_X_y},
        modAL__utils={"__path__": []},
        modAL__utils__data={"data_vstack": np.concatenate},
    )


class ModalLearner:
    def __init__(self, pool, query):
        self.X_training, self.y_training = pool.X[pool.start], pool.y[pool.start]
        self.estimator, self.query = learner().fit(self.X_training, self.y_training), query

    def teach(self, X, y):
        sys.modules["modAL.models.learners"].check_X_y(X, y, force_all_finite=True)
        self.X_training = np.concatenate([self.X_training, X])
        self.y_training = np.concatenate([self.y_training, y])
        self.estimator.fit(self.X_training, self.y_training)


@pytest.mark.parametrize("size", [1, 2])
def test_modal(stand_in, pool, policy, size):
    modal_modules(stand_in)
    hosted = ModalLearner(pool, modal.LearnedQuery(policy))
    left = np.setdiff1d(np.arange(len(pool.X)), pool.start)
    asked = []
    for _ in range(N_QUERIES):
        places, utilities = hosted.query(hosted, pool.X[left], size)
        assert utilities.shape == (size,)
        assert (np.diff(utilities) <= 0).all()
        asked += left[places].tolist()
        hosted.teach(pool.X[left[places]], pool.y[left[places]])
        left = np.delete(left, places)
    assert asked == plain(pool, policy, size)
    assert not hasattr(np, "float")


def test_modal_with_frames(stand_in, pool, policy):
    """modAL 0.4.2 stacks frames by DataFrame.append, which is gone."""
    pandas = pytest.importorskip("pandas")
    modal_modules(stand_in)

    def old_stack(blocks):
        return (
            blocks[0].append(blocks[1:]) if hasattr(blocks[0], "iloc") else np.concatenate(blocks)
        )

    stand_in(
        modAL__utils__data={"data_vstack": old_stack},
        modAL__models__base={"data_vstack": old_stack, "other": len},
    )
    frame = pandas.DataFrame(pool.X)
    left = np.setdiff1d(np.arange(len(pool.X)), pool.start)
    hosted = ModalLearner(pool, modal.LearnedQuery(policy))
    plain_rows = hosted.query(hosted, pool.X[left], 2)[0]
    hosted.X_training = frame.iloc[pool.start]
    hosted.estimator = learner().fit(frame.iloc[pool.start], pool.y[pool.start])
    assert hosted.query(hosted, frame.iloc[left], 2)[0].tolist() == plain_rows.tolist()
    stacked = sys.modules["modAL.models.base"].data_vstack
    assert len(stacked([frame.iloc[:2], frame.iloc[5:6]])) == 3
    assert stacked([pool.X[:2], pool.X[5:6]]).shape == (3, pool.X.shape[1])
    modal.LearnedQuery(policy)  # mended once
    assert sys.modules["modAL.models.base"].data_vstack is stacked


def test_modal_committee_and_cold_start(stand_in, pool):
    modal_modules(stand_in)
    query = modal.LearnedQuery("margin")
    member = ModalLearner(pool, query)
    committee = types.SimpleNamespace(
        learner_list=[member],
        predict_proba=member.estimator.predict_proba,
        classes_=member.estimator.classes_,
    )
    left = np.setdiff1d(np.arange(len(pool.X)), pool.start)
    assert query(committee, pool.X[left])[0].tolist() == query(member, pool.X[left])[0].tolist()
    member.X_training = None
    with pytest.raises(UsageError, match="no labelled rows"):
        query(member, pool.X[left])


def test_alipy(stand_in, pool, policy):
    import collections

    stand_in(
        alipy={"__path__": []},
        alipy__query_strategy={"__path__": [], "np": np, "collections": collections},
        alipy__query_strategy__base={"BaseIndexQuery": Base},
    )
    strategy = alipy.LearnedQuery(pool.X, pool.y, policy=policy, strategyname="kept")
    assert isinstance(strategy, Base)
    patched = sys.modules["alipy.query_strategy"]
    assert patched.np.infty == np.inf
    assert patched.np.mean is np.mean
    assert isinstance([], patched.collections.Iterable)
    assert not hasattr(collections, "Iterable")
    hidden = list(range(7, 17, 3))
    known = list(pool.start)
    unknown = [i for i in range(len(pool.X)) if i not in known and i not in hidden]
    model = learner().fit(pool.X[known], pool.y[known])
    picked = strategy.select(known, unknown, batch_size=3, model=model, policy=policy)
    assert len(set(picked)) == 3
    assert set(picked) <= set(unknown)
    wrong = pool.y.copy()
    wrong[unknown] = 0
    blind = alipy.LearnedQuery(pool.X, wrong, policy=policy)
    assert blind.select(known, unknown, batch_size=3, model=model) == picked


@pytest.fixture
def small_text_classifier(stand_in):
    class SklearnClassifier:
        def __init__(self, model):
            self.model = model

    class QueryStrategy(Base):
        @staticmethod
        def _validate_query_input(indices_unlabeled, n):
            if n > len(indices_unlabeled):
                raise LookupError("Pool exhausted")

    stand_in(
        small_text={"__path__": []},
        small_text__query_strategies={"QueryStrategy": QueryStrategy},
        small_text__classifiers={"SklearnClassifier": SklearnClassifier},
    )
    return SklearnClassifier


def test_small_text(small_text_classifier, pool, policy):
    strategy = small_text.LearnedQueryStrategy(policy)
    dataset = types.SimpleNamespace(x=pool.X)
    labelled = np.array(pool.start)
    asked = []
    for _ in range(N_QUERIES):
        fitted = small_text_classifier(learner().fit(pool.X[labelled], pool.y[labelled]))
        left = np.setdiff1d(np.arange(len(pool.X)), labelled)
        chosen = strategy.query(fitted, dataset, left, labelled, pool.y[labelled], n=1)
        assert strategy.last_scores is not None
        assert np.nanargmax(strategy.last_scores) == chosen[0]
        asked += chosen.tolist()
        labelled = np.append(labelled, chosen)
    assert asked == plain(pool, policy)
    assert "random network" in str(strategy)
    with pytest.raises(LookupError, match="Pool exhausted"):
        strategy.query(fitted, dataset, left, labelled, pool.y[labelled], n=999)


def test_small_text_with_texts(small_text_classifier, pool):
    known = np.array(pool.start)
    left = np.setdiff1d(np.arange(len(pool.X)), known)
    model = learner().fit(pool.X[known], pool.y[known])
    texts = types.SimpleNamespace(x=["a text"] * len(pool.X))
    clf = types.SimpleNamespace(predict_proba=lambda dataset: model.predict_proba(pool.X))
    strategy = small_text.LearnedQueryStrategy("margin", representation=pool.X)
    (chosen,) = strategy.query(clf, texts, left, known, pool.y[known], n=1)
    top = np.sort(model.predict_proba(pool.X[left]), axis=1)
    assert chosen == left[np.argmin(top[:, -1] - top[:, -2])]
    bare = small_text.LearnedQueryStrategy("margin")
    with pytest.raises(UsageError, match="pass representation="):
        bare.query(clf, texts, left, known, pool.y[known], n=1)


class LibactDataset:
    def __init__(self, pool):
        self.X, self.y = pool.X, np.full(len(pool.X), None, dtype=object)
        self.y[pool.start] = pool.y[pool.start]

    def on_update(self, callback):
        self.callback = callback

    def get_entries(self):
        return self.X, self.y

    def update(self, entry, label):
        self.y[entry] = label
        self.callback(entry, label)


class LibactModel:
    def train(self, dataset):
        rows = np.flatnonzero([label is not None for label in dataset.y])
        self.fitted = learner().fit(dataset.X[rows], dataset.y[rows].astype(int))

    def predict_proba(self, X):
        return self.fitted.predict_proba(X)


@pytest.mark.parametrize("model", [learner(), LibactModel()], ids=["scikit-learn", "libact"])
def test_libact(stand_in, pool, model):
    stand_in(
        libact={"__path__": []},
        libact__base={"__path__": []},
        libact__base__interfaces={"QueryStrategy": Base},
    )
    dataset = LibactDataset(pool)
    strategy = libact.LearnedQuery(dataset, "margin", model=model)
    assert isinstance(strategy, Base)
    assert strategy.dataset is dataset
    asked = []
    for _ in range(N_QUERIES):
        scores = dict(strategy._get_scores())
        assert set(scores) == {i for i, label in enumerate(dataset.y) if label is None}
        entry = strategy.make_query()
        assert max(scores, key=lambda i: scores[i]) == entry
        dataset.update(entry, pool.y[entry])
        asked.append(entry)
    assert asked == plain(pool, "margin")
    assert not hasattr(model, "fitted")


class BaalDataset:
    def __init__(self, pool):
        self.known, self.whole = sorted(pool.start), pool

    def __len__(self):
        return len(self.known)

    def __getitem__(self, index):
        row = self.known[index]
        return self.whole.X[row], self.whole.y[row]

    @property
    def rows(self):
        return np.setdiff1d(np.arange(len(self.whole.X)), self.known)

    @property
    def pool(self):
        return [(self.whole.X[i], self.whole.y[i]) for i in self.rows]


def test_baal(pool, policy):
    dataset = BaalDataset(pool)
    scores = baal.LearnedScores(dataset, policy, clf=learner())
    asked = []
    for _ in range(N_QUERIES):
        row = int(dataset.rows[np.argmax(scores(dataset.pool))])
        asked.append(row)
        dataset.known = sorted([*dataset.known, row])
    assert asked == plain(pool, policy)


def test_baal_batches_are_those_of_the_policy(pool):
    dataset = BaalDataset(pool)
    rows = dataset.rows
    scores = baal.LearnedScores(dataset, "default", clf=learner(), query_size=4)(dataset.pool)
    asked = rows[np.argsort(-scores, kind="stable")[:4]].tolist()
    y = np.full(len(pool.X), np.nan)
    y[dataset.known] = pool.y[dataset.known]
    expected = load_policy("default").query(pool.X, y, learner(), batch_size=4)
    assert asked == expected.tolist()


def test_baal_with_predictions(stand_in, pool):
    stand_in(
        baal={"__path__": []},
        baal__utils={"__path__": []},
        baal__utils__array_utils={"to_prob": lambda table: table},
    )
    dataset = BaalDataset(pool)
    model = learner().fit(pool.X[dataset.known], pool.y[dataset.known])

    def predict(items):
        proba = model.predict_proba(np.stack([items[i][0] for i in range(len(items))]))
        return np.stack([proba, proba], axis=-1)

    own = baal.LearnedScores(dataset, "margin", predict=predict)(dataset.pool)
    fitted = baal.LearnedScores(dataset, "margin", clf=learner())(dataset.pool)
    assert np.allclose(own, fitted, atol=1e-6)
    with pytest.raises(UsageError, match="either clf"):
        baal.LearnedScores(dataset, "margin", clf=learner(), predict=predict)
    dataset.known = []
    with pytest.raises(UsageError, match="label at least one item"):
        baal.LearnedScores(dataset, "margin", predict=predict)(dataset.pool)
