"""How a command starts: flags, saved configs, and errors as one line with exit code 2."""

import contextlib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from lal.errors import LalError, UsageError
from lal.serialization import from_mapping, read_json, to_mapping
from scripts.terminal import one_line, printable, printable_output

C = TypeVar("C")

Start = Callable[[Sequence[str], Mapping[str, Any]], C]
"""Flags and a saved config (empty without ``--config``) to the config that flags then change."""


def run_main(
    main: Callable[[C], object],
    config_type: type[C],
    argv: Sequence[str] | None = None,
    *,
    start: Start[C] | None = None,
) -> int:
    """Parse the flags, run `main`, and return the exit code.

    ``--config FILE`` starts from a saved config (a ``config.json`` of a results folder); further
    flags change it. Use as ``raise SystemExit(run_main(main, Config))``.

    Args:
        main: Does the work; what it returns is ignored.
        config_type: A frozen dataclass with a help string under each field.
        argv: Flags; those of the process when None.
        start: Makes the config that the flags then change, where defaults depend on flags.

    Returns:
        0; 2 after a `LalError`, a missing package or a file that cannot be used, which are printed
        on stderr as one line; 130 after Ctrl-C, 141 when nobody reads the output any more, 143
        after SIGTERM.
    """
    flags = list(sys.argv[1:] if argv is None else argv)
    try:
        with termination_raises():
            config = parse(config_type, flags, start=start)
            with printable_output():
                main(config)
                sys.stdout.flush()
    except KeyboardInterrupt:
        return _end(130, "interrupted; the same command goes on from here")
    except Terminated:
        return _end(143, "terminated; the same command goes on from here")
    except BrokenPipeError:
        _drop_output()
        return _end(141, "nobody reads the output any more")
    except (LalError, ImportError, OSError) as error:
        sentence = one_line(error)
        if sentence is None:
            raise
        return _end(2, f"error: {sentence}")
    return 0


class Terminated(BaseException):
    """SIGTERM came; not an `Exception`, so that nobody's handler swallows it."""


@contextmanager
def termination_raises() -> Iterator[None]:
    """Have SIGTERM unwind the stack as Ctrl-C does, so that workers and files are put away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(code: int, sentence: str) -> int:
    print(printable(sentence), file=sys.stderr)
    return code


def _drop_output() -> None:
    """Let the interpreter flush what is left at its end without another error."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def get_flags(config: Any, default: Any) -> str:
    """Return the flags that turn one config into another, as they are typed."""
    parts: list[str] = []
    old = to_mapping(default)
    for name, value in to_mapping(config).items():
        flag = f"--{name.replace('_', '-')}"
        if value == old[name]:
            continue
        if isinstance(value, bool):
            parts.append(flag if value else f"--no-{flag[2:]}")
        elif isinstance(value, list):
            parts += [flag, *(shlex.quote(v) for v in value)]
        else:
            parts += [flag, shlex.quote(str(value))]
    return " ".join(parts)


def parse(config_type: type[C], argv: Sequence[str], *, start: Start[C] | None = None) -> C:
    """Return the config that the flags describe; see `run_main`."""
    import tyro

    flags, saved = _take_config(argv)
    default = from_mapping(config_type, saved) if start is None else start(flags, saved)
    description = f"{(sys.modules[config_type.__module__].__doc__ or '').strip()}\n\n{_CONFIG_HELP}"
    config: C = tyro.cli(config_type, args=flags, default=default, description=description)
    return config


_CONFIG_HELP = "--config FILE reruns a saved config.json; flags after it change single fields."


def _take_config(argv: Sequence[str]) -> tuple[list[str], Mapping[str, Any]]:
    """Return the flags without ``--config FILE``, and what that file holds."""
    flags = [part for flag in argv for part in _split_equals(flag)]
    if "--config" not in flags:
        return list(argv), {}
    at = flags.index("--config")
    if at + 1 >= len(flags):
        raise UsageError("--config needs a file; expected --config FILE")
    saved = read_json(Path(flags[at + 1]))
    if not isinstance(saved, dict):
        raise UsageError(f"{flags[at + 1]!r} holds no config; expected a JSON object")
    return flags[:at] + flags[at + 2 :], saved


def _split_equals(flag: str) -> list[str]:
    return flag.split("=", 1) if flag.startswith("--config=") else [flag]
