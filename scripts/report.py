"""Write one HTML page from a run store; figures, tables and overviews where asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lal.errors import DataError, UsageError
from lal.evaluation.analysis.tables import list_strategies, read_table
from lal.evaluation.report.advice import write_which
from lal.evaluation.report.charts import all_charts, curve_charts
from lal.evaluation.report.export import write_tables
from lal.evaluation.report.figures import write_figures
from lal.evaluation.report.leaderboard import complete_repetitions, write_leaderboard
from lal.evaluation.report.publish import publish
from lal.evaluation.report.report import Page, headline, make_page, write_report
from lal.evaluation.reproduction.lu2023_page import load_reproduction
from lal.evaluation.runs.replay import rerun
from lal.evaluation.runs.store import RunStore
from scripts.entry import run_main
from scripts.evaluate import make_engine


@dataclass(frozen=True)
class Config:
    """What is reported, and where to."""

    store: Annotated[Path, tyro.conf.Positional] = Path("runs/eval")
    """Run store of scripts.evaluate."""

    out: Path = Path("report.html")
    """The page."""

    policy: str = ""
    """Strategy the page is about; the best policy when not given."""

    untrained: tuple[str, ...] = ()
    """Labels of its untrained copies; found by their role when not given."""

    shuffled: tuple[str, ...] = ()
    """Labels of its copies trained on shuffled targets; found by their role when not given."""

    samples: int = 10_000
    """Bootstrap samples of each interval."""

    reproduction: Annotated[str, tyro.conf.arg(aliases=("--bridge",))] = ""
    """Lines of scripts.benchmark bridge --out, shown beside the published numbers."""

    figures: str = ""
    """Folder for every chart as SVG, PNG and PDF."""

    tables: str = ""
    """Folder for every table as CSV and LaTeX."""

    publish: str = ""
    """Folder for runs, curves and picks as Parquet with a Croissant description; no page is
    written then."""

    leaderboard: str = ""
    """Markdown file for the leaderboard; no page is written then."""

    which: str = ""
    """Markdown file for “which strategy should I use”; no page is written then."""

    more: tuple[str, ...] = ()
    """Other run stores shown on that page: of larger batches, of other data sets."""

    rerun: str = ""
    """Key of a run, or how it begins: execute it again and compare; nothing is written."""


def main(config: Config) -> Page | None:
    """Write what was asked for; returns what the page was made from, None without one."""
    if config.leaderboard or config.which:
        overviews(config)
        return None
    store = RunStore.existing(config.store)
    if config.publish:
        print("\n".join(str(path) for path in publish(store, Path(config.publish))))
        return None
    if config.rerun:
        execute_again(store, config.rerun)
        return None
    page = make_page(
        store,
        policy=config.policy or None,
        controls=get_controls(store, config),
        n_samples=config.samples,
    )
    rows = load_reproduction(Path(config.reproduction)) if config.reproduction else []
    write_report(page, store, config.out, reproduction=rows)
    written = [config.out]
    if config.figures:
        written += write_figures(
            [*all_charts(page), *curve_charts(page).values()], Path(config.figures)
        )
    if config.tables:
        written += write_tables(page, Path(config.tables))
    print(headline(page))
    print("\n".join(str(path) for path in written))
    return page


def get_controls(store: RunStore, config: Config) -> dict[str, list[str]] | None:
    """Return the controls that the flags name, None to find them by their roles.

    Raises:
        UsageError: A strategy is named that the store does not have.
    """
    asked = {*config.untrained, *config.shuffled, *filter(None, [config.policy])}
    if asked:
        known = list_strategies(read_table(store))
        if unknown := sorted(asked - set(known)):
            raise UsageError(
                f"{', '.join(unknown)} not in the store; its strategies: {', '.join(known)}"
            )
    if not (config.untrained and config.shuffled):
        return None
    return {
        "random": ["random"],
        "untrained": list(config.untrained),
        "shuffled": list(config.shuffled),
    }


def execute_again(store: RunStore, key: str) -> None:
    """Execute one run again and say whether it gives what is stored.

    Raises:
        DataError: It does not.
    """
    used = store.manifest()["config"].get("engine", "reference")
    found = rerun(store, key, make_engine(used))
    if not found.same:
        raise DataError(
            f"run {found.key} gave something else than the store holds (largest difference of a "
            f"metric {found.largest:g}); the machine or a library differs"
        )
    print(f"run {found.key}: the same rows queried, the same metrics to the last digit")


def overviews(config: Config) -> None:
    """Write the leaderboard and the advice."""
    command, samples = f"python -m scripts.report {config.store}", config.samples
    if config.leaderboard:
        store = RunStore.existing(config.store)
        asked = f"{command} --leaderboard {config.leaderboard}"
        write_leaderboard(store, Path(config.leaderboard), command=asked, n_samples=samples)
        print(config.leaderboard)
    if config.which:
        more = [complete_repetitions(RunStore.existing(Path(folder))) for folder in config.more]
        beside = f" --more {' '.join(config.more)}" if more else ""
        asked = f"{command} --which {config.which}{beside}"
        first = complete_repetitions(RunStore.existing(config.store))
        write_which(first, Path(config.which), command=asked, n_samples=samples, more=more)
        print(config.which)


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_main(main, Config, argv)


if __name__ == "__main__":
    raise SystemExit(run())
