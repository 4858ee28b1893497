"""Learned active learning at the command line: `lal NAME`, the same as `python -m scripts.NAME`.

Run ``lal NAME --help`` for the flags of a command.
"""

import sys
from collections.abc import Callable, Sequence

from lal.errors import UnknownNameError
from lal.registry import Registry
from scripts.terminal import printable, show_imports_in_one_line

COMMANDS: Registry[Callable[[Sequence[str]], int]] = Registry("command")
"""Names to functions that take the flags and return the exit code; imported when asked for."""

SUMMARIES = {
    "label": "label a CSV file, the most useful rows first",
    "rank": "rank what has no label yet, in a CSV file or in the tasks of a labelling tool",
    "label-studio": "serve Label Studio as a machine-learning backend",
    "forecast": "forecast how many labels an accuracy will take",
    "policies": "list the shipped policies, or show the card of one",
    "train": "train a policy",
    "evaluate": "compare strategies on data sets",
    "report": "write a page about an evaluation",
}
"""Names to one line of help, in the order in which they are listed."""

for _name in SUMMARIES:
    COMMANDS.add_lazy(_name, f"scripts.{_name.replace('-', '_')}:run")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command named first; print what there is without one.

    Returns:
        The command's exit code; 2 for a name that is not known.
    """
    show_imports_in_one_line()
    name, *flags = [*(sys.argv[1:] if arguments is None else arguments), ""]
    if name in ("", "-h", "--help"):
        print(overview())
        return 0
    try:
        command = COMMANDS[name]
    except UnknownNameError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 2
    sys.argv[0] = f"lal {name}"  # what --help calls the command
    return command(flags[:-1])


def overview() -> str:
    """Return the commands with a line each."""
    width = max(map(len, SUMMARIES))
    lines = [f"  {name:<{width}}  {line}" for name, line in SUMMARIES.items()]
    return "\n".join([(__doc__ or "").strip(), "", "commands:", *lines])
