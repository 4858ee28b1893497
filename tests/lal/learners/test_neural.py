"""Neural learners: contract, capabilities, seeds, and that nothing else loads torch."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lal.checks import check_learner
from lal.errors import DataError, MissingDependencyError, UsageError
from lal.learners import make_learner
from lal.learners.capabilities import find_capability

torch = pytest.importorskip("torch")

from lal.learners.neural.learner import _weights  # noqa: E402
from lal.learners.neural.network import Shape, make_params, run_body, run_dense  # noqa: E402
from lal.learners.neural.training import Batch, Recipe, Stack, shifted  # noqa: E402


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order]


def fitted(name, X, y, **options) -> Any:
    return make_learner(name, **options).fit(X, y, n_classes=10, seed=3)


@pytest.mark.parametrize("options", [{"n_members": 3}, {"dropout": 0.0}, {"balanced": True}])
def test_options_keep_the_contract(options):
    check_learner(make_learner("mlp", max_epochs=5, **options))


@pytest.mark.parametrize("name", ["mlp", "small_cnn"])
def test_digits_are_learned(digits, name):
    X, y = digits
    model = fitted(name, X[:300], y[:300])
    assert (model.predict(X[1000:]) == y[1000:]).mean() > 0.9


def test_fits_leave_torch_s_generator_alone_and_repeat_bit_by_bit(digits):
    X, y = digits
    before = torch.random.get_rng_state()
    one, two = (fitted("small_cnn", X[:40], y[:40], n_members=2, noise=0.1) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(X[:99]), two.predict_proba(X[:99]))
    draws = [m.sample_proba(X[:9], 5, np.random.default_rng(1)) for m in (one, two)]
    np.testing.assert_array_equal(*draws)
    assert torch.equal(before, torch.random.get_rng_state())
    other = make_learner("small_cnn").fit(X[:40], y[:40], n_classes=10, seed=4)
    assert not np.array_equal(other.predict_proba(X[:9]), one.predict_proba(X[:9]))


def test_a_draw_is_one_network_for_all_rows(digits):
    X, y = digits
    model = fitted("mlp", X[:60], y[:60])
    rows = np.repeat(X[100:103], 4, axis=0)
    drawn = model.sample_proba(rows, 6, np.random.default_rng(0))
    assert drawn.shape == (6, 12, 10)
    np.testing.assert_allclose(drawn[:, ::4], drawn[:, 3::4], atol=1e-6)
    assert drawn[:, 0].std(axis=0).max() > 0.01
    assert model.committee_proba(rows).shape == (20, 12, 10)
    single = fitted("mlp", X[:60], y[:60], dropout=0.0)
    assert single.sample_proba(rows, 6, np.random.default_rng(0)) is None
    assert single.committee_proba(rows) is None


def test_members_are_those_of_the_stack_and_their_mean_is_predicted(digits):
    X, y = digits
    model = fitted("mlp", X[:60], y[:60], n_members=4, dropout=0.0)
    members = model.committee_proba(X[:50])
    assert members.shape == (4, 50, 10)
    np.testing.assert_allclose(members.mean(axis=0), model.predict_proba(X[:50]))
    assert members.std(axis=0).max() > 0.05
    drawn = model.sample_proba(X[:50], 8, np.random.default_rng(0))
    np.testing.assert_allclose(drawn[:4], members, atol=1e-6)
    np.testing.assert_allclose(drawn[4:], members, atol=1e-6)


@pytest.mark.parametrize("image", [None, (2, 5, 4)])
def test_members_of_a_stack_do_not_touch_one_another(image):
    shape = Shape(3, 40, (8,), 4, image)
    params = make_params(shape, torch.Generator().manual_seed(0))
    rows = torch.randn(3, 6, 40, generator=torch.Generator().manual_seed(1)).requires_grad_()
    _, scores = run_dense(params[shape.n_body :], run_body(params, rows, shape))
    scores[1].sum().backward()
    assert rows.grad is not None
    assert rows.grad[1].abs().sum() > 0
    assert rows.grad[[0, 2]].abs().sum() == 0


@pytest.mark.parametrize("name", ["mlp", "small_cnn"])
def test_head_and_embedding_make_up_the_network(digits, name):
    X, y = digits
    model = fitted(name, X[:80], y[:80])
    again = model.head_proba(model.embed(X[:200]))
    np.testing.assert_allclose(again, model.predict_proba(X[:200]), atol=1e-5)


def test_gradients_are_those_of_the_last_layer(digits):
    X, y = digits
    model = fitted("mlp", X[:80], y[:80])
    found = model.gradient_embedding(X[:5]).reshape(5, 10, -1)
    weight, bias = model.params[-1]
    for row in range(5):
        leaf = weight[0].clone().requires_grad_()
        hidden = torch.as_tensor(model.embed(X[row : row + 1]), dtype=torch.float32)
        label = torch.as_tensor(model.predict(X[row : row + 1]))
        torch.nn.functional.cross_entropy(hidden @ leaf + bias[0], label).backward()
        assert leaf.grad is not None
        np.testing.assert_allclose(found[row].T, leaf.grad.numpy(), atol=1e-5)


def test_the_diary_ends_with_the_fitted_model(digits):
    X, y = digits
    model = fitted("mlp", X[:80], y[:80], max_epochs=6)
    true = model.diary.true_proba
    assert true.shape == (6, 80)
    last = model.predict_proba(X[:80])[np.arange(80), y[:80]]
    np.testing.assert_allclose(true[-1], last, atol=1e-5)
    assert true[-1].mean() > true[0].mean()


def test_training_stops_once_the_labelled_rows_are_learned(digits):
    X, y = digits
    early = len(fitted("mlp", X[:80], y[:80], stop_loss=0.5).diary.true_proba)
    late = len(fitted("mlp", X[:80], y[:80], stop_loss=0.0).diary.true_proba)
    assert early < late == 100


def test_classes_without_a_label_have_no_probability(digits):
    X, y = digits
    few = np.flatnonzero(y[:200] < 4)
    proba = fitted("mlp", X[few], y[few]).predict_proba(X[:50])
    assert (proba[:, 4:] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


def test_balanced_weights_by_hand():
    places = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(_weights(places, None, False), 1.0)
    np.testing.assert_allclose(_weights(places, None, True), [2 / 3, 2 / 3, 2 / 3, 2])
    given = np.array([3.0, 1.0, 0.0, 2.0])
    np.testing.assert_allclose(_weights(places, given, True), [1.5, 0.5, 0.0, 2.0])


def test_drawings_are_moved_by_up_to_so_many_pixels():
    drawing = torch.zeros(2, 1, 4, 4)
    drawing[:, 0, 1, 2] = 1.0
    places = set()
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        moved = shifted(drawing.reshape(2, 1, 16), (1, 4, 4), 1, generator).reshape(2, 4, 4)
        assert torch.equal(moved[0], moved[1])
        (down, right), *more = moved[0].nonzero().tolist()
        assert not more
        places.add((down, right))
    assert places == {(down, right) for down in (0, 1, 2) for right in (1, 2, 3)}


def test_the_loss_of_a_mixture_is_the_mixture_of_losses():
    shape, recipe = Shape(1, 3, (5,), 2), Recipe(dropout=0.0, mixup=True)
    rows = torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(1))
    codes, weights = torch.tensor([[0, 1]]), torch.ones(1, 2)
    params = make_params(shape, torch.Generator().manual_seed(0))
    stack = Stack(params, shape, recipe, torch.Generator().manual_seed(2))
    found = float(stack.loss(Batch(rows, codes, weights)))
    share = torch.rand(1, 2, generator=torch.Generator().manual_seed(2))
    expected = 0.0
    for i, j in ((0, 1), (1, 0)):
        s = float(share[0, i])
        mixed = s * rows[:, i] + (1 - s) * rows[:, j]
        logs = torch.log_softmax(run_dense(params, mixed[None])[1], dim=2)[0, 0]
        expected -= (s * float(logs[codes[0, i]]) + (1 - s) * float(logs[codes[0, j]])) / 2
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("options", [{"mixup": True}, {"shift": 1}])
def test_augmented_training_learns_and_repeats(digits, options):
    X, y = digits
    one, two = (fitted("small_cnn", X[:150], y[:150], max_epochs=40, **options) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(X[:50]), two.predict_proba(X[:50]))
    plain = fitted("small_cnn", X[:150], y[:150], max_epochs=40)
    assert not np.array_equal(one.predict_proba(X[:50]), plain.predict_proba(X[:50]))
    assert (one.predict(X[1000:]) == y[1000:]).mean() > 0.7


def test_a_row_of_weight_zero_is_not_learned(digits):
    X, y = digits
    weight = np.r_[np.ones(60), np.zeros(60)]
    model = make_learner("mlp", dropout=0.0, max_epochs=60).fit(
        X[:120], y[:120], n_classes=10, sample_weight=weight, seed=0
    )
    true = find_capability(model, "diary").true_proba[-1]
    assert true[:60].mean() > true[60:].mean() + 0.1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hidden": ()}, "at least one member and one hidden layer, got n_members=1 and hidden="),
        ({"n_members": 0}, "got n_members=0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"epochs": 3}, "learner 'mlp' does not take these options: .*'epochs'"),
    ],
)
def test_wrong_options_are_refused(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        make_learner("mlp", **options)


def test_wrong_rows_are_refused(digits):
    X, y = digits
    with pytest.raises(UsageError, match="small_cnn needs square drawings, and 63 columns are"):
        fitted("small_cnn", X[:20, 1:], y[:20])
    with pytest.raises(UsageError, match=r"an image of \(1, 4, 4\) has not 64 columns"):
        fitted("small_cnn", X[:20], y[:20], image=(1, 4, 4))
    holes = X[:20].copy()
    holes[3, 3] = np.nan
    with pytest.raises(DataError, match="a neural learner needs finite numbers"):
        fitted("mlp", holes, y[:20])


def test_strategies_and_lists_of_learners_load_no_torch():
    code = (
        "import sys, lal\nfrom lal.learners import LEARNERS\nfrom lal.checks import sample_state\n"
        "import numpy as np\nassert 'mlp' in LEARNERS\n"
        "for name in ('badge', 'bald', 'batch_bald', 'core_set', 'dal', 'isal', 'mval'):\n"
        "    lal.make_strategy(name).utilities(sample_state(), np.random.default_rng(0))\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_missing_torch_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"learned-active-learning\[neural\]"):
        make_learner("mlp")
