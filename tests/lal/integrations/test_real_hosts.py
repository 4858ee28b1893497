"""modAL and small-text themselves, where they are installed; `make test-hosts` tries more."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from lal.errors import DataError, UsageError
from lal.policies.kinds import load_policy

X, TRUTH = load_iris(return_X_y=True)
ROWS = np.r_[0:6, 50:56, 100:106]
REST = np.setdiff1d(np.arange(150), ROWS)


def learner():
    return LogisticRegression(max_iter=500)


def expected(n=5):
    y = np.full(150, None, dtype=object)
    y[ROWS] = TRUTH[ROWS]
    return load_policy("margin").query(X, y, learner(), batch_size=n).tolist()


@pytest.fixture
def modal_learner():
    pytest.importorskip("modAL")
    from lal.integrations.modal import LearnedQuery, load

    def make(rows, names=(0, 1, 2)):
        y = np.array(names)[TRUTH[ROWS]]
        models = load("modAL.models")
        return models.ActiveLearner(learner(), LearnedQuery("margin"), rows, y)

    return make


@pytest.mark.parametrize("names", [(0, 1, 2), ("a", "b", "c")])
@pytest.mark.parametrize("index", ["plain", "reversed"])
def test_modal_with_frames_teaches_the_row_it_asked_for(modal_learner, names, index):
    pandas = pytest.importorskip("pandas")
    numbers = np.arange(150) if index == "plain" else np.arange(150)[::-1]
    D = pandas.DataFrame(X, columns=list("abcd"), index=numbers)
    made, left, asked = modal_learner(D.iloc[ROWS], names), REST.tolist(), []
    for _ in range(5):
        (place,), rows = made.query(D.iloc[left])
        asked.append(left.pop(place))
        assert rows.equals(D.iloc[[asked[-1]]])
        made.teach(rows, np.array(names)[TRUTH[[asked[-1]]]])
    plain, left, other = modal_learner(X[ROWS]), REST.tolist(), []
    for _ in range(5):
        (place,), rows = plain.query(X[left])
        other.append(left.pop(place))
        plain.teach(rows, TRUTH[[other[-1]]])
    assert asked == other
    assert asked[0] == expected()[0]


def test_modal_does_not_mix_frames_and_arrays(modal_learner):
    pandas = pytest.importorskip("pandas")
    made = modal_learner(pandas.DataFrame(X[ROWS], columns=list("abcd")))
    with pytest.raises(DataError, match="some rows come as DataFrame and others as ndarray"):
        made.query(X[REST])
    other_order = pandas.DataFrame(X[REST], columns=list("abcd"))[list("dcba")]
    assert REST[made.query(other_order)[0][0]] == expected()[0]


@pytest.fixture
def small_text_query():
    small_text = pytest.importorskip("small_text")
    from lal.integrations.small_text import LearnedQueryStrategy

    class Classifier:
        num_classes = 3

        def predict_proba(self, data):
            return learner().fit(X[ROWS], TRUTH[ROWS]).predict_proba(X)

    texts = [f"text number {i}" for i in range(150)]
    data = small_text.TextDataset.from_arrays(texts, TRUTH, target_labels=np.arange(3))

    def query(representation):
        strategy = LearnedQueryStrategy("margin", representation=representation)
        return strategy.query(Classifier(), data, REST, ROWS, TRUTH[ROWS], n=5).tolist()

    return query


def test_small_text_takes_rows_of_any_type_for_its_texts(small_text_query):
    from scipy import sparse

    for rows in (X, X.tolist(), sparse.coo_matrix(X)):
        assert small_text_query(rows) == expected()
    with pytest.raises(UsageError, match="representation has 100 rows and an item 149 is asked of"):
        small_text_query(X[:100])
