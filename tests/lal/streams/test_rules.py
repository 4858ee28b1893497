"""Rules with a model of their own: against enumeration, and by hand."""

import numpy as np
import pytest

from lal.errors import DataError, UsageError
from lal.streams.features import StreamEvent, StreamItem
from lal.streams.loop import TableWorld, run_stream
from lal.streams.strategies import REJECT, STREAM_STRATEGIES
from lal.streams.strategies.abstention import AbstentionStream, rated_predictor
from lal.streams.strategies.active_vote import ActiveVoteStream
from lal.streams.strategies.disagreement import DisagreementStream
from lal.streams.strategies.hypotheses import (
    Boxes,
    FiniteVersionSpace,
    LinearVersionSpace,
    Thresholds,
    confidence_set,
)
from lal.streams.strategies.peers import PeersStream
from lal.streams.strategies.reject_option import RejectOptionStream
from lal.streams.strategies.rows import known_label
from lal.streams.tasks import Stream

EVEN = np.array([0.5, 0.5])
GRID = Thresholds(tuple(np.linspace(0.0, 1.0, 21)))


def play(rule, X, y):
    """Return which labels were asked for, which were inferred (-1: none), and the memory."""
    memory, asked, inferred = rule.start(), [], []
    for x, label in zip(X, y, strict=True):
        item = StreamItem(EVEN, x=x)
        ask = rule.act(memory, item)
        told = None if ask or not hasattr(rule, "infer") else rule.infer(memory, item)
        asked.append(ask)
        inferred.append(-1 if told is None else told)
        memory = rule.update(memory, StreamEvent(item, ask, None, int(label) if ask else None))
    return np.array(asked), np.array(inferred), memory


def boxes(seed):
    rng = np.random.default_rng(seed)
    low = rng.random((60, 2))
    return Boxes(low, low + rng.random((60, 2)))


@pytest.mark.parametrize(("hypotheses", "D"), [(GRID, 1), (boxes(0), 2), (boxes(1), 2)])
def test_disagreement_asks_where_enumeration_does_and_infers_no_wrong_label(hypotheses, D):
    X = np.random.default_rng(0).random((60, D))
    codes = hypotheses.predict(X, 2)
    y = codes[7]
    asked, inferred, _ = play(DisagreementStream(FiniteVersionSpace(hypotheses)), X, y)
    alive = list(range(len(codes)))
    for t in range(60):
        assert asked[t] == (len({int(codes[h, t]) for h in alive}) > 1)
        if asked[t]:
            alive = [h for h in alive if codes[h, t] == y[t]]
        else:
            assert inferred[t] == y[t]


