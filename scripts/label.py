"""Label your CSV: which row comes next and why, answers that are never lost, accuracy so far.

python -m scripts.label data.csv --target label --classes a b c

Answers go to a journal beside the table (NAME.journal.jsonl); the same command goes on from there.
The table is never changed: the labels are filled into a copy (NAME.labelled.csv).
"""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from shutil import copyfileobj
from typing import Annotated

import tyro

from lal.errors import DataWarning, UsageError
from lal.labelling import LabellingProject
from lal.labelling.agreement import disagreements_csv
from lal.labelling.content import IMAGE, folder_table
from lal.labelling.session import LabellingSession, suggestions_csv
from lal.policies.kinds import list_policies
from lal.registry import import_attribute, require
from scripts.entry import run_main
from scripts.label_prompt import run_prompt


def best_policy() -> str:
    """Return "default" when a policy is shipped under that name, else "margin"."""
    return "default" if "default" in list_policies() else "margin"


@dataclass(frozen=True)
class Config:
    """What is labelled, and how."""

    table: Annotated[Path, tyro.conf.Positional] = Path("data.csv")
    """CSV file with a header; the target column may be partly filled, or absent. Or a folder of
    images, whose list is kept beside it (FOLDER.images.csv)."""

    target: str = "label"
    """Column of labels."""

    classes: tuple[str, ...] = ()
    """All classes; those in the target column when not given."""

    id: str = ""
    """Column of unique ids; without one, rows are known by their number (1 below the header)."""

    ignore: tuple[str, ...] = ()
    """Columns that are shown but not learned from."""

    text: str = ""
    """Column of texts, the only one learned from when given."""

    image: str = ""
    """Column of paths of images, the only one learned from when given."""

    embedding: str = ""
    """Column of lists of numbers ([0.1, 0.2] or 0.1 0.2), the only one learned from when given."""

    embed: str = ""
    """Function that makes numbers of the texts or images, as module:name or FILE.py:name."""

    images: Path | None = None
    """Folder that relative paths of images start from."""

    policy: str = field(default_factory=best_policy)
    """What chooses the next row: a policy, a strategy, or a policy file."""

    learner: str = "logistic_regression"
    """What is fitted to the labels."""

    answers: Path | None = None
    """CSV of answers (id or _row, and the target column) to take in first."""

    suggest: int = 0
    """Only print the next N rows, as a CSV to fill in for --answers."""

    web: bool = False
    """Label on a web page of this machine instead of at the prompt."""

    port: int = 0
    """Port of the page; any free one when 0."""

    stop: str = ""
    """Stopping rule to look at, or NAME:THRESHOLD: stabilising_predictions, overall_uncertainty,
    minimum_expected_error, performance_convergence, committee_agreement or budget."""

    check_every: int = 0
    """Ask for a random row once in so many questions and keep its label apart, for an honest
    accuracy and a forecast; 0 for never."""

    annotator: str = ""
    """Who answers; kept in the journal, so that several people can work on one project."""

    overlap_every: int = 0
    """Ask the annotator once in so many questions for a row that another one has answered, which
    shows how far they agree; 1 for all such rows first, 0 for none."""

    disagreements: bool = False
    """Only print the rows that annotators answered differently, as a CSV, and their agreement."""

    reach: tuple[float, ...] = ()
    """Accuracies whose labels are forecast, such as 0.9; needs --check-every."""

    out: Path | None = None
    """CSV with the labels filled in; NAME.labelled.csv beside the journal when not given. What is
    there already is replaced only if it is an earlier copy."""

    journal: Path | None = None
    """Where answers are kept; NAME.journal.jsonl beside the table when not given."""

    seed: int = 0
    """Seeds the learner and breaks ties."""


def check_flags(config: Config) -> None:
    """Refuse flags that contradict each other.

    Raises:
        UsageError: They do.
    """
    if config.suggest < 0 or not 0 <= config.port <= 65535:
        raise UsageError("suggest must be at least 0 and port 0 to 65535")
    if config.suggest and config.web:
        raise UsageError("--suggest only prints; leave out --web")
    if config.disagreements and (config.suggest or config.web or config.answers):
        raise UsageError("--disagreements only prints; leave out --suggest, --web and --answers")
    if config.reach and not config.check_every:
        raise UsageError("--reach is forecast from rows kept apart; add --check-every 10")


def main(config: Config) -> None:
    """Take answers, print suggestions, or label until the person quits."""
    check_flags(config)
    if config.table.is_dir():
        config = of_folder(config)
    with open_project(config) as project:
        if config.disagreements:
            _print_disagreements(project)
            return
        out = config.out or default_out(project.store.journal.path)
        session = LabellingSession(project, out=out, stop=config.stop, reach=config.reach)
        if config.answers is not None or not config.suggest:
            project.check_output(out)
        if config.answers is not None:
            n = project.take_answers(config.answers)
            session.save()
            print(f"{n} new answers; labels are in {out}", file=sys.stderr)
        if config.suggest:
            _print_csv(suggestions_csv(project, project.suggest(config.suggest)))
        elif config.web:
            _serve(session, config.port)
        elif config.answers is None or sys.stdin.isatty():
            _prompt(session)


def of_folder(config: Config) -> Config:
    """Return the config of a folder of images: the table beside it, images known by their path.

    Raises:
        DataError: It holds no images.
    """
    table = folder_table(config.table)
    return replace(config, table=table, image=IMAGE, id=config.id or IMAGE, images=config.table)


def open_project(config: Config) -> LabellingProject:
    """Return the project that the flags describe; what must be said about its cells is printed."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", DataWarning)
        project = LabellingProject(
            config.table,
            target=config.target,
            classes=config.classes or None,
            id_column=config.id or None,
            policy=config.policy,
            learner=config.learner,
            journal=config.journal,
            ignore=config.ignore,
            text=config.text or None,
            image=config.image or None,
            embedding=config.embedding or None,
            images=config.images,
            embed=import_attribute(config.embed) if config.embed else None,
            check_every=config.check_every,
            annotator=config.annotator,
            overlap_every=config.overlap_every,
            seed=config.seed,
        )
    for note in notes:
        print(f"note: {note.message}", file=sys.stderr)
    return project


def default_out(journal: Path) -> Path:
    """Return where labels go: two projects on one table, with a journal each, have a copy each."""
    name = journal.name.removesuffix(".jsonl").removesuffix(".journal")
    return journal.with_name(f"{name}.labelled.csv")


def _print_csv(text: str) -> None:
    """Print cells as they are into a file or a pipe, where no terminal obeys them."""
    if sys.stdout.isatty():
        print(text, end="")
        return
    sys.stdout.flush()
    copyfileobj(BytesIO(text.encode()), sys.stdout.buffer)  # in pieces: a long write may fall short
    sys.stdout.buffer.flush()


def _print_disagreements(project: LabellingProject) -> None:
    for found in project.agreements():
        print(found, file=sys.stderr)
    _print_csv(disagreements_csv(project.store))


def _prompt(session: LabellingSession) -> None:
    try:
        run_prompt(session)
    finally:
        session.save()
    print("\n".join(session.closing()))


def _serve(session: LabellingSession, port: int) -> None:
    require("starlette", "web")
    require("uvicorn", "web")
    from scripts.label_web.server import LabelServer

    with LabelServer(session, port=port) as server:
        print("\n".join(session.about()))
        print(f"open {server.address}", flush=True)
        print("Ctrl-C ends; answers are kept as they are given", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
        finally:
            session.save()
    print("\n".join(session.closing()))


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_main(main, Config, argv)


if __name__ == "__main__":
    raise SystemExit(run())
