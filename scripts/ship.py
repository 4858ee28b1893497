r"""Put a trained policy among the shipped ones, with its evidence on its card.

Weights and program are copied as they are; only the name and the card change. The evidence of a
policy for pools is read from a store of ``scripts.evaluate``, that of other kinds from the JSON
file of a benchmark; it is never typed::

    python -m scripts.ship --policy runs/full/policy.safetensors --name lookahead-2026-11-22 \
        --store runs/evidence --strategy mine --alias default
    python -m scripts.ship --policy runs/few-graph-0/policy.safetensors --name few-shot-graph-1 \
        --evidence docs/results/few-shot-graph-2026-11-29.json --strategy few-graph-0
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lal.errors import UsageError
from lal.evaluation.analysis.control_tests import (
    REQUIRED,
    compare,
    find_controls,
    passes_controls,
)
from lal.evaluation.runs.methods import families_seen
from lal.policies.kinds import SHIPPED, load_policy
from lal.policies.pool_policy import PoolPolicy
from lal.policies.regression_policy import RegressionPolicy
from lal.serialization import read_json, write_json
from lal.task_kind import REGRESSION
from scripts.benchmarks.base import CARD
from scripts.entry import run_main


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is shipped, under which name, with which evidence."""

    policy: Path = Path("runs/full/policy.safetensors")
    """File that ``scripts.train`` made."""

    name: str = ""
    """Name it is shipped under; dated, because a name never changes its meaning."""

    summary: str = ""
    """One line for its card and for lal.list_policies; the card's own when empty."""

    store: Path | None = None
    """Run store of ``scripts.evaluate`` that holds its evidence."""

    evidence: Path | None = None
    """JSON file of a benchmark with a table "card", for kinds that are not for pools."""

    strategy: str = ""
    """Label of the policy in that store or file."""

    controls: tuple[str, ...] = ()
    """Labels of its untrained and shuffled copies in that store, for the control test."""

    command: str = ""
    """What makes the file again, for its card; the commit is read from the run's folder."""

    alias: str = ""
    """Alias that shall point to it from now on, for example default."""

    made_for: str = ""
    """What it is made for, for the card of a kind that is not for pools."""

    do_not_use_when: tuple[str, ...] = ()
    """Where its evidence speaks against it, a sentence each, for its card."""

    folder: Path = SHIPPED
    """Folder of the shipped policies; kinds with memory have a folder each in it."""


def main(config: Config) -> None:
    """Write the file and, when asked, the alias."""
    if not config.name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"name {config.name!r} must be of letters, digits, - and _")
    policy: Any = load_policy(config.policy)
    pooled = isinstance(policy, PoolPolicy)
    path = (config.folder if pooled else config.folder / policy.kind) / f"{config.name}.safetensors"
    if any(config.folder.rglob(path.name)):
        raise UsageError(f"{path.name} is shipped already; a name never changes its meaning")
    named = replace(policy, name=config.name, card=_card(config, policy))
    path.parent.mkdir(parents=True, exist_ok=True)
    number = pooled and named.kinds == (REGRESSION,)
    (RegressionPolicy.from_pool_policy(named) if number else named).save(path)
    if config.alias:
        aliases = config.folder / "aliases.json"
        known = read_json(aliases) if aliases.exists() else {}
        write_json(aliases, {**known, config.alias: config.name})
    print(path)


def _check_source(config: Config, policy: Any) -> None:
    """Refuse evidence of the wrong source; a kind that is not for pools has to bring some."""
    if isinstance(policy, PoolPolicy):
        if config.evidence is not None:
            raise UsageError("--evidence is for kinds that are not for pools; give --store")
    elif config.store is not None:
        raise UsageError(
            f"a store holds evidence of policies for pools, and this one is of kind "
            f"{policy.kind!r}; give --evidence, the JSON file of its benchmark"
        )
    elif config.evidence is None:
        raise UsageError(
            f"nothing shows that a policy of kind {policy.kind!r} learned; give --evidence, the "
            "JSON file of its benchmark"
        )


