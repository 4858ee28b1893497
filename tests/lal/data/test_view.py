import numpy as np
import pytest
from scipy import sparse

from lal.data import view
from lal.data.view import CLIP, REFERENCE_SIZE, SVD_COLUMNS, make_geometry, reference_rows
from lal.errors import DataError


def rows(n=300, d=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def mixed(n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = np.empty((n, 3), dtype=object)
    X[:, 0] = rng.normal(size=n)
    X[:, 1] = rng.choice(["red", "green", "blue"], size=n)
    X[:, 2] = rng.integers(5, size=n)
    X[::9, 0] = None
    X[::13, 1] = np.nan
    return X


TABLES = {
    "numbers": rows(2500),
    "few": rows(),
    "gaps": np.where(rows(2500, seed=2) > 1.5, np.nan, rows(2500)),
    "integers": np.random.default_rng(3).integers(0, 4, size=(2500, 6)),
    "objects": mixed(1500),
    "wide": rows(1200, 600),
    "wider": rows(200, 700),
    "sparse": sparse.random(1300, 900, 0.02, format="csr", random_state=0),
}


@pytest.mark.parametrize("name", TABLES)
def test_row_order_leaves_no_trace(name):
    X = TABLES[name]
    order = np.random.default_rng(1).permutation(X.shape[0])
    here, there = make_geometry(X), make_geometry(X[order])
    projected = name in ("wide", "wider", "sparse")
    assert np.allclose(here.Z[order], there.Z, rtol=0, atol=1e-6 if projected else 1e-12)
    assert set(order[there.reference].tolist()) == set(here.reference.tolist())
    assert len(here.reference) == min(X.shape[0], REFERENCE_SIZE)


@pytest.mark.parametrize("name", ["numbers", "few", "gaps", "integers", "wide"])
@pytest.mark.parametrize("unit", [1e-30, 3.7, 1e30])
def test_rescaled_columns_give_the_same_view(name, unit):
    X = TABLES[name]
    scale = unit * np.linspace(0.5, 2, X.shape[1])
    shift = 0.0 if unit < 1 else unit
    here, there = make_geometry(X), make_geometry(X * scale + shift)
    tolerance = 1e-6 if name == "wide" else 1e-9  # neighbouring singular values mix a little
    assert np.allclose(here.Z, there.Z, rtol=0, atol=tolerance)
    assert np.array_equal(here.reference, there.reference)


@pytest.mark.parametrize("name", TABLES)
def test_further_rows_are_encoded_exactly_as_the_pool(name):
    X = TABLES[name]
    geometry = make_geometry(X)
    more = geometry.extended(X[:20])
    n = X.shape[0]
    assert np.allclose(more.Z[n:], geometry.Z[:20], rtol=0, atol=1e-9)
    assert np.array_equal(more.Z[:n], geometry.Z)
    assert np.array_equal(more.reference, geometry.reference)
    assert np.array_equal(more.Z_reference, geometry.Z_reference)


@pytest.mark.parametrize("name", TABLES)
def test_views_are_finite_clipped_and_about_unit_scale(name):
    Z = make_geometry(TABLES[name]).Z
    assert Z.dtype == np.float64
    assert np.isfinite(Z).all()
    assert np.abs(Z).max() <= CLIP
    assert 0.3 < Z.std() <= 1.0 + 1e-9


def test_numbers_by_hand():
    Z = make_geometry(np.array([[1.0, 7.0], [3.0, 7.0], [np.nan, 7.0]])).Z
    expected = [[-np.sqrt(1), 0], [np.sqrt(1), 0], [0, 0]]
    assert np.allclose(Z, expected)


def test_texts_by_hand():
    X = np.array([["a"], ["b"], ["a"], [None]], dtype=object)
    Z = make_geometry(X).Z
    assert Z.shape == (4, 3)  # missing, a, b
    a = np.array([1, 0, 1, 0])
    assert np.allclose(Z[:, 1], (a - a.mean()) / a.std())


def test_texts_not_met_before_are_none_of_the_levels():
    geometry = make_geometry(np.array([["a"], ["b"]] * 5, dtype=object))
    assert np.allclose(geometry.encode(np.array([["c"]], dtype=object)), [[-1.0, -1.0]])


def test_infinite_and_missing_values_take_the_mean():
    X = rows(50)
    X[0, 0], X[1, 1], X[2, 2] = np.inf, -np.inf, np.nan
    Z = make_geometry(X).Z
    assert Z[0, 0] == Z[1, 1] == Z[2, 2] == 0.0


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-300, 1e300, -7.3, np.nan])
def test_constant_columns_are_zero(value):
    Z = make_geometry(np.c_[rows(777, 2), np.full(777, value)]).Z
    assert (Z[:, 2] == 0).all()


def test_extreme_magnitudes_do_not_overflow():
    X = rows(100, 2) * [1e300, 1e-300]
    assert np.allclose(make_geometry(X).Z, make_geometry(rows(100, 2)).Z, atol=1e-9)


def test_frames_give_the_view_of_their_cells():
    pandas = pytest.importorskip("pandas")
    X = mixed()
    frame = pandas.DataFrame(
        {
            7: pandas.array(X[:, 0], dtype="Float64"),
            "colour": pandas.Categorical(X[:, 1]),
            "count": X[:, 2].astype(np.int32),
        }
    )
    geometry = make_geometry(frame)
    assert np.allclose(geometry.Z, make_geometry(X).Z)
    turned_round = frame[["count", 7, "colour"]].iloc[:9]
    assert np.allclose(geometry.encode(turned_round), geometry.Z[:9])
    with pytest.raises(DataError, match="the frame lacks column 'count'"):
        geometry.encode(frame.drop(columns="count"))
    with pytest.raises(DataError, match="expected a data frame like the pool's, got ndarray"):
        geometry.encode(X)


