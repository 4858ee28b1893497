"""Policies on the Hugging Face Hub: ``hf://owner/name``; needs the extra ``hub``.

A repository holds the policy's file, which is data and never code, and its card as README.md.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lal.errors import PolicyFileError, UsageError, printable
from lal.registry import require

PREFIX = "hf://"
"""How the address of a repository begins."""

FILE = "policy.safetensors"
"""The policy's file in a repository."""


def download(address: str) -> Path:
    """Return the local copy of a repository's policy, downloaded unless it is there already.

    Args:
        address: ``hf://owner/name``, or ``hf://owner/name@revision`` for a branch, tag or commit.

    Raises:
        UsageError: The address is not of that form.
        PolicyFileError: There is no such repository, it holds no policy, or it cannot be reached.
    """
    repository, revision = _parsed(address)
    hub, errors = require("huggingface_hub", "hub"), require("huggingface_hub.errors", "hub")
    try:
        return Path(hub.hf_hub_download(repository, FILE, revision=revision))
    except errors.EntryNotFoundError as error:
        raise PolicyFileError(f"{address} holds no {FILE}, so no policy") from error
    except (errors.HfHubHTTPError, OSError, ValueError) as error:
        raise PolicyFileError(_refused("load", address, error)) from error


def upload(policy: Any, address: str, *, private: bool = False) -> str:
    """Write a policy and its card to a repository, made where it is missing; return its URL.

    Who you are is what ``hf auth login`` or the environment variable ``HF_TOKEN`` says.

    Args:
        policy: Policy of any kind.
        address: ``hf://owner/name``, or ``hf://owner/name@branch``.
        private: Whether a repository that is made can be seen by its owner alone.

    Raises:
        UsageError: The address is not of that form.
        PolicyFileError: The hub refuses, or cannot be reached.
    """
    repository, revision = _parsed(address)
    hub, errors = require("huggingface_hub", "hub"), require("huggingface_hub.errors", "hub")
    client = hub.HfApi()
    with TemporaryDirectory(prefix="lal-hub-") as folder:
        policy.save(Path(folder) / FILE)
        (Path(folder) / "README.md").write_text(_readme(policy), encoding="utf-8")
        try:
            client.create_repo(repository, private=private, exist_ok=True)
            client.upload_folder(
                repo_id=repository,
                folder_path=folder,
                revision=revision,
                commit_message=f"Policy {printable(policy.name)}",
            )
        except (errors.HfHubHTTPError, OSError, ValueError) as error:
            raise PolicyFileError(_refused("write", address, error)) from error
    return f"{client.endpoint}/{repository}"


def _parsed(address: str) -> tuple[str, str | None]:
    """Return repository and revision of an address."""
    repository, _, revision = address.removeprefix(PREFIX).partition("@")
    owner, _, name = repository.partition("/")
    if not address.startswith(PREFIX) or not owner or not name or "/" in name:
        raise UsageError(
            f"expected an address like hf://owner/name or hf://owner/name@revision, got {address!r}"
        )
    return repository, revision or None


def _refused(verb: str, address: str, error: Exception) -> str:
    said = printable(str(error).strip().splitlines()[0] if str(error).strip() else repr(error))
    return f"cannot {verb} {address}: {said}; check the address, your token and the network"


def _readme(policy: Any) -> str:
    head = "---\nlibrary_name: learned-active-learning\ntags:\n- active-learning\n---\n\n"
    return head + str(policy.card.to_markdown())
