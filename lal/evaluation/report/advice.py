"""Which strategy should I use: advice by situation, as markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lal.evaluation.analysis.bootstrap import bootstrap_interval
from lal.evaluation.analysis.tables import (
    PAIRED_BY,
    Table,
    get_roles,
    list_strategies,
    paired,
    run_rows,
)
from lal.evaluation.report.leaderboard import Evidence, markdown, provenance
from lal.evaluation.runs.methods import FULL_LABEL
from lal.evaluation.runs.run import DONE
from lal.rng import generator
from lal.serialization import write_bytes

SMALL_POOL = 300
"""Pools below count as small."""

SHOWN = 5
"""Strategies listed for each situation."""

ENOUGH = 0.9
"""Share of a situation's runs that a strategy must have finished to be recommended in it."""


def write_which(
    first: Evidence, path: Path, *, command: str, n_samples: int, more: Sequence[Evidence] = ()
) -> None:
    """Write the advice from an evaluation, and others beside it, as markdown."""
    text = which_strategy(first, command=command, n_samples=n_samples, more=more)
    write_bytes(path, text.encode())


@dataclass(frozen=True, eq=False)
class Situation:
    """A kind of task that readers recognise.

    Attributes:
        kind: Heading it stands under.
        name: What it is.
        table: Its runs.
        column: Area that counts in it.
    """

    kind: str
    name: str
    table: Table
    column: str = "area"


@dataclass(frozen=True)
class Choice:
    """A strategy in a situation: mean gain over random with its interval, in points."""

    strategy: str
    gain: float
    low: float
    high: float
    over_margin: float
    n_sets: int

    @property
    def sure(self) -> bool:
        """Whether the interval lies above 0."""
        return self.low > 0


def situations(table: Table) -> Iterator[Situation]:
    """Yield the situations that a table has runs of: all, size, classes, learner, budget."""
    yield Situation("Everything", "all runs", table)
    if "n_pool" in table:
        yield from _by_size(table)
    for name, mask in (("two classes", table["n_classes"] == 2), ("more", table["n_classes"] > 2)):
        yield Situation("By number of classes", name, table[mask])
    for learner in sorted(table["learner"].unique()):
        yield Situation("By learner", learner.replace("_", " "), table[table["learner"] == learner])
    if "area_25" in table and table["area_25"].notna().any():
        yield Situation("By budget", "the first 25 labels", table, "area_25")
    yield Situation("By budget", "the whole budget", table)


def _by_size(table: Table) -> Iterator[Situation]:
    pools = table.groupby("dataset")["n_pool"].max()
    small = table["dataset"].isin(set(pools[pools < SMALL_POOL].index))
    yield Situation("By data size", f"small pools (under {SMALL_POOL} rows)", table[small])
    yield Situation("By data size", f"larger pools ({SMALL_POOL} rows or more)", table[~small])


def choices(
    situation: Situation, seen: Mapping[str, Sequence[str]], *, n_samples: int
) -> list[Choice]:
    """Return the strategies of a situation, largest gain over random first.

    Strategies that finished less than `ENOUGH` of the situation's runs are left out, and so are
    data sets whose family a policy has seen.
    """
    rows = run_rows(situation.table)
    roles = get_roles(rows)
    names = [s for s in list_strategies(rows) if s != "random" and roles[s] != "oracle"]
    found = []
    for name in names:
        fair = rows[~rows["family"].isin(list(seen.get(name, ())))]
        if not _finished_enough(fair, name):
            continue
        sample = paired(fair, name, "random", situation.column)
        rng = generator(0, "advice", situation.name, name)
        gain = bootstrap_interval(sample, rng, n_samples=n_samples)
        margin = 0.0
        if name != "margin" and "margin" in names:
            margin = float(paired(fair, name, "margin", situation.column).set_means().mean())
        found.append(
            Choice(
                strategy=name,
                gain=100 * gain.mean,
                low=100 * gain.low,
                high=100 * gain.high,
                over_margin=100 * margin,
                n_sets=len(sample.set_means()),
            )
        )
    return sorted(found, key=lambda c: -c.gain)


def _finished_enough(rows: Table, strategy: str) -> bool:
    there = rows[rows["strategy"] == "random"]
    mine = rows[(rows["strategy"] == strategy) & (rows["status"] == DONE)]
    random = there[there["status"] == DONE]
    if len(random) == 0:
        return False
    common = random[PAIRED_BY].merge(mine[PAIRED_BY], on=PAIRED_BY)
    return len(common) >= ENOUGH * len(random)


