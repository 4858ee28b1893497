import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import (
    add_outer,
    add_outer_pair,
    combine_listed_rows,
    combine_rows,
    combine_tiles,
    count_correct,
)
from envs.simulator.kernels.simd import (
    absolute,
    exponent,
    exponential,
    greater_mask,
    iota,
    load,
    logistic,
    mantissa,
    maximum,
    padded,
    reduce_max,
    reduce_product,
    reduce_sum,
    same_sign_mask,
    splat,
    store,
)


@kernel
def lanewise(a, b, out):
    x, y = load(a, 0), load(b, 0)
    store(out, 0, x + y * splat(np.float32(2.0)) - x / y)
    store(out, 16, maximum(x, y))
    store(out, 32, absolute(x))
    store(out, 48, same_sign_mask(x, y))
    store(out, 64, logistic(x))
    store(out, 80, exponential(x))
    store(out, 96, greater_mask(x, y))
    store(out, 112, iota(a[0]))
    store(out, 128, mantissa(absolute(x)))
    store(out, 144, exponent(absolute(x)))
    return reduce_sum(x), reduce_max(x), reduce_product(x)


def test_lanes_do_what_numpy_does(rng):
    a, b = rng.normal(size=(2, 16)).astype(np.float32) * 3
    out = np.zeros(160, dtype=np.float32)
    added, top, multiplied = lanewise(a, b, out)
    wanted = [a + 2 * b - a / b, np.maximum(a, b), abs(a), (a > 0) == (b > 0), 1 / (1 + np.exp(-a))]
    share, power = np.frexp(abs(a))  # between a half and one
    wanted += [np.exp(a), a > b, a[0] + np.arange(16), 2 * share, power - 1]
    np.testing.assert_allclose(out.reshape(10, 16), np.array(wanted), rtol=2e-6, atol=1e-6)
    assert added == pytest.approx(a.sum(), rel=1e-5)
    assert top == a.max()
    assert multiplied == pytest.approx(a.prod(), rel=1e-5)


def test_the_logistic_function_is_exact_to_single_precision_everywhere():
    z = np.concatenate([np.linspace(-30, 30, 2000), [-1e9, 1e9, 0.0, -79.9, 79.9]])
    values = np.resize(z.astype(np.float32), padded(len(z)))

    @kernel
    def run(a, out):
        for i in range(0, len(a), 16):
            store(out, i, logistic(load(a, i)))

    out = np.zeros_like(values)
    run(values, out)
    exact = 1 / (1 + np.exp(-np.clip(values.astype(np.float64), -80, 80)))
    np.testing.assert_allclose(out, exact, rtol=0, atol=2e-7)


@pytest.mark.parametrize(("n_rows", "n_vectors"), [(1, 1), (2, 2), (5, 3), (21, 7), (8, 9), (3, 4)])
def test_products_equal_numpy(rng, n_rows, n_vectors):
    width = n_vectors * 16
    M = rng.normal(size=(n_rows, width)).astype(np.float32)
    c = rng.normal(size=n_rows).astype(np.float32)
    out = np.zeros(width + 16, dtype=np.float32)
    combine_rows(M.ravel(), 0, width, n_rows, c, 0, n_vectors, out, 16)
    np.testing.assert_allclose(out[16:], c @ M, rtol=1e-4, atol=1e-5)

    rows = rng.permutation(n_rows)
    combine_listed_rows(M.ravel(), 0, width, rows, n_rows, c, 0, n_vectors, out, 0)
    np.testing.assert_allclose(out[:width], c @ M[rows], rtol=1e-4, atol=1e-5)

    tiles = M.reshape(n_rows, n_vectors, 16).transpose(1, 0, 2).ravel()
    combine_tiles(tiles, 0, n_rows, n_rows * 16, c, 0, n_vectors, out, 0)
    np.testing.assert_allclose(out[:width], c @ M, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_vectors", [1, 2, 3])
def test_outer_products_are_added(rng, n_vectors):
    n, width = 5, 16 * n_vectors
    M = rng.normal(size=(n, width)).astype(np.float32)
    F = rng.normal(size=4 * width).astype(np.float32)
    a, A, b, B = F.reshape(4, width)
    wanted = M + np.outer(a[:n], A) + np.outer(b[:n], B) + 0.5 * np.outer(a[:n], a)
    flat = M.ravel().copy()
    add_outer_pair(flat, 0, width, n, F, 0, width, 2 * width, 3 * width, n_vectors)
    add_outer(flat, 0, width, n, np.float32(0.5), F, 0, n_vectors)
    np.testing.assert_allclose(flat.reshape(n, width), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [1, 15, 16, 63, 64, 100, 500])
def test_correct_predictions_are_counted_to_the_last_sample(rng, n):
    D, width = 6, padded(n)
    X = rng.normal(size=(width, D)).astype(np.float32)
    y = np.where(rng.random(width) < 0.5, 1.0, -1.0).astype(np.float32)
    w = rng.normal(size=D).astype(np.float32)
    tiles = np.concatenate([X, y[:, None]], axis=1).reshape(-1, 16, D + 1).transpose(0, 2, 1)
    ramp = np.repeat(np.array([1, 0], dtype=np.float32), 16)
    hits = count_correct(tiles.ravel(), 0, D, w, 0, np.float32(0.3), n, ramp)
    assert hits == np.sum((X[:n] @ w + np.float32(0.3) > 0) == (y[:n] > 0))


@pytest.mark.slow
def test_kernels_also_run_interpreted():
    code = (
        "import numpy as np\n"
        "from envs.simulator.lal_rl import LalRlSimulator\n"
        "r = np.random.default_rng(0)\n"
        "X = r.normal(size=(150, 3)); y = (X[:, 0] > 0).astype(int)\n"
        "e = LalRlSimulator([(X, y)], 2, pool_size=20, reward_rows=40); e.reset()\n"
        "[e.step(np.full(2, -1)) for _ in range(3)]\n"
        "o = e.observations\n"
        "values = [*e.accuracy, *o.context[0, ::9], *o.candidates[1, 3:6, 1]]\n"
        "print(*(f'{v:.4f}' for v in values))\n"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "NUMBA_DISABLE_JIT": off},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for off in ("0", "1")
    ]
    np.testing.assert_allclose(np.array(printed[0], float), np.array(printed[1], float), atol=2e-3)
