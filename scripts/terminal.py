"""What commands print: no control sequence of somebody's data reaches the terminal."""

import errno
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import TracebackType
from typing import Any, TextIO, cast

from lal.errors import LalError

CONTROLS = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
    r"|(?!\A)\r(?!\n)"
)
"""Characters that move the cursor, colour or rename the terminal, or turn the writing around.

Line feeds and tabs are kept, and the carriage return that a progress bar begins with.
"""


def printable(text: str) -> str:
    """Return a text with its control characters written out as escapes."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


EXTRAS = {
    "tyro": "cli",
    "rich": "cli",
    "torch": "train",
    "gymnasium": "train",
    "stable_baselines3": "train",
    "sb3_contrib": "train",
    "tensorboard": "train",
    "tqdm": "train",
    "cma": "train",
    "numba": "fast",
    "pandas": "tables",
    "pyarrow": "tables",
    "matplotlib": "report",
    "jinja2": "report",
    "starlette": "web",
    "uvicorn": "web",
    "PIL": "images",
    "distributed": "dask",
    "ray": "ray",
    "optuna": "tune",
    "wandb": "wandb",
    "yaml": "train",
}
"""Optional packages and the extra of ours that brings each."""


def one_line(error: BaseException) -> str | None:
    """Return an error that a person can do something about as one line, None for others."""
    if isinstance(error, LalError):
        return " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError):
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        install = f"pip install 'learned-active-learning[{extra}]'"
        return f"{error.name} is not installed; run: {install}" if extra else None
    if isinstance(error, OSError) and (error.filename or error.errno == errno.ENOSPC):
        where = f" {str(error.filename)!r}" if error.filename else ""
        return f"cannot use{where or ' the disk'}: {error.strerror}"
    return None


def show_imports_in_one_line() -> None:
    """Have an import that fails before a command has begun end in one line, not a traceback."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sentence = one_line(error) if isinstance(error, ImportError) else None
        if sentence is None:
            sys.__excepthook__(kind, error, trace)
        else:
            print(f"error: {printable(sentence)}", file=sys.stderr)

    sys.excepthook = hook


class PrintableStream:
    """A text stream that writes what `printable` returns; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text with its control characters written out."""
        self._stream.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def printable_output() -> Iterator[None]:
    """Send what is printed in this process through `printable`."""
    out, err = (cast("TextIO", PrintableStream(stream)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        yield
