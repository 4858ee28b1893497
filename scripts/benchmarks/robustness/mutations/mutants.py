"""Mutants of a file, by the operators of mutmut, without those that cannot change behaviour.

mutmut's operators say what a fault looks like: a number plus one, ``<`` for ``<=``, an argument
left out, a condition that always holds. Faults that nobody could notice are counted by kind and
never drawn.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import (
    NEVER_MUTATE_FUNCTION_NAMES,
    MutationVisitor,
    OuterFunctionProvider,
)
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

HARMLESS_ARGUMENTS = {
    "strict": "zip's guard: both are of one length by construction",
    "encoding": "encoding: UTF-8 is the default where this ran",
    "stacklevel": "line that a warning names",
}
"""Arguments whose faults cannot be noticed, by keyword, and why."""

WORDING = "wording of an error"
"""Tests match messages; what stands around the matched words is for readers."""

SAYS = ("need", "warn")
"""Functions that are given a message, besides raised exceptions."""

TYPES = "types: the first argument of cast"
SHOWN = "__repr__"

COMPILED = ("compile_kernel", "kernel", "njit", "overload", "abstractmethod")
"""Decorators of functions whose Python code does not run."""


@dataclass(frozen=True)
class Mutant:
    """A single-line fault.

    Attributes:
        path: File, relative to the root.
        function: Qualified name of the function or method, without the module.
        number: Among the mutants of the file.
        first: First line of the statement; tests reach the mutant when they reach one of its lines.
        last: Last line of the statement.
        harmless: Why nobody could notice it; empty for mutants that are drawn.
    """

    path: str
    function: str
    number: int
    first: int
    last: int
    harmless: str = ""

    @property
    def name(self) -> str:
        """File, function and number."""
        return f"{self.path}:{self.function}:{self.number}"


@dataclass(frozen=True)
class _Made:
    mutant: Mutant
    before: cst.CSTNode
    after: cst.CSTNode


def mutants(path: str, text: str) -> list[Mutant]:
    """Return all mutants of a file."""
    return [made.mutant for made in _make(path, text)[1]]


def mutated(path: str, text: str, numbers: Sequence[int]) -> Iterator[str]:
    """Yield the text of the file with each of these mutants in place."""
    module, made = _make(path, text)
    for number in numbers:
        changed = module.deep_replace(made[number].before, made[number].after)
        if not isinstance(changed, cst.Module):
            raise TypeError("a mutant of a module is a module")
        yield changed.code


def _make(path: str, text: str) -> tuple[cst.Module, list[_Made]]:
    wrapper = MetadataWrapper(cst.parse_module(text))
    visitor = _Visitor(path)
    wrapper.visit(visitor)
    return wrapper.module, visitor.made


class _Visitor(MutationVisitor):  # type: ignore[misc]
    """mutmut's visitor, which also enters decorated functions and notes where a mutant is."""

    METADATA_DEPENDENCIES = (PositionProvider, OuterFunctionProvider)

    def __init__(self, path: str) -> None:
        super().__init__(mutation_operators, IgnoredCode(set(), set(), set()))
        self.path = path
        self.made: list[_Made] = []
        self.above: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.above.append(node)
        return bool(super().on_visit(node))

    def on_leave(self, original_node: cst.CSTNode) -> None:
        super().on_leave(original_node)
        self.above.pop()

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef) and node.decorators:
            named = {_name(d.decorator) for d in node.decorators}
            return bool(named & {*COMPILED}) or node.name.value in NEVER_MUTATE_FUNCTION_NAMES
        return bool(super()._skip_node_and_children(node))

    def _create_mutations(self, node: cst.CSTNode) -> None:
        function = self._function()
        if not function:
            return
        first, last = self._lines()
        for kind, operator in self._operators:
            for after in operator(node) if isinstance(node, kind) else ():
                harmless = self._harmless(node, after)
                at = (function, len(self.made), first, last)
                self.made.append(_Made(Mutant(self.path, *at, harmless), node, after))

    def _function(self) -> str:
        """Return the name of the outermost function; empty outside of functions."""
        names: list[str] = []
        for node in self.above:
            if isinstance(node, cst.ClassDef | cst.FunctionDef):
                names.append(node.name.value)
            if isinstance(node, cst.FunctionDef):
                return ".".join(names)
        return ""

    def _lines(self) -> tuple[int, int]:
        """Return the lines of the innermost statement, or of its head where it has a body."""
        node = next(
            node
            for node in reversed(self.above)
            if isinstance(node, cst.SimpleStatementLine)
            or isinstance(getattr(node, "body", None), cst.BaseSuite)
        )
        position = self.get_metadata(PositionProvider, node)
        first, last = position.start.line, position.end.line
        if isinstance(node, cst.SimpleStatementLine | cst.FunctionDef):
            return first, last
        inside = self.get_metadata(PositionProvider, node.body.body[0]).start.line
        return first, max(first, inside - 1)

    def _harmless(self, node: cst.CSTNode, after: cst.CSTNode) -> str:
        if any(isinstance(n, cst.FunctionDef) and n.name.value == "__repr__" for n in self.above):
            return SHOWN
        if isinstance(node, cst.BaseString) and any(map(_says, self.above)):
            return WORDING
        calls = [n for n in self.above if isinstance(n, cst.Call | cst.Arg)]
        for call, arg in itertools.pairwise(calls):
            if isinstance(call, cst.Call) and isinstance(arg, cst.Arg) and (why := _why(call, arg)):
                return why
        if isinstance(node, cst.Call) and isinstance(after, cst.Call):
            return _why(node, _changed(node.args, after.args))
        return ""


def _says(node: cst.CSTNode) -> bool:
    """Whether texts in a node are those of an error or a warning."""
    if isinstance(node, cst.Call):
        return _name(node.func) in SAYS or _name(node.func).endswith("Error")
    return isinstance(node, cst.Raise)


def _changed(before: Sequence[cst.Arg], after: Sequence[cst.Arg]) -> cst.Arg | None:
    """Return the first argument that is not the same."""
    for i, arg in enumerate(before):
        if i >= len(after) or after[i] is not arg:
            return arg
    return None


def _why(call: cst.Call, arg: cst.Arg | None) -> str:
    if arg is None:
        return ""
    if _name(call.func) == "cast" and arg is call.args[0]:
        return TYPES
    return HARMLESS_ARGUMENTS.get(arg.keyword.value, "") if arg.keyword else ""


def _name(node: cst.CSTNode) -> str:
    """Return the last part of a dotted name, also of one that is called."""
    if isinstance(node, cst.Call):
        return _name(node.func)
    if isinstance(node, cst.Attribute):
        return str(node.attr.value)
    return str(node.value) if isinstance(node, cst.Name) else ""
