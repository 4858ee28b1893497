"""Write one HTML page (and PNG figures) from a run store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lal.errors import UsageError
from lal.evaluation.figures import write_figures
from lal.evaluation.report import Page, headline, make_page, write_report
from lal.evaluation.store import RunStore
from lal.evaluation.tables import strategies_of
from scripts.entry import run_main


@dataclass(frozen=True)
class Config:
    """What is reported, and where to."""

    store: Annotated[Path, tyro.conf.Positional] = Path("runs/eval")
    """Run store of scripts.evaluate."""

    out: Path = Path("report.html")
    """The page; figures go into a folder beside it."""

    policy: str = ""
    """Strategy the page is about; the best policy when not given."""

    untrained: tuple[str, ...] = ()
    """Labels of its untrained copies; those starting with untrained when not given."""

    shuffled: tuple[str, ...] = ()
    """Labels of its shuffled copies; those starting with shuffled when not given."""

    samples: int = 10_000
    """Bootstrap samples of each interval."""

    figures: bool = True
    """Write PNG figures, too (needs matplotlib)."""


def main(config: Config) -> Page:
    """Write the page and say its first sentence; returns what it was made from."""
    store = RunStore.existing(config.store)
    table = store.to_table()
    known = strategies_of(table)
    asked = {*config.untrained, *config.shuffled, *filter(None, [config.policy])}
    if unknown := sorted(asked - set(known)):
        raise UsageError(
            f"{', '.join(unknown)} not in the store; its strategies: {', '.join(known)}"
        )
    controls = None
    if config.untrained and config.shuffled:
        controls = {
            "random": ["random"],
            "untrained": list(config.untrained),
            "shuffled": list(config.shuffled),
        }
    page = make_page(
        store, policy=config.policy or None, controls=controls, n_samples=config.samples
    )
    write_report(page, config.out, n_samples=config.samples)
    written = [config.out]
    if config.figures:
        written += write_figures(page, config.out.with_name(f"{config.out.stem}_figures"))
    print(headline(page, n_samples=config.samples))
    print("\n".join(str(path) for path in written))
    return page


if __name__ == "__main__":
    raise SystemExit(run_main(main, Config))
