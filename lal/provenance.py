"""Where results come from: versions, git state, config hash and data hashes."""

import hashlib
import platform
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lal.serialization import config_hash, versions


def provenance(config: Any = None, *, data: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what is stored beside results as ``provenance.json``.

    Args:
        config: The command's config; its hash is kept.
        data: Data set names to the hashes of their content.
    """
    return {
        "config_hash": config_hash(config),
        "data": dict(data or {}),
        "git": git_state(Path(__file__).parent),
        "machine": {"python": platform.python_version(), "platform": platform.platform()},
        "versions": versions(),
    }


CODE = ("lal", "envs", "agents")
"""Packages whose source decides what a training comes to."""


def code_state() -> dict[str, str]:
    """Return what cards say of the code: the version of the package, the hash of its source."""
    version = versions().get("learned-active-learning", "unknown")
    return {"version": str(version), "sha256": code_hash()}


@cache
def code_hash() -> str:
    """Return the sha256 of all Python files of `CODE` with their paths, in order of the paths."""
    digest = hashlib.sha256()
    for name in CODE:
        spec = find_spec(name)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            root = Path(place)
            for path in sorted(root.rglob("*.py")):
                digest.update(f"{name}/{path.relative_to(root).as_posix()}\0".encode())
                digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def git_state(folder: Path) -> dict[str, str | bool] | None:
    """Return commit and whether tracked files differ from it; None outside a git checkout."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(
        [git, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