def _card(config: Config, policy: Any) -> dict[str, Any]:
    """Return the policy's card with its evidence.

    Raises:
        UsageError: Evidence of the wrong source for its kind, or that does not show learning.
    """
    _check_source(config, policy)
    card = {**policy.card, "trained_as": policy.name}
    if config.summary:
        card["summary"] = config.summary
    if config.made_for:
        card["made_for"] = config.made_for
    if config.do_not_use_when:
        card["do_not_use_when"] = list(config.do_not_use_when)
    if config.evidence is not None:
        card["evidence"] = benchmark_evidence(config.evidence, config.strategy)
        card["did_it_learn"] = {"learned": True}  # the evidence is refused otherwise
    if config.store is not None:
        card["evidence"] = evidence(
            config.store, config.strategy, seen=families_seen(policy), controls=config.controls
        )
        if config.controls:
            low = {name: found["low"] for name, found in card["evidence"]["against"].items()}
            card["did_it_learn"] = {"learned": passes_controls(low)}
    if config.command:
        card["made_by"] = {"command": config.command, "commit": _commit(config.policy)}
    return card


def _commit(policy: Path) -> str:
    """Return the commit that a run was made at.

    Raises:
        UsageError: The run does not say, or its code had changes that were not committed.
    """
    path = policy.parent / "provenance.json"
    git = read_json(path).get("git", {}) if path.exists() else {}
    if not git.get("commit") or git.get("dirty"):
        raise UsageError(
            f"{policy} was not made at a clean commit, so nobody could make it again; train it at "
            "one, or ship it without --command"
        )
    return str(git["commit"])


def benchmark_evidence(file: Path, policy: str) -> dict[str, Any]:
    """Return what a benchmark's JSON says of a policy, as plain JSON.

    Args:
        file: Written by a benchmark that compares policies with their controls.
        policy: Label of the policy in its table "card".

    Raises:
        UsageError: The policy is not in the file, a control is missing, or it is not ahead of all.
    """
    said = read_json(file)
    rows = said["tables"].get(CARD, {"rows": []})["rows"]
    own = [row for row in rows if row["policy"] == policy]
    if not own:
        known = ", ".join(dict.fromkeys(str(row["policy"]) for row in rows)) or "none"
        raise UsageError(f"{policy!r} is not in table {CARD!r} of {file}; it has {known}")
    if not passes_controls({row["against"]: row["low"] for row in own}):
        behind = [row["against"] for row in own if row["against"] in REQUIRED and row["low"] <= 0]
        raise UsageError(
            f"{policy!r} is not ahead of {' and '.join(behind)} (interval above 0), so it was not "
            "shown to learn and cannot be shipped"
        )
    against = {
        row["against"]: {
            "points": round(row["mean"], 2), "low": round(row["low"], 2),
            "high": round(row["high"], 2),
        }
        for row in own
    }  # fmt: skip
    return {"command": said["command"], "measure": own[0]["measure"], "against": against}


def evidence(
    folder: Path, strategy: str, *, seen: Iterable[str] = (), controls: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a store says of a strategy, in AUBC points, as plain JSON.

    Data sets of families that the policy saw in training do not count and are left out.

    Args:
        folder: Run store.
        strategy: Label of the policy.
        seen: Families that it saw in training.
        controls: Labels of its untrained and shuffled copies, compared by their roles.

    Raises:
        UsageError: The strategy is not in the store, or every data set is left out.
    """
    from lal.evaluation.analysis.summary import summarise
    from lal.evaluation.analysis.tables import drop_seen, read_table
    from lal.evaluation.runs.store import RunStore

    store = RunStore.existing(folder)
    families = {*seen, *store.manifest().get("seen", {}).get(strategy, ())}
    table = read_table(store)
    rows = {row.strategy: row for row in summarise(table, seen={strategy: families})}
    if strategy not in rows:
        raise UsageError(f"{strategy!r} is not in {folder}; expected one of {', '.join(rows)}")
    row = rows[strategy]
    if row.n_sets == 0:
        raise UsageError(
            f"{strategy!r} saw every family of {folder} in training; evaluate it on others"
        )
    fair = drop_seen(table, families)
    own = find_controls(table, controls)
    comparisons = {**row.against, **{c: compare(fair, strategy, own[c], control=c) for c in own}}
    against = {
        name: {
            "points": round(100 * found.interval.mean, 2),
            "low": round(100 * found.interval.low, 2),
            "high": round(100 * found.interval.high, 2),
            "wins_ties_losses": [found.wins, found.ties, found.losses],
        }
        for name, found in comparisons.items()
    }
    manifest = store.manifest()
    return {
        "command": manifest["command"],
        "metric": manifest["protocol"]["metric"],
        "n_sets": row.n_sets,
        "seen_and_left_out": list(row.seen_sets),
        "against": against,
        "worst": [row.worst[0], round(100 * row.worst[1], 2)] if row.worst else None,
    }


if __name__ == "__main__":
    raise SystemExit(run_main(main, Config))
