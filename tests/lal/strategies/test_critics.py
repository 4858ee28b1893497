"""Critics of labelled against unlabelled rows: known answers, identities, signs of gradients."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lal.checks import sample_state  # noqa: E402
from lal.data.view import make_geometry  # noqa: E402
from lal.state import QueryState  # noqa: E402
from lal.strategies.base import make_strategy, select  # noqa: E402
from lal.strategies.dal import unlabelled_logits  # noqa: E402
from lal.strategies.neural.critic import critic_logits, make_problem  # noqa: E402
from lal.strategies.neural.gcn import adjacency, train_gcn  # noqa: E402
from lal.strategies.neural.minimax import entropy_loss  # noqa: E402
from lal.strategies.neural.sraal import uncertainty_indicator  # noqa: E402
from lal.strategies.neural.ta_vaal import loss_rank  # noqa: E402
from lal.strategies.spaces import Farthest  # noqa: E402


def streams() -> tuple[np.random.Generator, np.random.Generator]:
    return np.random.default_rng(0), np.random.default_rng(1)


def half_seen(seed=0):
    """Six blobs, two of which have labels only."""
    rng = np.random.default_rng(seed)
    blob = np.repeat(np.arange(6), 20)
    X = 8.0 * rng.normal(size=(6, 8))[blob] + rng.normal(size=(120, 8))
    labelled = np.flatnonzero((blob < 2) & (np.arange(120) % 2 == 0))
    state = QueryState(
        X=X, geometry=make_geometry(X), labelled=labelled, labels=blob[labelled],
        n_classes=2, classes_known=False, proba=np.full((120, 2), 0.5),
    )  # fmt: skip
    return state, blob


@pytest.mark.parametrize("name", ["dal", "vaal", "sraal", "minimax", "uncertain_gcn", "core_gcn"])
def test_blobs_without_a_label_are_asked_first(name):
    state, blob = half_seen()
    rows = select(make_strategy(name), state, *streams(), 10)
    assert (blob[rows] >= 2).mean() >= 0.9  # of all open rows, 0.8


@pytest.mark.parametrize(
    ("proba", "expected"),
    [([1.0, 0.0, 0.0], 0.0), ([0.5, 0.5, 0.0], 0.875), ([1 / 3, 1 / 3, 1 / 3], 2 / 3)],
)
def test_the_uncertainty_indicator_by_hand(proba, expected):
    assert uncertainty_indicator(np.array([proba]))[0] == pytest.approx(expected)


def test_a_constant_rank_leaves_vaal():
    state = sample_state()
    plain = make_problem(state, "view", "test")
    constant = make_problem(state, "view", "test", np.full(state.N, 0.7))
    other = make_problem(state, "view", "test", np.linspace(0.0, 1.0, state.N))
    np.testing.assert_array_equal(critic_logits(plain, 3), critic_logits(constant, 3))
    assert not np.array_equal(critic_logits(plain, 3), critic_logits(other, 3))


def test_ranks_of_losses_are_logistic():
    found = loss_rank(np.array([1.0, 3.0]))
    np.testing.assert_allclose(found, 1.0 / (1.0 + np.exp([1.0, -1.0])))
    np.testing.assert_array_equal(loss_rank(np.full(3, 2.0)), 0.5)


def test_entropy_pulls_encoder_and_classifier_two_ways():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(7, 5, generator=generator, dtype=torch.float64).requires_grad_()
    prototypes = torch.randn(5, 3, generator=generator, dtype=torch.float64).requires_grad_()
    entropy_loss(features, prototypes).backward()
    for leaf, sign in ((features, 1.0), (prototypes, -1.0)):
        assert leaf.grad is not None
        step = torch.zeros_like(leaf)
        step[0, 0] = 1e-6
        with torch.no_grad():
            both = [(features, prototypes) for _ in range(2)]
            moved = [
                entropy_loss(*(t + s if t is leaf else t for t in pair))
                for pair, s in zip(both, (step, -step), strict=True)
            ]
        slope = float(moved[0] - moved[1]) / 2e-6
        assert float(leaf.grad[0, 0]) == pytest.approx(sign * slope, abs=1e-6)
        assert abs(slope) > 1e-4


def test_the_graph_by_hand():
    points = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 4.0]])
    # cosines: 1 between the first two, 0.6 to the third
    expected = [[1, 1 / 1.6, 0.6 / 1.6], [1 / 1.6, 1, 0.6 / 1.6], [0.5, 0.5, 1]]
    np.testing.assert_allclose(adjacency(points), expected)


def test_core_gcn_is_core_set_among_hidden_features():
    state, _ = half_seen()
    rng = np.random.default_rng(5)
    seed = int(np.random.default_rng(5).integers(2**31))
    labelled = np.isin(np.arange(state.N), state.labelled).astype(float)
    _, hidden = train_gcn(state.Z, labelled, seed)
    expected = Farthest(hidden, state.labelled).utilities()
    found = make_strategy("core_gcn").utilities(state, rng)
    np.testing.assert_allclose(found, expected)


def test_the_graph_network_tells_labelled_rows_apart():
    state, blob = half_seen()
    labelled = np.isin(np.arange(state.N), state.labelled)
    proba, _ = train_gcn(state.Z, labelled.astype(float), 0)
    assert proba[(blob < 2) & ~labelled].min() > proba[blob >= 2].max()


def test_discriminative_batches_spread_over_parts():
    state, blob = half_seen()
    rows = select(make_strategy("dal", n_parts=12), state, *streams(), 12)
    at_once = select(make_strategy("dal", n_parts=1), state, *streams(), 12)
    assert len(set(blob[rows])) >= 3
    expected = np.argsort(-unlabelled_logits(state.Z, state.labelled)[state.open])[:12]
    assert set(at_once) == set(state.open[expected])


def test_without_torch_a_critic_is_refused_and_the_others_run():
    code = (
        "import sys\nsys.modules['torch'] = None\nimport lal\nfrom lal.errors import LalError\n"
        "for name in ('dal', 'mval', 'lada', 'consistency'):\n    lal.make_strategy(name)\n"
        "try:\n    lal.make_strategy('vaal')\nexcept LalError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'learned-active-learning[neural]'" in done.stdout, done.stderr