def test_number_like_categories_stay_categories():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"zip": pandas.Categorical(["1", "2", "3", "1"])})
    assert make_geometry(frame).Z.shape == (4, 3)


def test_texts_that_read_as_numbers_are_numbers():
    Z = make_geometry(np.array([["1"], ["2.5"], ["4"]])).Z
    assert np.allclose(Z, make_geometry(np.array([[1.0], [2.5], [4.0]])).Z)


def test_mixed_cells_do_not_break_the_view():
    X = np.array([["a", 1], [2, "3"], [None, 2]], dtype=object)
    assert make_geometry(X).Z.shape == (3, 4)


@pytest.mark.parametrize(
    "make", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array]
)
def test_wide_rows_are_projected(make):
    X = make(np.where(rows(200, 700) > 1, rows(200, 700), 0.0))
    geometry = make_geometry(X)
    assert geometry.Z.shape == (200, SVD_COLUMNS)


def test_wide_rows_with_gaps():
    X = rows(100, 600)
    X[::3, ::7] = np.nan
    assert np.isfinite(make_geometry(X).Z).all()


@pytest.mark.parametrize("shape", [(1, 3), (1, 600), (2, 600), (2, 1), (1, 1)])
def test_tiny_pools(shape):
    for X in (rows(*shape), sparse.csr_matrix(rows(*shape))):
        geometry = make_geometry(X)
        assert len(geometry.Z) == len(geometry.reference) == shape[0]
        assert np.isfinite(geometry.Z).all()


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.zeros((0, 3)), "the pool is empty"),
        (np.zeros((3, 0)), "must have rows and columns"),
        (np.zeros(3), "must have rows and columns"),
    ],
)
def test_unusable_rows(X, match):
    with pytest.raises(DataError, match=match):
        make_geometry(X)


def test_other_columns_later_are_refused():
    geometry = make_geometry(rows())
    with pytest.raises(DataError, match=r"expected rows of 5 columns, got shape \(300, 4\)"):
        geometry.encode(rows(d=4))
    with pytest.raises(DataError, match="column 0 held numbers before and now holds texts"):
        geometry.encode(np.array([["a", 1, 2, 3, 4]], dtype=object))


def test_the_reference_is_a_fair_sample_and_follows_content():
    Z = rows(20_000, 3)
    chosen = reference_rows(Z)
    assert len(chosen) == REFERENCE_SIZE
    assert (np.diff(chosen) > 0).all()
    assert np.abs(Z[chosen].mean(axis=0)).max() < 0.12
    assert reference_rows(Z[:500]).tolist() == list(range(500))
    fewer = reference_rows(Z[:10_000])
    kept = chosen[chosen < 10_000]
    assert set(kept.tolist()) <= set(fewer.tolist())


@pytest.fixture
def projections(monkeypatch):
    """Count the projections that are made, from an empty memory."""
    made = []
    anew = view._project_anew
    monkeypatch.setattr(view, "PROJECTED", view._Projections())

    def counted(X):
        made.append(X.shape)
        return anew(X)

    monkeypatch.setattr(view, "_project_anew", counted)
    return made


def wide(seed=0, kind="array"):
    X = np.random.default_rng(seed).normal(size=(40, 600))
    if kind == "sparse":
        return sparse.csr_matrix(np.where(X > 1.0, X, 0.0))
    return X.astype(np.float32) if kind == "float32" else X


@pytest.mark.parametrize("kind", ["array", "float32", "sparse"])
def test_the_projection_of_equal_samples_is_made_once(kind, projections):
    first = make_geometry(wide(kind=kind))
    again = make_geometry(wide(kind=kind))
    np.testing.assert_array_equal(first.Z, again.Z)
    np.testing.assert_array_equal(first.encode(wide(1, kind)), again.encode(wide(1, kind)))
    assert len(projections) == 1


def test_a_changed_cell_makes_another_projection(projections):
    X = wide()
    first = make_geometry(X).Z.copy()
    X[3, 5] += 1e-3
    assert not np.array_equal(make_geometry(X).Z, first)
    assert len(projections) == 2


def test_what_is_kept_of_projections_is_bounded(projections, monkeypatch):
    for seed in range(6):
        _ = make_geometry(wide(seed)).Z
    assert len(view.PROJECTED.held) == view.MOST_KEPT
    _ = make_geometry(wide(5)).Z
    assert len(projections) == 6
    _ = make_geometry(wide(0)).Z
    assert len(projections) == 7
    monkeypatch.setattr(view, "LARGEST_KEPT", 10)
    _ = make_geometry(wide(9)).Z
    _ = make_geometry(wide(9)).Z
    assert len(projections) == 9


@pytest.mark.parametrize("X", [sparse.csr_matrix((30, 50)), np.zeros((30, 600))])
def test_samples_that_are_all_zero_have_a_view(X):
    geometry = make_geometry(X)
    np.testing.assert_array_equal(geometry.Z, 0.0)
    assert geometry.encode(X).shape == geometry.Z.shape
