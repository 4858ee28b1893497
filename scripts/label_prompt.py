"""Labelling at the prompt: a row, its classes by number, skip and undo."""

from collections.abc import Callable, Sequence

from lal.errors import LalError
from lal.labelling.project import Suggestion
from lal.labelling.session import LabellingSession, reason
from scripts.terminal import printable

Read = Callable[[str], str]
"""Shows a prompt and returns a line; EOFError when there are no more."""

COMMANDS = {"s": "skip", "u": "undo", "p": "progress", "q": "quit"}

CHANGE = ("c", "change")
"""Words that begin a change, followed by the row and its class."""


def run_prompt(session: LabellingSession, read: Read = input) -> None:
    """Ask for one row after the other until the person quits or none is left."""
    print("\n".join(session.about()))
    print(session.project.progress())
    message = ""
    while True:
        if session.look():
            print("\n".join(session.news))
        row = session.next()
        if message:
            print(message, flush=True)
        if row is None:
            print("no row is left to ask")
            return
        try:
            message = _ask(session, row, read)
        except EOFError:
            print()
            return
        if message == "quit":
            return


def _ask(session: LabellingSession, row: Suggestion, read: Read) -> str:
    """Show a row, read until something was done, and return what."""
    classes = session.project.classes
    print("\n".join(["", *card(row)]))
    while True:
        text = read(printable(f"{menu(classes)} > ")).strip()  # input() may pass by sys.stdout
        do = understand(text, classes)
        if do is None and text.partition(" ")[0] in CHANGE:
            print(_change(session, text, classes))
            continue
        if do == ("quit", ""):
            return "quit"
        if do == ("progress", ""):
            print("\n".join([str(session.project.progress()), session.project.accuracy_line()]))
            continue
        if do is None:
            if text:
                print(f"{text!r} is neither a class nor a command")
            continue
        try:
            return session.act(do[0], None if do[0] == "undo" else row.row, do[1] or None)
        except LalError as error:
            print(f"error: {error}")


def _change(session: LabellingSession, text: str, classes: Sequence[str]) -> str:
    """Change an earlier answer, as in ``c ROW CLASS``, and return what was done."""
    name, _, said = text.partition(" ")[2].strip().rpartition(" ")
    meant = understand(said, classes)
    if not name or meant is None or meant[0] != "label":
        return "to change an answer, type: c ROW CLASS (the row's id or number, as it was shown)"
    try:
        return session.act("change", session.project.store.find(name), meant[1])
    except LalError as error:
        return f"error: {error}"


def card(row: Suggestion) -> list[str]:
    """Return a row as lines."""
    width = max(map(len, row.cells), default=0)
    indent = f"\n{'':{width + 4}}"  # so that no line of a cell looks like one of ours
    cells = [
        f"  {name:<{width}}  {indent.join(cell.splitlines())}" for name, cell in row.cells.items()
    ]
    return [f"row {row.name}", *cells, f"  ({reason(row)})"]


def menu(classes: Sequence[str]) -> str:
    """Return the line of choices."""
    names = [f"{i} {name}" for i, name in enumerate(classes, start=1)]
    if _numeric(classes):
        names = list(classes)
    free = [f"{key} {word}" for key, word in COMMANDS.items() if key not in classes]
    free.insert(-1, "c ROW CLASS change")  # quitting stays last
    return f"[{', '.join(names)} | {', '.join(free)}]"


def understand(text: str, classes: Sequence[str]) -> tuple[str, str] | None:
    """Return what a line means: ``("label", class)``, ``("skip", "")`` ..., None when nothing.

    A class's name wins over a command; numbers count classes unless a class is a number itself.
    """
    if text in classes:
        return "label", text
    if text.isdecimal() and not _numeric(classes) and 1 <= int(text) <= len(classes):
        return "label", classes[int(text) - 1]
    word = COMMANDS.get(text, text)
    return (word, "") if word in COMMANDS.values() else None


def _numeric(classes: Sequence[str]) -> bool:
    return any(name.isdecimal() for name in classes)
