"""List the shipped policies, or show the card of one: what it was trained on, and its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from lal.policies.kinds import list_policies, load_policy
from scripts.entry import run_main


@dataclass(frozen=True)
class Config:
    """Which policy."""

    policy: Annotated[str, tyro.conf.Positional] = ""
    """Name or file of the policy whose card is shown; all shipped ones are listed without it."""

    kind: str = ""
    """Only list policies of this kind: pool, stream, ..."""


def main(config: Config) -> None:
    """Print the list or a card."""
    if config.policy:
        print(load_policy(config.policy).card)
        return
    for name, line in list_policies(config.kind or None).items():
        print(f"{name}: {line}" if line else name)


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_main(main, Config, argv)


if __name__ == "__main__":
    raise SystemExit(run())
