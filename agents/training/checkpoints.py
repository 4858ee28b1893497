"""Checkpoint files that never run code: npz without pickles, torch with ``weights_only``.

A run folder may come from a stranger, so nothing in it is unpickled.
"""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lal.errors import UsageError


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays to an npz file."""
    with path.open("wb") as handle:
        np.savez(handle, allow_pickle=False, **dict(arrays))


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz file.

    Raises:
        UsageError: The file is missing, torn, or holds pickled objects.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error


def save_torch(path: Path, state: Mapping[str, Any]) -> None:
    """Write nested mappings of tensors, numbers and texts."""
    import torch

    torch.save(dict(state), path)


def load_torch(path: Path) -> dict[str, Any]:
    """Return what `save_torch` wrote; anything but tensors, numbers and texts is refused.

    Raises:
        UsageError: The file is missing, torn, or holds other objects.
    """
    import torch

    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(state, dict):
        raise UsageError(f"{str(path)!r} holds a {type(state).__name__}; expected a mapping")
    return state


def _unreadable(path: Path, error: Exception) -> UsageError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return UsageError(
        f"the checkpoint file {str(path)!r} cannot be read: {reason}; expected plain arrays as a "
        "run of this version writes them; remove the folder 'checkpoints' to start that run again"
    )
