"""Labelling at the prompt: a row, its classes by number, skip and undo."""

from collections.abc import Callable, Sequence

from lal.errors import LalError
from lal.labelling.project import Suggestion
from lal.labelling.session import LabellingSession, reason
from scripts.terminal import printable

Read = Callable[[str], str]
"""Shows a prompt and returns a line; EOFError when there are no more."""

COMMANDS = {"s": "skip", "n": "not sure", "u": "undo", "p": "progress", "q": "quit"}

ACTIONS = {"not sure": "unsure"}
"""What a session calls a command, where people call it otherwise."""

NOTE = "#"
"""Begins a note, which is kept with the next answer."""

WITH_ROW = {"c": "change", "d": "settle"}
"""Commands that are followed by a row and its class."""


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
    classes, note = session.project.classes, ""
    choices = menu(classes, settle=bool(session.project.disagreements()))
    print("\n".join(["", *card(row)]))
    while True:
        text = read(printable(f"{choices} > ")).strip()  # input() may pass by sys.stdout
        do = understand(text, classes)
        if do == ("quit", ""):
            return "quit"
        if do is None or do == ("progress", ""):
            if do is None and text.startswith(NOTE):
                note = text.removeprefix(NOTE).strip()
            print(*_reply(session, text, note), sep="\n", end="\n" if text else "")
            continue
        name, label = ACTIONS.get(do[0], do[0]), do[1] or None
        try:
            return session.act(name, None if name == "undo" else row.row, label, note=note)
        except LalError as error:
            print(f"error: {error}")


def _reply(session: LabellingSession, text: str, note: str) -> list[str]:
    """Return what is printed where a line answers nothing."""
    first = text.partition(" ")[0]
    word = next((do for key, do in WITH_ROW.items() if first in (key, do)), None)
    if word is not None:
        return [_earlier(session, word, text, note)]
    if text.startswith(NOTE):
        return [f"note: {note}; it is kept with your answer" if note else "no note"]
    if understand(text, session.project.classes) is not None:  # progress
        project = session.project
        open_rows = [str(found) for found in project.disagreements() if not found.settled]
        lines = [str(project.progress()), project.accuracy_line()]
        return [*lines, *session.second_opinions(), *open_rows]
    return [f"{text!r} is neither a class nor a command"] if text else []


def _earlier(session: LabellingSession, do: str, text: str, note: str) -> str:
    """Change or settle an earlier answer, as in ``c ROW CLASS``, and return what was done."""
    classes = session.project.classes
    name, _, said = text.partition(" ")[2].strip().rpartition(" ")
    meant = understand(said, classes)
    if not name or meant is None or meant[0] != "label":
        key = next(key for key, word in WITH_ROW.items() if word == do)
        return f"to {do} an answer, type: {key} ROW CLASS (the row's id or number, as it was shown)"
    try:
        return session.act(do, session.project.store.find(name), meant[1], note=note)
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


def menu(classes: Sequence[str], *, settle: bool = False) -> str:
    """Return the line of choices; settling is one where annotators answered differently."""
    names = [f"{i} {name}" for i, name in enumerate(classes, start=1)]
    if _numeric(classes):
        names = list(classes)
    free = [f"{key} {word}" for key, word in COMMANDS.items() if key not in classes]
    with_more = ["# TEXT note", "c ROW CLASS change", *["d ROW CLASS settle"] * settle]
    free[-1:-1] = with_more  # quitting stays last
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
