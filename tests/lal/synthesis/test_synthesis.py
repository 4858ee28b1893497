"""Query synthesis: decoders, questions with known answers, costs, and every strategy."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from lal.errors import FirewallError, UnknownNameError, UsageError
from lal.rng import generator
from lal.synthesis.decoders import BoxDecoder, MixtureDecoder, PcaDecoder
from lal.synthesis.episode import SynthesisEpisode, SynthesisTask, run_synthesis
from lal.synthesis.leaves import leaf_box
from lal.synthesis.questions import INVALID, Line, Point, Row, Rule, ask
from lal.synthesis.search import gradient, log_odds, to_zero, uphill
from lal.synthesis.sentences import SentenceDecoder, draw_sentences, one_hot, parse, sentence
from lal.synthesis.strategies import SYNTHESIS, Bgadl, make_synthesis
from lal.synthesis.tasks import BoardOracle, BoardSampler, board_task, sentence_task, table_task

PLANE = BoxDecoder(np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
SQUARE = np.array([[x, y] for x in (-0.8, -0.2, 0.2, 0.8) for y in (-0.5, 0.5)])


def halves(X):
    """Class 1 right of 0.3; nothing above 0.9."""
    return np.where(X[:, 1] > 0.9, INVALID, (X[:, 0] > 0.3).astype(np.int64))


def rows(n=60, d=6):
    return np.random.default_rng(0).normal(size=(n, 2)) @ np.random.default_rng(1).normal(
        size=(2, d)
    )


def test_decoders_invert_what_they_span():
    X = rows()
    for made in (PcaDecoder(X, 2), MixtureDecoder(X, 2, n_mixture=3)):
        inside = np.abs(made.encode(X)).max(axis=1) < made.reach
        np.testing.assert_allclose(made.decode(made.encode(X))[inside], X[inside], atol=1e-8)
        np.testing.assert_allclose(made.encode(X).std(axis=0), 1.0)
        assert np.abs(made.draw(np.random.default_rng(0), 50)).max() <= made.reach
    Z = PLANE.draw(np.random.default_rng(0), 5)
    np.testing.assert_allclose(PLANE.encode(PLANE.decode(Z)), Z)


def test_points_and_rows():
    answer = ask(Point(np.array([0.5, 0.0])), halves, PLANE, SQUARE)
    assert (answer.X.tolist(), answer.y.tolist(), answer.valid) == ([[0.5, 0.0]], [1], True)
    assert not ask(Point(np.array([0.5, 0.95])), halves, PLANE, SQUARE).valid
    assert ask(Row(3), halves, PLANE, SQUARE).X.tolist() == [[-0.2, 0.5]]
    with pytest.raises(UsageError, match="row 8 is not among the 8 real items"):
        ask(Row(8), halves, PLANE, SQUARE)


@pytest.mark.parametrize("turn", [1.0, -1.0])
def test_lines_are_marked_where_the_class_changes(turn):
    line = Line(np.array([-turn, 0.0]), np.array([turn, 0.0]))
    answer = ask(line, halves, PLANE, SQUARE)
    assert answer.at == pytest.approx((0.3 * turn + 1.0) / 2.0, abs=1e-3)
    np.testing.assert_array_equal(answer.y, halves(answer.X))
    off = ask(line, halves, PLANE, SQUARE, noise=lambda: 0.1)
    assert answer.at is not None
    assert off.at == pytest.approx(answer.at + 0.1)
    flat = ask(Line(np.array([-0.9, 0.0]), np.array([0.2, 0.0])), halves, PLANE, SQUARE)
    assert (flat.at, flat.y.tolist()) == (None, [0, 0])


def test_rules_are_answered_by_the_shares_of_what_they_cover():
    rule = Rule(np.array([-0.5, -np.inf]), np.array([1.0, 0.0]))
    answer = ask(rule, halves, PLANE, SQUARE)
    covered = SQUARE[(SQUARE[:, 0] >= -0.5) & (SQUARE[:, 1] <= 0)]
    assert len(np.unique(answer.X, axis=0)) == len(covered) == 3
    for code in (0, 1):
        weight = answer.weight[answer.y == code]
        np.testing.assert_allclose(weight, (halves(covered) == code).mean())
    assert not ask(Rule(np.full(2, 5.0), np.full(2, 6.0)), halves, PLANE, SQUARE).valid


def test_search_by_differences():
    def plane(Z):
        return Z @ np.array([2.0, -1.0]) + 0.5

    start = np.array([0.7, 0.1])
    np.testing.assert_allclose(gradient(plane, start), [2.0, -1.0])
    assert abs(plane(to_zero(plane, start, 1.0)[None])[0]) < 1e-6
    top = uphill(lambda Z: -((Z - 0.2) ** 2).sum(axis=1), start, 1.0)
    np.testing.assert_allclose(top, 0.2, atol=0.1)
    proba = np.array([[0.2, 0.8]])
    np.testing.assert_allclose(log_odds(proba), np.log(4.0))


def test_leaf_boxes_hold_their_rows_and_no_others():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (60, 3))
    fitted = DecisionTreeClassifier(random_state=0).fit(X, rng.integers(2, size=60))
    held = fitted.apply(X)
    for leaf in np.unique(held):
        low, high = leaf_box(fitted.tree_, int(leaf), -np.ones(3), np.ones(3))
        made = rng.uniform(low, high, (20, 3))
        assert (fitted.apply(made) == leaf).all()
        inside = ((low <= X) & (high >= X)).all(axis=1)
        np.testing.assert_array_equal(inside, held == leaf)


def test_grammar_by_hand():
    good = one_hot(np.array([[0, 0, 0, 1, 0]]))
    assert sentence(good[0]) == "this meal was really good"
    assert parse(good).tolist() == [1]
    assert parse(one_hot(np.array([[2, 0, 0, 1, 0], [1, 2, 2, 3, 4]]))).tolist() == [INVALID, 0]
    drawn = draw_sentences(np.random.default_rng(0), 50)
    assert (parse(drawn) != INVALID).all()


def test_fluent_decoding_makes_sentences_where_the_largest_words_do_not():
    X = draw_sentences(np.random.default_rng(0), 200)
    Z = np.random.default_rng(1).normal(size=(200, 20))
    loose, fluent = (parse(SentenceDecoder(X, fluent=f).decode(Z)) for f in (False, True))
    assert (fluent != INVALID).mean() > 0.95
    assert (loose == INVALID).mean() > 0.1


def test_an_invalid_answer_costs_a_question():
    task = board_task(generator(0, "t"), budget=2)
    episode = SynthesisEpisode(task, 0)
    known = len(episode.y)
    episode.ask(Rule(np.full(2, 5.0), np.full(2, 6.0)))
    assert (episode.spent, episode.n_invalid, len(episode.y)) == (1, 1, known)
    episode.ask(Point(np.zeros(2)))
    with pytest.raises(UsageError, match="the budget of 2 questions is spent"):
        episode.ask(Point(np.zeros(2)))
    with pytest.raises(UsageError, match="an item without a class cannot be learned"):
        episode.learn(np.zeros((1, 2)), np.array([INVALID]), np.ones(1))


TASKS: dict[str, Callable[[], SynthesisTask]] = {
    "rule_induction": partial(table_task, "sklearn:wine", seed=0, n_latent=4, budget=3),
    "sentence_between": lambda: sentence_task(generator(0, "t"), budget=3),
}


@pytest.mark.parametrize("name", SYNTHESIS.names())
def test_every_strategy_repeats_itself_and_changes_with_the_seed(name):
    default = partial(table_task, "sklearn:iris", seed=0, n_latent=3, budget=3)
    task = default() if name not in TASKS else TASKS[name]()
    first, again = (run_synthesis(make_synthesis(name), task, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.metrics["accuracy"], again.metrics["accuracy"])
    assert first.n_labels.tolist() == list(range(first.n_start, first.n_start + 4))


def test_bgadl_charges_one_label_for_a_pair():
    task = table_task("sklearn:iris", seed=0, n_latent=3, budget=3)
    strategy, episode = Bgadl(), SynthesisEpisode(task, 0)
    state, rng = episode.state(), np.random.default_rng(0)
    answer = episode.ask(strategy.propose(state, rng))
    X, y, weight = strategy.augment(state, answer, rng)
    assert (episode.spent, len(X), y.tolist()) == (1, 1, answer.y.tolist())
    assert weight.tolist() == [1.0]
    assert not np.allclose(X, answer.X)


def test_boards_and_refusals():
    oracle = BoardOracle(2, np.zeros(2))
    assert oracle(np.array([[-0.5, -0.5], [0.5, -0.5]])).tolist() == [0, 1]
    with pytest.raises(UsageError, match="expected low below high"):
        BoxDecoder(np.zeros(2), np.zeros(2))
    with pytest.raises(UsageError, match="n_latent must lie from 1 to 6"):
        PcaDecoder(rows(), 7)
    with pytest.raises(UsageError, match="cells must be numbers from 1"):
        BoardSampler(cells=())
    with pytest.raises(UnknownNameError, match=r"unknown synthesis strategy 'gal'.*'gaal'"):
        make_synthesis("gal")
    with pytest.raises(FirewallError, match="is blind"):
        run_synthesis(make_synthesis("random_row"), board_task(generator(0, "t")).blind(), seed=0)
    with pytest.raises(UsageError, match="budget and start must be at least 1"):
        board_task(generator(0, "t"), budget=0)
