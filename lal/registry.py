"""Registry: names to members, with nearest-name errors, lazy members and prefixes."""

import difflib
import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from lal.errors import MissingDependencyError, UnknownNameError, UsageError, shown

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def import_attribute(path: str) -> Any:
    """Return what is called so: ``"package.module:attribute"`` or ``"FILE.py:attribute"``.

    Raises:
        UsageError: There is no such module, file or attribute.
    """
    module, _, attribute = path.rpartition(":")
    if not module or not attribute:
        raise UsageError(f"expected module:name or FILE.py:name, got {path!r}")
    try:
        found = _import_file(module) if module.endswith(".py") else importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise UsageError(f"there is no module {module!r} to take {attribute!r} from") from error
    if not hasattr(found, attribute):
        public = [name for name in vars(found) if not name.startswith("_")]
        raise UsageError(f"{module!r} has no {attribute!r}; it has {', '.join(public)}")
    return getattr(found, attribute)


def _import_file(path: str) -> ModuleType:
    """Return the module in a file, executed once."""
    file = Path(path).resolve()
    if not file.is_file():
        raise UsageError(f"there is no file {path!r}")
    name = f"lal_file_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}_{file.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise UsageError(f"{path!r} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # classes of the file can then be pickled
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def require(module: str, extra: str) -> Any:
    """Import an optional package or say how to install it.

    Args:
        module: Import name of the package.
        extra: Name of our extra that brings it.

    Raises:
        MissingDependencyError: The package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise MissingDependencyError(
            f"{module} is not installed; run: pip install 'learned-active-learning[{extra}]'"
        ) from error


def parse_options(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the options of ``"name?key=value&key=value"``.

    A value is read as JSON where it is that (numbers, true, lists), and is a text otherwise.

    Raises:
        UsageError: An option without a value.
    """
    name, _, query = text.partition("?")
    options: dict[str, Any] = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"option {part!r} of {text!r} has no value; expected ?key=value")
        try:
            options[key] = json.loads(value)
        except json.JSONDecodeError:
            options[key] = value
    return name, options


class Registry(Generic[T]):
    """Members of one kind by name.

    A member is a value, or a string ``"module:attribute"`` that is imported at the first look-up.
    A prefix (``"skactiveml"``) hands ``"skactiveml:Name"`` to a function imported the same way.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._members: dict[str, T] = {}
        self._lazy: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that adds a member; a name taken already is refused."""

        def add(member: T) -> T:
            self.add(name, member)
            return member

        return add

    def add(self, name: str, member: T) -> None:
        """Add a member; a name taken already is refused."""
        self._refuse_taken(name)
        self._members[name] = member

    def add_lazy(self, name: str, path: str) -> None:
        """Add a member that is imported from ``"module:attribute"`` when first looked up."""
        self._refuse_taken(name)
        self._lazy[name] = path

    def add_prefix(self, prefix: str, path: str) -> None:
        """Send every ``"prefix:name"`` to the function at ``"module:attribute"``."""
        self._refuse_taken(prefix)
        self._prefixes[prefix] = path

    def __getitem__(self, name: str) -> T:
        """Return the member called `name`.

        Raises:
            UnknownNameError: No such member; the message has the nearest names.
            UsageError: The name is not a text.
        """
        if not isinstance(name, str):
            raise UsageError(f"a {self.kind} is asked for by its name, got {shown(name)}")
        if name in self._members:
            return self._members[name]
        if name in self._lazy:
            member: T = import_attribute(self._lazy[name])
            self._members[name] = member
            return member
        prefix, colon, rest = name.partition(":")
        if colon and prefix in self._prefixes:
            found: T = import_attribute(self._prefixes[prefix])(rest)
            return found
        raise UnknownNameError(self._unknown(name))

    def __contains__(self, name: object) -> bool:
        """Whether `name` is a member (prefixed names are not enumerated)."""
        return name in self._members or name in self._lazy

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names in alphabetical order."""
        return iter(self.names())

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.names())

    def names(self) -> list[str]:
        """Return all names, sorted; prefixes are listed by `prefixes`."""
        return sorted({*self._members, *self._lazy})

    def prefixes(self) -> list[str]:
        """Return the prefixes that reach other libraries."""
        return sorted(self._prefixes)

    def _refuse_taken(self, name: str) -> None:
        if not name:
            raise UsageError(f"a {self.kind} needs a name")
        if name in self._members or name in self._lazy or name in self._prefixes:
            raise UsageError(f"the {self.kind} {name!r} is registered already; choose another name")

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.names(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
        known = ", ".join([*self.names(), *(f"{p}:<Name>" for p in self.prefixes())])
        return f"unknown {self.kind} {name!r}; {hint}known: {known}"
