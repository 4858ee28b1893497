"""Each kernel compiled once: what kernels call is linked, and only what Python calls becomes code.

numba optimises every function by itself and emits its machine code, and does both again, together
with all that the function calls, in each of its callers. Here a function that other kernels call is
taken as far as plain intermediate code; the kernel that Python calls links all it needs, optimises
it and emits machine code, once. Constants do not make a version of their own, either.

This rests on inner parts of numba, so `envs.simulator.compile` uses it only with versions that it
was tried with. Kernels that are linked must not raise messages made at run time: numba keeps those
in an environment of each compiled function, which linked ones do not have.

When this file goes: once the project supports numba 0.69, or earlier if a patch release of 0.68
breaks it, it is deleted and not ported, unless upstream has taken the idea (a compilation that
links callees in place of compiling them again) or porting changes fewer than 20 lines. Nothing but
the time of the first compilation is lost (about 22 s become 44 s, once per machine): delete this
file, `LINKED_WITH`, `LINKING` and `_linking` in `compile.py`, and `test_linking.py`. That the rest
stands without it is shown by running the simulator's tests with ``LAL_LINK_KERNELS=0``.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, ClassVar

numba: Any = import_module("numba")  # its inside has no types
codegen: Any = import_module("numba.core.codegen")
ir: Any = import_module("numba.core.ir")
compiler: Any = import_module("numba.core.compiler")
types: Any = import_module("numba.core.types")
register_pass: Any = import_module("numba.core.compiler_machinery").register_pass
NativeLowering: Any = import_module("numba.core.typed_passes").NativeLowering


class _Gathering(codegen.JITCodeLibrary):  # type: ignore[misc]
    """Code that links what the functions it calls need, too, each once."""

    def finalize(self) -> None:
        self._linking_libraries = _callers_first(self)[1:]
        super().finalize()

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        passes, builder = self._codegen._function_pass_manager()
        for function in ll_module.functions:
            if not function.is_declaration:
                passes.run(function, builder)


class _Linked(_Gathering):
    """Code that is only linked: never optimised as a whole, never turned into machine code."""

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in self._linking_libraries:
            self._reload_init.update(library._reload_init)
        self._finalize_dynamic_globals()
        self._finalized = True


def _callers_first(library: Any) -> list[Any]:
    """Return code and all that it needs, each after those who call it.

    LLVM drops a function that nobody calls yet when it is linked.
    """
    done: set[Any] = set()
    order = []

    def visit(one: Any) -> None:
        if one in done:
            return
        done.add(one)
        if one is library or isinstance(one, _Linked):
            for needed in one._linking_libraries:
                visit(needed)
        order.append(one)

    visit(library)
    return order[::-1]


def _only_borrows(state: Any) -> bool:
    """Return whether a function neither makes an array nor is given one by what it calls.

    All its arrays then are parts of its arguments, which live as long as the call, and no
    references need to be counted. Counting is a third of the code of such a function.
    """
    if _holds_arrays(state.return_type):
        return False
    for what, signature in state.calltypes.items():
        if signature is None:
            continue
        if isinstance(what, ir.SetItem | ir.StaticSetItem):
            copies = isinstance(signature.args[-1], types.Array)  # makes room when they overlap
        elif _holds_arrays(signature.return_type):
            copies = not _takes_a_part(state, what) or any(
                isinstance(one, types.Array) for one in signature.args[1:]
            )
        else:
            continue
        if copies:
            return False
    return True


def _takes_a_part(state: Any, expression: Any) -> bool:
    """Return whether an expression is a part or another shape of the array it begins with."""
    op = getattr(expression, "op", "")
    if op != "call":
        return op in ("getitem", "static_getitem")
    function = state.typemap[expression.func.name]
    return isinstance(function, types.BoundFunction) and "reshape" in str(function.typing_key)


def _holds_arrays(kind: Any) -> bool:
    if isinstance(kind, types.BaseTuple):
        return any(_holds_arrays(one) for one in kind)
    return isinstance(kind, types.Buffer)


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(NativeLowering):  # type: ignore[misc]
    """Lowering that counts no references where none can be lost."""

    _name = "kernel_lowering"

    def run_pass(self, state: Any) -> bool:
        if _only_borrows(state):
            state.targetctx = state.targetctx.subtarget(enable_nrt=False)
        return bool(super().run_pass(state))


@register_pass(mutates_CFG=True, analysis_only=False)
class _LinkedLowering(_Lowering):
    """Lowering that ends before machine code."""

    _name = "linked_lowering"

    def run_pass(self, state: Any) -> bool:
        state.flags.no_compile = True
        state.flags.forceinline = state.inlined
        super().run_pass(state)
        nothing: dict[Any, Any] = {}
        key = nothing.__getitem__  # stands for the function; nobody calls it
        state.targetctx.insert_user_function(key, state["cr"].fndesc, [state.library])
        state.reload_init.extend(state.library._reload_init)
        state["cr"] = state["cr"]._replace(cfunc=key)
        return True


class Flags(compiler.Flags):  # type: ignore[misc]
    """Options of a compilation that compare fast: numba looks them up at every call it types.

    The name is part of the names of compiled functions.
    """

    __slots__ = ()
    _DEFAULTS: ClassVar[dict[str, Any]] = {
        name: option.default for name, option in compiler.Flags.options.items()
    }
    _HASH = hash(compiler.Flags())

    def __hash__(self) -> int:
        return self._HASH  # numba's own is of the names of the options alone

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Flags) and self._values == other._values:
            return True
        return bool(super().__eq__(other))

    def values(self) -> dict[str, Any]:
        """Return all options by name."""
        return {**self._DEFAULTS, **self._values}


class _Remembering:
    """A typing context that looks up a built-in function of the same operands once.

    Numba tries all the meanings of an operator at each of its uses, which is most of typing.
    Meanings that are compiled functions are not remembered: they depend on the caller's flags.
    """

    _known: ClassVar[dict[Any, Any]] = {}

    def __init__(self, typing_context: Any) -> None:
        self._context = typing_context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, function: Any, arguments: Any, keywords: Any) -> Any:
        """Return the signature of a call."""
        key = function, arguments
        if not keywords and key in self._known:
            return self._known[key]
        found = self._context.resolve_function_type(function, arguments, keywords)
        if found is not None and not keywords and self._is_built_in(function, found):
            self._known[key] = found
        return found

    def _is_built_in(self, function: Any, signature: Any) -> bool:
        if not isinstance(function, types.Type):
            function = self._context.resolve_value_type(function)
        if not isinstance(function, types.Function):
            return False
        return function.get_impl_key(signature) is function.typing_key


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Look for garbage once, at the end: a compilation makes millions of objects it still needs."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _EntryCompiler(compiler.Compiler):  # type: ignore[misc]
    """Compiles what Python calls."""

    library: type = _Gathering
    lowering: type = _Lowering

    def __init__(  # in the order in which numba passes them
        self,
        typing_context: Any,
        target_context: Any,
        library: Any,
        arguments: Any,
        result: Any,
        flags: Any,
        local: Any,
    ) -> None:
        quick = Flags(flags)
        quick.forceinline = False  # numba's own functions would be compiled a second time with it
        remembering = _Remembering(typing_context)
        super().__init__(remembering, target_context, library, arguments, result, quick, local)
        self.state.inlined = flags.forceinline
        self.state.library = self.library(self.state.targetctx.codegen(), "kernel")
        self.state.library.enable_object_caching()

    def _compile_core(self) -> Any:
        with _without_garbage_collection():
            return super()._compile_core()

    def define_pipelines(self) -> list[Any]:
        manager = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes = [
            (self.lowering if one is NativeLowering else one, why) for one, why in manager.passes
        ]
        own = compiler.PassManager("nopython")
        own.passes.extend(passes)
        own.finalize()
        return [own]


class _LinkedCompiler(_EntryCompiler):
    """Compiles what kernels call."""

    library = _Linked
    lowering = _LinkedLowering


ENTRY: dict[str, Any] = {"pipeline_class": _EntryCompiler, "no_cfunc_wrapper": True}
"""Options of `numba.njit` for a kernel that `link` is called on."""


def link(compiled: Any, python: Callable[..., Any], options: dict[str, Any]) -> None:
    """Have kernels that call `compiled` link it.

    Args:
        compiled: Dispatcher made with the options `ENTRY`.
        python: Its function.
        options: Its other options.
    """
    if not hasattr(compiled, "get_call_template"):  # compilation is switched off
        return
    unlinked = numba.njit(
        cache=False,
        pipeline_class=_LinkedCompiler,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        **options,
    )(python)

    def get_call_template(arguments: Any, keywords: Any) -> Any:
        return unlinked.get_call_template(
            tuple(types.unliteral(one) for one in arguments),
            {name: types.unliteral(one) for name, one in keywords.items()},
        )

    compiled.get_call_template, compiled.get_overload = get_call_template, unlinked.get_overload