def which_strategy(
    first: Evidence, *, command: str, n_samples: int = 10_000, more: Sequence[Evidence] = ()
) -> str:
    """Return advice by data size, classes, learner, budget and batch.

    Args:
        first: Gives all situations.
        command: What made the page, for its last lines.
        n_samples: Bootstrap samples of each interval.
        more: Other evaluations, each shown as a whole: of larger batches, of other data sets.
    """
    table = first.table[first.table["strategy"] != FULL_LABEL]
    parts = ["# Which strategy should I use?", *first.caution]
    kind = ""
    details: list[str] = []
    for situation in situations(table):
        if len(situation.table) == 0:
            continue
        if situation.kind != kind:
            kind = situation.kind
            details.append(f"## {kind}")
        details.append(_advice(situation, choices(situation, first.seen, n_samples=n_samples)))
    whole = Situation("", "summary", table)
    parts.append(_summary(choices(whole, first.seen, n_samples=n_samples)))
    parts.append(
        "Each table lists the strategies that gained most over random sampling in the runs of "
        "that kind, with the interval over new data sets (families, then sets, are drawn again); "
        "“minus margin” is their mean paired difference to margin sampling. Only strategies that "
        f"finished {100 * ENOUGH:.0f} % of the runs are listed. Where few data sets stand behind "
        "a row, intervals that reach below zero decide nothing, and the best of many is flattered "
        "by luck."
    )
    parts += [*details, "## By batch", *_by_batch(first, more, n_samples)]
    others = [other for other in more if other.batch == first.batch]
    for number, other in enumerate(others, start=1):
        title = "## Another evaluation" + (f" ({number})" if len(others) > 1 else "")
        parts += [title, *other.caution, _whole(other, n_samples), provenance(other)]
    parts += ["## Where this comes from", provenance(first, command)]
    return "\n\n".join(parts) + "\n"


def _by_batch(first: Evidence, more: Sequence[Evidence], n_samples: int) -> Iterator[str]:
    """Yield one table a batch size, and where each comes from."""
    yield _whole(first, n_samples, name=f"batches of {first.batch}", shown=SHOWN)
    others = [other for other in more if other.batch != first.batch]
    for other in others:
        yield from other.caution
        yield _whole(other, n_samples, name=f"batches of {other.batch}")
        yield provenance(other)
    if not others:
        yield (
            "Larger batches were not evaluated here: `--regime batch` does it. Rules that rank "
            "rows one by one then ask for near-duplicates, so check before use."
        )


def _whole(
    found: Evidence, n_samples: int, name: str = "all runs", shown: int | None = None
) -> str:
    """Return the table of a whole evaluation."""
    situation = Situation("", name, found.table[found.table["strategy"] != FULL_LABEL])
    return _advice(situation, choices(situation, found.seen, n_samples=n_samples), shown)


def _summary(found: Sequence[Choice]) -> str:
    if not found:
        return "No strategy finished enough runs to recommend one."
    margin = next((c for c in found if c.strategy == "margin"), None)
    best = found[0]
    if margin is None or best.strategy == "margin":
        return (
            f"**In short: `{best.strategy}`.** It gains {best.gain:+.2f} points "
            f"[{best.low:+.2f}, {best.high:+.2f}] over random on {best.n_sets} data sets."
        )
    return (
        f"**In short:** `margin` gains {margin.gain:+.2f} points [{margin.low:+.2f}, "
        f"{margin.high:+.2f}] over random on {margin.n_sets} data sets; the largest gain in "
        f"these runs is that of `{best.strategy}`, {best.gain:+.2f} [{best.low:+.2f}, "
        f"{best.high:+.2f}], "
        f"which is {best.over_margin:+.2f} against margin."
    )


def _advice(situation: Situation, found: Sequence[Choice], shown: int | None = SHOWN) -> str:
    n_sets = situation.table["dataset"].nunique()
    if not found:
        return f"**{situation.name}**: nothing finished enough runs."
    sure = sum(c.sure for c in found)
    head = ("strategy", "minus random [95 %]", "minus margin", "data sets")
    body = [
        [f"`{c.strategy}`", f"{c.gain:+.2f} [{c.low:+.2f}, {c.high:+.2f}]",
         "-" if c.strategy == "margin" else f"{c.over_margin:+.2f}", str(c.n_sets)]
        for c in found[:shown]
    ]  # fmt: skip
    worse = [f"`{c.strategy}`" for c in found if c.high < 0]
    note = f"\n\nWorse than random: {', '.join(worse)}." if worse else ""
    sets = "1 data set" if n_sets == 1 else f"{n_sets} data sets"
    return (
        f"**{situation.name}** ({sets}; {sure} of {len(found)} strategies have "
        f"intervals above zero)\n\n{markdown(head, body)}{note}"
    )
