"""Arrays in a .npz file, without pickles and without unpacking more than the file may hold."""

import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.lib import format as npy

from lal.errors import DataError
from lal.serialization import check_file

MOST_BYTES = 2**31
"""Bytes that the arrays of one file may unpack to, together."""

UNREADABLE = (
    ValueError, OSError, EOFError, BadZipFile, zlib.error, TypeError, AttributeError, KeyError,
    NotImplementedError, RuntimeError, SyntaxError, MemoryError, OverflowError,
)  # fmt: skip
"""What zipfile and numpy raise on damaged files."""


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return those of the named arrays that a .npz file holds; X and y must be there.

    Raises:
        DataError: The file is damaged, holds pickles, lacks X or y, or unpacks to too much.
    """
    check_file(path)
    try:
        with ZipFile(path) as archive:
            held = [name.removesuffix(".npy") for name in archive.namelist()]
            if not {"X", "y"} <= set(held):
                raise DataError(f"{path.name!r} must hold arrays 'X' and 'y'; it holds {held}")
            wanted = [name for name in names if name in held]
            _check_sizes(archive, [f"{name}.npy" for name in wanted], path.name)
            return {name: _array(archive, f"{name}.npy") for name in wanted}
    except DataError:
        raise
    except UNREADABLE as error:
        raise DataError(f"cannot read {path.name!r} as .npz without pickles: {error}") from error


def _check_sizes(archive: ZipFile, members: Sequence[str], name: str) -> None:
    size = sum(archive.getinfo(member).file_size for member in members)
    if size > MOST_BYTES:
        raise DataError(
            f"the arrays of {name!r} unpack to {size} bytes; at most {MOST_BYTES} are read"
        )


def _array(archive: ZipFile, member: str) -> Any:
    """Return an array whose header promises no more than the member holds."""
    with archive.open(member) as file:
        shape, _, dtype = _header(file)
        if dtype.hasobject:
            raise ValueError("it holds objects")
        if math.prod(shape) * dtype.itemsize > archive.getinfo(member).file_size:
            raise ValueError(f"{member!r} is shorter than its header says")
    with archive.open(member) as file:
        return npy.read_array(file, allow_pickle=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(file)
