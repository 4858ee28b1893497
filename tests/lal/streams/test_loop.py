import numpy as np
import pytest

from lal.errors import UsageError
from lal.streams.features import StreamItem
from lal.streams.loop import StreamEpisode, TableWorld, run_stream
from lal.streams.strategies import STREAM_STRATEGIES, UncertaintyStream
from lal.streams.tasks import STREAMS, Stream, make_stream, replay


def stream(n=60, seed=0):
    return make_stream("moving_clusters", n, rng=np.random.default_rng(seed))


class Stubborn:
    """Always or never asks."""

    def __init__(self, answer):
        self.answer = answer

    def start(self, info=None):
        return {}

    def act(self, memory, observation):
        return self.answer

    def update(self, memory, event):
        return memory


@pytest.mark.parametrize("name", STREAMS)
def test_families_depend_on_the_seed_alone(name):
    one, two = (make_stream(name, 1500, rng=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.X, two.X)
    np.testing.assert_array_equal(one.y, two.y)
    assert one.X.shape == (1500, STREAMS[name].n_columns)
    assert set(np.unique(one.y)) == set(range(STREAMS[name].n_classes))


@pytest.mark.parametrize("name", STREAMS)
def test_families_drift(name):
    """The rule of the first rows is worth less later than it was, over several streams."""
    from sklearn.linear_model import LogisticRegression

    now, later = [], []
    for seed in range(6):
        made = make_stream(name, 4000, rng=np.random.default_rng(seed))
        model = LogisticRegression().fit(made.X[:150], made.y[:150])
        now.append(model.score(made.X[150:250], made.y[150:250]))
        scores = [
            model.score(made.X[i : i + 250], made.y[i : i + 250]) for i in range(500, 4000, 250)
        ]
        later.append(min(scores))
    assert np.mean(now) > np.mean(later) + 0.1


@pytest.mark.parametrize("answer", [True, False])
def test_total_cost_is_the_same_whoever_decides(answer):
    played = run_stream(Stubborn(answer), TableWorld(stream()), budget=0.1)
    assert played.spent == 6 == played.asked.sum()
    expected = np.arange(6) if answer else np.arange(54, 60)
    np.testing.assert_array_equal(np.flatnonzero(played.asked), expected)


def test_errors_are_made_before_learning():
    """Labels are only ever learned after their item was predicted: noise stays noise."""
    rng = np.random.default_rng(0)
    noise = Stream("noise", rng.normal(size=(2000, 3)), rng.integers(2, size=2000), 2)
    played = run_stream(Stubborn(True), TableWorld(noise), budget=1.0)
    assert 0.45 < played.accuracy < 0.55


@pytest.mark.parametrize("name", STREAM_STRATEGIES.names())
def test_strategies_play(name):
    n = 50 if name in ("abstention", "disagreement") else 200  # they solve linear programmes
    played = run_stream(STREAM_STRATEGIES[name](0), TableWorld(stream(n)), budget=0.1, points=4)
    assert played.spent == n // 10
    assert played.curve.shape == (4,)
    assert (played.curve > 0).all()


def test_skactiveml_strategies_play():
    pytest.importorskip("skactiveml")
    from lal.streams.skactiveml import stream_names

    for name in stream_names():
        strategy = STREAM_STRATEGIES[f"skactiveml:{name}"](0)
        assert run_stream(strategy, TableWorld(stream(40)), budget=0.2).spent == 8


def test_unknown_skactiveml_strategy():
    pytest.importorskip("skactiveml")
    with pytest.raises(KeyError, match="no stream strategy 'Nope'"):
        STREAM_STRATEGIES["skactiveml:Nope"]


def test_threshold_moves_as_published():
    rule = UncertaintyStream(threshold=0.8, step=0.01)
    memory = rule.start({"budget": 0.5})
    sure, unsure = (StreamItem(np.array(p)) for p in ([0.9, 0.1], [0.7, 0.3]))
    assert rule.act(memory, unsure)
    assert not rule.act(memory, sure)
    from lal.streams.features import StreamEvent

    after = rule.update(memory, StreamEvent(unsure, asked=True, error=0.0))
    assert after["state"][1] == pytest.approx(0.8 * 0.99)
    after = rule.update(after, StreamEvent(sure, asked=False))
    assert after["state"][1] == pytest.approx(0.8 * 0.99 * 1.01)


def test_sgd_learns_on_a_stream():
    played = run_stream(Stubborn(True), TableWorld(stream(300), learner="sgd"), budget=0.5)
    assert played.accuracy > 0.5


def test_replay_keeps_the_order():
    from lal.data.datasets import load_dataset

    iris = load_dataset("sklearn:iris")
    again = replay(iris)
    np.testing.assert_array_equal(again.y, iris.y)
    np.testing.assert_allclose(again.X[:100].mean(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize("budget", [0.0, 1.5])
def test_impossible_budget_is_refused(budget):
    with pytest.raises(UsageError, match="budget must lie above 0 and up to 1"):
        StreamEpisode(TableWorld(stream()), budget=budget)
