r"""Put a trained policy among the shipped ones, with its evidence on its card.

Weights and program are copied as they are; only the name and the card change. The evidence is
read from a store of ``scripts.evaluate``, never typed::

    python -m scripts.ship --policy runs/full/policy.safetensors --name lookahead-2026-11-22 \
        --store runs/evidence --strategy mine --alias default
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lal.errors import UsageError
from lal.evaluation.runs.methods import families_seen
from lal.policies.kinds import SHIPPED, load_as
from lal.policies.pool_policy import PoolPolicy
from lal.serialization import read_json, write_json
from scripts.entry import run_main


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is shipped, under which name, with which evidence."""

    policy: Path = Path("runs/full/policy.safetensors")
    """File that ``scripts.train`` made."""

    name: str = ""
    """Name it is shipped under; dated, because a name never changes its meaning."""

    store: Path | None = None
    """Run store of ``scripts.evaluate`` that holds its evidence."""

    strategy: str = ""
    """Label of the policy in that store."""

    alias: str = ""
    """Alias that shall point to it from now on, for example default."""

    do_not_use_when: tuple[str, ...] = ()
    """Where its evidence speaks against it, a sentence each, for its card."""

    folder: Path = SHIPPED
    """Folder of the shipped policies."""


def main(config: Config) -> None:
    """Write the file and, when asked, the alias."""
    if not config.name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"name {config.name!r} must be of letters, digits, - and _")
    path = config.folder / f"{config.name}.safetensors"
    if path.exists():
        raise UsageError(f"{path.name} is shipped already; a name never changes its meaning")
    policy = load_as(PoolPolicy, config.policy)
    card = {**policy.card, "trained_as": policy.name}
    if config.do_not_use_when:
        card["do_not_use_when"] = list(config.do_not_use_when)
    if config.store is not None:
        card["evidence"] = evidence(config.store, config.strategy, seen=families_seen(policy))
    replace(policy, name=config.name, card=card).save(path)
    if config.alias:
        aliases = config.folder / "aliases.json"
        known = read_json(aliases) if aliases.exists() else {}
        write_json(aliases, {**known, config.alias: config.name})
    print(path)


def evidence(folder: Path, strategy: str, *, seen: Iterable[str] = ()) -> dict[str, Any]:
    """Return what a store says of a strategy, in AUBC points, as plain JSON.

    Data sets of families that the policy saw in training do not count and are left out.

    Raises:
        UsageError: The strategy is not in the store, or every data set is left out.
    """
    from lal.evaluation.analysis.summary import summarise
    from lal.evaluation.analysis.tables import read_table
    from lal.evaluation.runs.store import RunStore

    store = RunStore.existing(folder)
    families = {*seen, *store.manifest().get("seen", {}).get(strategy, ())}
    rows = {row.strategy: row for row in summarise(read_table(store), seen={strategy: families})}
    if strategy not in rows:
        raise UsageError(f"{strategy!r} is not in {folder}; expected one of {', '.join(rows)}")
    row = rows[strategy]
    if row.n_sets == 0:
        raise UsageError(
            f"{strategy!r} saw every family of {folder} in training; evaluate it on others"
        )
    against = {
        name: {
            "points": round(100 * found.interval.mean, 2),
            "low": round(100 * found.interval.low, 2),
            "high": round(100 * found.interval.high, 2),
            "wins_ties_losses": [found.wins, found.ties, found.losses],
        }
        for name, found in row.against.items()
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