def test_linear_programmes_find_the_disagreement_of_sampled_separators():
    """Where two sampled separators that fit all labels differ, the programmes must ask."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(25, 2))
    codes = (X @ rng.normal(size=(2, 4000)) + 0.5 * rng.normal(size=4000) > 0).T.astype(int)
    y = codes[0]
    asked, inferred, _ = play(DisagreementStream(LinearVersionSpace()), X, y)
    alive = np.ones(len(codes), dtype=bool)
    for t in range(25):
        assert asked[t] or len(set(codes[alive, t])) == 1
        alive &= (codes[:, t] == y[t]) | (not asked[t])
    assert asked.sum() < 18
    assert (inferred == y)[~asked].all()


def test_labels_that_contradict_every_hypothesis_raise_or_are_forgotten():
    """Only labels that were not asked for can: those that a loop forces on the rule."""
    told = [(0.2, 1), (0.8, 0), (0.5, 1), (0.4, 0)]

    def forced(rule):
        memory = rule.start()
        for x, label in told:
            item = StreamItem(EVEN, x=np.array([x]))
            memory = rule.update(memory, StreamEvent(item, True, None, label))
        return memory

    rule = DisagreementStream(FiniteVersionSpace(GRID))
    with pytest.raises(DataError, match="no hypothesis of the class agrees with all labels"):
        rule.act(forced(rule), StreamItem(EVEN, x=np.array([0.5])))
    kept = forced(DisagreementStream(FiniteVersionSpace(GRID), conflict="forget"))
    assert kept["X"].ravel().tolist() == [0.5, 0.4]
    with pytest.raises(UsageError, match="conflict must be 'raise' or 'forget', got 'ask'"):
        DisagreementStream(FiniteVersionSpace(GRID), conflict="ask")  # type: ignore[arg-type]


def test_confidence_set_keeps_what_noise_may_explain():
    codes = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1]])
    y = np.array([0, 0, 0, 1])
    assert confidence_set(codes, y, None).tolist() == [False, True, False]
    assert confidence_set(codes, y, 1.0).tolist() == [True, True, False]  # 1 <= 1, 3 > sqrt(3)


def test_the_predictor_is_safe_against_every_hypothesis_and_abstains_least():
    codes = np.random.default_rng(0).integers(2, size=(9, 8))
    xi, gamma = rated_predictor(codes, 2, 0.1)
    assert max(xi[np.arange(8), 1 - h].sum() for h in codes) <= 0.8 + 1e-9
    np.testing.assert_allclose(xi.sum(axis=1) + gamma, 1.0)
    assert rated_predictor(codes, 2, 1.0)[1].max() == pytest.approx(0.0)
    alike = np.repeat(codes[:1], 5, axis=0)
    assert rated_predictor(alike, 2, 0.0)[1].max() == 0.0


def test_one_undecided_row_is_abstained_on_by_hand():
    """Two hypotheses differ on one of four rows: error 4 eta against either, the rest abstains."""
    codes = np.array([[0, 0, 0, 0], [0, 0, 0, 1]])
    _, gamma = rated_predictor(codes, 2, 0.05)
    assert gamma[3] == pytest.approx(1.0 - 2 * 0.2)


def test_abstention_asks_within_the_region_of_disagreement():
    X = np.random.default_rng(1).random((60, 1))
    y = (X[:, 0] > 0.55).astype(int)
    rule = AbstentionStream(0, hypotheses=GRID, tolerance=None)
    space = DisagreementStream(FiniteVersionSpace(GRID))
    memory = rule.start()
    for x, label in zip(X, y, strict=True):
        item = StreamItem(EVEN, x=x)
        ask = rule.act(memory, item)
        split = space.possible({"X": memory["X"], "y": memory["y"]}, item).sum() > 1
        assert split or not ask
        memory = rule.update(memory, StreamEvent(item, ask, None, int(label) if ask else None))
    assert 2 <= len(memory["y"]) < 20


@pytest.mark.parametrize("kind", ["perceptron", "winnow"])
def test_active_vote_asks_unless_unanimous_and_learns(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = (X[:, 0] > 0).astype(int)
    rule = ActiveVoteStream(0, kind=kind, rate=1.0)
    memory = rule.start()
    for x, label in zip(X, y, strict=True):
        item = StreamItem(EVEN, x=x)
        ask = rule.act(memory, item)
        assert ask == (len(set(rule.votes(memory, item).tolist())) > 1)
        memory = rule.update(memory, StreamEvent(item, ask, None, int(label) if ask else None))
    said = [rule.classify(memory, StreamItem(EVEN, x=x)) for x in X]
    assert np.mean(said == y) > 0.85


def test_peers_trust_their_cluster_and_tell_labels():
    rng = np.random.default_rng(0)
    tasks = np.tile([3.0, 4.0, 7.0], 120)
    X = rng.normal(size=(360, 5))
    sign = np.where(tasks == 7.0, -1.0, 1.0)  # 3 and 4 agree, 7 says the opposite
    y = (sign * X[:, 0] > 0).astype(int)
    rule, inferred = PeersStream(0), 0
    memory = rule.start()
    for x, label, task in zip(X, y, tasks, strict=True):
        item = StreamItem(EVEN, x=x, content=np.array([task]))
        ask = rule.act(memory, item)
        inferred += not ask and rule.infer(memory, item) is not None
        memory = rule.update(memory, StreamEvent(item, ask, None, int(label) if ask else None))
    assert memory["tasks"].tolist() == [3.0, 4.0, 7.0]
    assert memory["tau"][0, 1] > 0.9
    np.testing.assert_allclose(memory["tau"].sum(axis=1), 1.0)
    assert inferred > 20


def test_a_single_task_has_no_peers_and_infers_nothing():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    asked, inferred, memory = play(PeersStream(0), X, (X[:, 0] > 0).astype(int))
    assert (inferred == -1).all()
    assert 0 < asked.sum() < 100
    assert memory["tau"].tolist() == [[0.0]]


@pytest.mark.parametrize("loss", ["sigmoid", "ramp"])
def test_reject_option_asks_near_the_edge_and_descends_its_loss(loss):
    rule = RejectOptionStream(0, loss=loss, slope=4.0, mu=0.5)
    weights = {"weights": np.array([[0.0, 0.0], [2.0, 0.0]]), "band": np.array([0.6, 0.0])}
    memory = rule.start() | weights

    def asks(x):
        return rule.query_probability(memory, StreamItem(EVEN, x=np.array([x])))

    assert asks(0.6) == 1.0
    assert asks(0.6) > asks(5.0)
    assert rule.classify(memory, StreamItem(EVEN, x=np.array([0.5]))) == REJECT
    assert rule.classify(memory, StreamItem(EVEN, x=np.array([-0.7]))) == 0
    item = StreamItem(EVEN, x=np.array([0.6]))
    later = rule.update(memory, StreamEvent(item, True, None, 1))
    assert later["weights"][1, 0] > memory["weights"][1, 0]
    assert later["band"][0] < 0.6  # the row was right: reject less


def test_slopes_are_those_of_the_double_sigmoid_loss():
    rule = RejectOptionStream(cost=0.3, slope=2.0)

    def loss(margin, rho):
        sigmoids = [1.0 / (1.0 + np.exp(2.0 * place)) for place in (margin - rho, margin + rho)]
        return 2.0 * 0.3 * sigmoids[0] + 2.0 * 0.7 * sigmoids[1]

    outer, inner = rule._slopes(0.4, 0.7)
    h = 1e-6
    assert (loss(0.4 + h, 0.7) - loss(0.4 - h, 0.7)) / (2 * h) == pytest.approx(-(outer + inner))
    assert (loss(0.4, 0.7 + h) - loss(0.4, 0.7 - h)) / (2 * h) == pytest.approx(outer - inner)


def test_two_classes_tell_the_label_by_the_error():
    item = StreamItem(np.array([0.8, 0.2]))
    assert known_label(StreamEvent(item, True, 0.0)) == 0
    assert known_label(StreamEvent(item, True, 1.0)) == 1
    assert known_label(StreamEvent(item, False)) is None
    assert known_label(StreamEvent(StreamItem(np.full(3, 1 / 3)), True, 1.0)) is None
    assert known_label(StreamEvent(StreamItem(np.full(3, 1 / 3)), True, 1.0, 2)) == 2
    with pytest.raises(DataError, match="label must be a class code from 0 to 1, got 2"):
        StreamEvent(item, True, 1.0, 2)


@pytest.mark.parametrize("name", ["active_vote", "peers", "reject_option", "finite_disagreement"])
def test_a_stream_keeps_its_columns(name):
    rule = STREAM_STRATEGIES[name](0)
    item = StreamItem(EVEN, x=np.ones(3))
    memory = rule.update(rule.start(), StreamEvent(item, True, None, 1))
    with pytest.raises(DataError, match="a stream keeps its classes and columns"):
        rule.act(memory, StreamItem(EVEN, x=np.ones(4)))


def linear_stream(n=80):
    X = np.random.default_rng(0).normal(size=(n, 2))
    return Stream("linear", X, (X[:, 0] > 0).astype(np.int64), 2)


def test_inferred_labels_are_recorded_and_taught():
    stream = linear_stream()
    runs = [
        run_stream(STREAM_STRATEGIES["finite_disagreement"](0), TableWorld(stream), budget=0.2,
                   points=1, learn_inferred=learn)
        for learn in (False, True)
    ]  # fmt: skip
    told = runs[0].inferred >= 0
    assert told.sum() > 30
    assert not (told & runs[0].asked).any()
    assert (runs[0].inferred == stream.y)[told].mean() > 0.9
    np.testing.assert_array_equal(runs[0].inferred, runs[1].inferred)
    assert runs[1].curve[-1] > runs[0].curve[-1]


def test_own_classes_are_recorded():
    played = run_stream(STREAM_STRATEGIES["reject_option"](0), TableWorld(linear_stream()))
    assert set(played.answers.tolist()) <= {REJECT, 0, 1}
    assert (played.answers == REJECT).any()
    assert run_stream(STREAM_STRATEGIES["random"](0), TableWorld(linear_stream())).answers.size == 0


def test_a_world_that_cannot_learn_inferred_labels_says_so():
    class Plain:
        costs = np.ones(3)

    with pytest.raises(UsageError, match="Plain cannot learn inferred labels"):
        run_stream(STREAM_STRATEGIES["disagreement"](0), Plain(), learn_inferred=True)  # type: ignore[arg-type]
