import importlib.util
import os
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.simulator import compile as compiling
from envs.simulator.compile import fingerprint, kernel
from lal.errors import UsageError

linked = pytest.mark.skipif(
    os.environ.get(compiling.LINKING) == "0" or bool(compiling.numba.config.DISABLE_JIT),
    reason="kernels are not linked in this run",
)


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_division_follows_numpy_and_keeps_infinity():
    @kernel
    def divide(a, b):
        return a / b

    assert divide(1.0, 0.0) == np.inf
    assert np.isnan(divide(0.0, 0.0))


def test_options_are_passed_on():
    @kernel(fastmath=False)
    def add(a, b):
        return (a + b) - a

    assert add(1e16, 1.0) == (1e16 + 1.0) - 1e16


@pytest.mark.parametrize(
    ("taken", "called"),
    [
        ("from envs.inner_k import step", "step(x)"),
        ("import sys\ninner = sys.modules['envs.inner_k']", "inner.step(x)"),
    ],
    ids=["function", "module"],
)
def test_an_edited_callee_in_another_file_changes_the_fingerprint(
    tmp_path, monkeypatch, taken, called
):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    inner, outer = tmp_path / "inner_k.py", tmp_path / "outer_k.py"
    head = "from envs.simulator.compile import kernel\n"
    outer.write_text(head + f"{taken}\n@kernel\ndef run(x):\n    return {called}\n")
    results = []
    for body in ("x + 1", "x + 22"):
        inner.write_text(head + f"@kernel\ndef step(x):\n    return {body}\n")
        compiling._file_hash.cache_clear()
        monkeypatch.setitem(sys.modules, "envs.inner_k", load(inner, "envs.inner_k"))
        module = load(outer, "outer_k")
        results.append((module.run(1), fingerprint(module.run.py_func)))
    assert [value for value, _ in results] == [2, 23]
    assert results[0][1] != results[1][1]


def test_a_missing_cache_folder_is_said_once_and_the_kernel_still_works(monkeypatch):
    real = compiling.numba.njit

    def refuse(*, cache, **options):
        if cache:
            raise RuntimeError("cannot cache function 'f': no locator available for file 'x'")
        return real(cache=False, **options)

    monkeypatch.setattr(compiling.numba, "njit", refuse)
    compiling._warn_uncached.cache_clear()
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR to a writable folder"):
        double = kernel(lambda x: 2 * x)
    assert double(4) == 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernel(lambda x: 3 * x)


@linked
def test_a_kernel_that_kernels_call_is_compiled_once_whatever_the_constants():
    from numba.core import event

    compiled = []

    class Count(event.Listener):
        def on_start(self, happening):
            compiled.append(happening.data["dispatcher"].py_func.__name__)

        def on_end(self, happening):
            pass

    @kernel
    def power(x, n):
        product = 1.0
        for _ in range(n):
            product *= x
        return product

    @kernel
    def twice(x):
        return power(x, 2) + power(x, 3)

    @kernel
    def other(x):
        return power(x, 1) + twice(x)

    with event.install_listener("numba:compile", Count()):
        assert other(2.0) == 2.0 + 4.0 + 8.0
        assert sorted(compiled) == ["other", "power", "twice"]
        assert twice(3.0) == 9.0 + 27.0
        assert sorted(compiled) == ["other", "power", "twice", "twice"]
    assert power(3.0, 2) == 9.0


@linked
def test_a_numba_that_linking_was_not_tried_with_compiles_the_ordinary_way(monkeypatch):
    from numba.core.compiler import Compiler

    assert "0.68" in compiling.LINKED_WITH

    def twice(x):
        return 2 * x

    found = {}
    for version in ("0.61.2", "0.68.1"):
        monkeypatch.setattr(compiling.numba, "__version__", version)
        compiling._linking.cache_clear()

        double: Any = kernel(twice)
        found[version] = double._compiler.pipeline_class
        if compiling._linking() is None:
            assert double(4) == 8
    compiling._linking.cache_clear()
    assert found["0.61.2"] is Compiler
    assert found["0.68.1"] is not Compiler


@pytest.fixture
def linking(monkeypatch):
    """Set the environment variable and forget what it was."""

    def choose(value):
        monkeypatch.setenv(compiling.LINKING, value)
        compiling._linking.cache_clear()

    yield choose
    compiling._linking.cache_clear()


def test_linking_can_be_switched_off_and_is_part_of_the_cache_stamp(linking):
    def twice(x):
        return 2 * x

    linking("0")
    assert compiling._linking() is None
    plain: Any = kernel(twice)
    assert plain(4) == 8
    stamp = fingerprint(twice)
    linking("1")
    assert (compiling._linking() is None) == (fingerprint(twice) == stamp)


def test_another_word_for_linking_is_refused(linking):
    linking("off")
    with pytest.raises(UsageError, match="LAL_LINK_KERNELS must be 0 or 1, got 'off'"):
        kernel(lambda x: x)


def test_without_numba_the_error_names_the_extra_and_envs_still_imports():
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import envs\n"
        "try:\n    import envs.simulator.compile\n"
        "except Exception as e:\n    print(type(e).__name__, e)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "MissingDependencyError" in out.stdout
    assert "learned-active-learning[fast]" in out.stdout
