"""The one decorator of all compiled kernels: numba with our flags and a safe cache."""

import hashlib
import os
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, overload

from lal.errors import UsageError
from lal.registry import require

numba = require("numba", "fast")

_COMPILED_BY = (__file__, str(Path(__file__).with_name("linking.py")))

F = TypeVar("F", bound=Callable[..., Any])

SAFE_FASTMATH = frozenset({"reassoc", "contract", "nsz", "arcp", "afn"})
"""Lets loops be vectorised and fused, but keeps the meaning of infinities and NaN."""

LINKED_WITH = ("0.68",)
"""Versions of numba whose inside `envs.simulator.linking` was tried with. Under any other, kernels
compile the ordinary way: the same numbers, about twice the first compilation."""

LINKING = "LAL_LINK_KERNELS"
"""Environment variable: 0 compiles all kernels the ordinary way, 1 (the default) links them."""


@overload
def kernel(function: F, /) -> F: ...


@overload
def kernel(
    *,
    fastmath: bool = True,
    parallel: bool = False,
    inline: str = "never",
    forceinline: bool = False,
) -> Callable[[F], F]: ...


def kernel(
    function: F | None = None,
    /,
    *,
    fastmath: bool = True,
    parallel: bool = False,
    inline: str = "never",
    forceinline: bool = False,
) -> Any:
    """Compile a function: no interpreter lock, division as in numpy, cached on disk.

    Use it bare or with options. Without a writable cache folder the function is compiled anew in
    every process, and one warning says so.

    Args:
        function: The function, when used bare.
        fastmath: Allow re-association and fused operations (never assuming away NaN or infinity).
        parallel: Allow ``numba.prange``.
        inline: ``"always"`` inlines into callers before type inference.
        forceinline: Have LLVM inline the function wherever it is called.
    """
    options = {
        "nogil": True,
        "fastmath": set(SAFE_FASTMATH) if fastmath else False,
        "parallel": parallel,
        "inline": inline,
        "forceinline": forceinline,
        "error_model": "numpy",
    }

    linking = _linking() if inline == "never" and not parallel else None
    entry = {**options, **(linking.ENTRY if linking else {})}

    def decorate(python: F) -> F:
        compiled = _compiled(python, entry)
        if linking:
            linking.link(compiled, python, options)
        return compiled  # type: ignore[no-any-return]

    return decorate if function is None else decorate(function)


def _compiled(python: Callable[..., Any], options: dict[str, Any]) -> Any:
    try:
        compiled = numba.njit(cache=True, **options)(python)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        _warn_uncached()
        return numba.njit(cache=False, **options)(python)
    _stamp(compiled, python)
    return compiled


@cache
def _linking() -> Any:
    """Return the module that links kernels; None if switched off, or not tried with this numba."""
    wanted = os.environ.get(LINKING, "1")
    if wanted not in ("0", "1"):
        raise UsageError(f"{LINKING} must be 0 or 1, got {wanted!r}")
    if wanted == "0":
        return None
    if numba.__version__.split(".")[:2] not in [version.split(".") for version in LINKED_WITH]:
        return None
    from envs.simulator import linking

    return linking


@cache
def _warn_uncached() -> None:
    warnings.warn(
        "no folder for compiled kernels is writable, so they are compiled in every process "
        "(some seconds); set NUMBA_CACHE_DIR to a writable folder",
        RuntimeWarning,
        stacklevel=4,
    )


def _stamp(compiled: Any, python: Callable[..., Any]) -> None:
    """Make the cache notice edits of the kernels that this one calls in other files.

    numba's own stamp is the age of the function's own file only, so an edited callee elsewhere
    would be ignored. Numba versions without this attribute keep their own stamp.
    """
    compiled.lal_fingerprint = fingerprint(python)
    cache_file: Any = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if hasattr(cache_file, "_source_stamp"):
        cache_file._source_stamp = compiled.lal_fingerprint


def fingerprint(python: Callable[..., Any]) -> str:
    """Return a hash of the function's file, of what it uses from others, and of its compilers."""
    parts = [_file_hash(path) for path in (python.__code__.co_filename, *_COMPILED_BY)]
    parts.append(f"linked={_linking() is not None}")
    names = set(python.__code__.co_names)
    for name, value in sorted(python.__globals__.items()):
        if hasattr(value, "lal_fingerprint"):
            parts.append(f"{name}:{value.lal_fingerprint}")
        elif name in names and isinstance(value, ModuleType) and value.__name__.startswith("envs."):
            parts.append(_file_hash(str(value.__file__)))
            parts.extend(
                f"{name}.{inner}:{one.lal_fingerprint}"
                for inner, one in sorted(vars(value).items())
                if hasattr(one, "lal_fingerprint")
            )
        elif name in names and isinstance(value, int | float | str | tuple):
            parts.append(f"{name}={value!r}")
        elif name in names and str(getattr(value, "__module__", "")).startswith("envs."):
            module = sys.modules.get(value.__module__)
            parts.append(_file_hash(str(getattr(module, "__file__", __file__))))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _file_hash(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
