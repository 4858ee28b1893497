"""What an evaluation compares, on what, and how; the flags of ``scripts.evaluate``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lal.evaluation.runs.controls import Controls
from lal.evaluation.runs.protocol import Protocol, Regime, make_protocol
from lal.evaluation.runs.store import Format
from lal.metrics import REGRESSION_METRICS
from lal.task_kind import CLASSIFICATION, REGRESSION, TaskKind, check_task_kind

REGRESSION_DEFAULTS: Mapping[str, Any] = {
    "suite": ("regression",),
    "strategies": ("random", "improved_greedy_sampling"),
    "learners": ("ridge",),
    "metric": "rmse_skill",
}
"""Fields that take these values in a regression where they are left as they are."""

LISTS = ("suite", "datasets", "strategies", "learners", "conditions", "seen", "cluster")
"""Fields that a caller may also give one name for."""

Launcher = Literal["local", "dask", "ray", "submitit"]


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What is compared, on what, and how."""

    task: TaskKind = CLASSIFICATION
    """What a label is. With regression, the defaults below are the suite regression, random and
    improved_greedy_sampling, the learner ridge, and the metric rmse_skill (1 minus RMSE over the
    standard deviation; neg_rmse and r2 are measured too)."""

    suite: tuple[str, ...] = ("bundled",)
    """Suites (bundled, synthetic, images, a folder, images:FOLDER for the images of its manifest, a
    .json list) or single data sets (sklearn:iris)."""

    datasets: tuple[str, ...] = ()
    """Names of the suites' data sets to take; all when empty."""

    strategies: tuple[str, ...] = ("random", "margin")
    """Names, skactiveml:Name, shipped policies or policy files; label=... names one apart."""

    controls: Controls = "none"
    """Controls added to the strategies. rules: random, margin (also as a policy), epsilon-margin,
    farthest-first and TypiClust before margin. all: also greedy oracles, and of every policy five
    untrained copies and a linear scorer of its features; list a copy trained on shuffled targets
    as shuffled=FILE (its card says what it is, or write shuffled=FILE?role=shuffled)."""

    learners: tuple[str, ...] = ("logistic_regression",)
    """Learners by name, with options as in pseudo_labels?base=mlp."""

    conditions: tuple[str, ...] = ()
    """Conditions of the pool, applied after the split in this order: redundancy, outliers,
    unknown_classes, minority, without_redundancy, with options as in outliers?share=0.2."""

    regime: Regime = "cold"
    """Start, budget and batch; cold is the headline."""

    runs: int = 20
    """Paired runs of every data set and learner (up to five starts on each split)."""

    start: int | str | None = None
    """Random labels that a run begins with, 10C, or two_classes (random labels until two classes
    are there); the regime's when not given."""

    budget: int | str | None = None
    """Labels acquired after the start, or 20C for 20 times the number of classes; the regime's
    when not given."""

    batch_size: int | str | None = None
    """Labels acquired between refits, or 10C; the regime's when not given."""

    max_pool: int | None = None
    """Larger pools are sub-sampled, anew for every split; the regime's limit when not given."""

    metric: str = "balanced_accuracy"
    """Headline metric; accuracy, balanced_accuracy and log_likelihood are always measured."""

    seed: int = 0
    """Seed of every stream."""

    seen: tuple[str, ...] = ()
    """Families that the policies saw in training, beside those on their cards: marked, left out."""

    out: Path = Path("runs/eval")
    """Run store; finished runs in it are never repeated."""

    jobs: int = 1
    """Processes; the numbers do not depend on it."""

    backend: Launcher = "local"
    """Where runs are executed: this machine, a Dask or Ray cluster (extras dask and ray), or jobs
    of a SLURM cluster (submitit, extra slurm), as many as jobs."""

    address: str = ""
    """Address of a running cluster; empty to start one here with as many workers as jobs."""

    cluster: tuple[str, ...] = ()
    """Options of the cluster's jobs as NAME=VALUE: submitit's parameters (slurm_partition=cpu
    timeout_min=240 mem_gb=4; cluster=local for processes of this machine), or for dask those of
    dask-jobqueue's clusters with their kind (kind=slurm queue=cpu cores=1 memory=4GB)."""

    shard: str = ""
    """Execute one part of the runs only, as 2/4 says, into a store of its own below out; parts
    are merged by scripts.data merge."""

    run_seconds: float = 0.0
    """Processor time that one run may take; 0 for no limit. Slower runs are kept as timed
    out. A busy machine does not count against a run, unless it takes twenty times as long."""

    max_timeouts: int = 0
    """Time-outs of a method on one data set and learner after which its other runs there are
    not tried, and kept as timed out with the reason; 0 to try all."""

    retry: bool = False
    """Repeat failed runs."""

    store_format: Format = "parquet"
    """Format of new runs: parquet (needs the extra tables) or json."""

    def __post_init__(self) -> None:
        """Take what notebooks write: one name for a list of one, a text for a path."""
        object.__setattr__(self, "out", Path(self.out))
        check_task_kind(self.task)
        for name, value in REGRESSION_DEFAULTS.items() if self.task == REGRESSION else ():
            if getattr(self, name) == getattr(type(self), name):
                object.__setattr__(self, name, value)
        for name in LISTS:
            given: str | Sequence[str] = getattr(self, name)
            names = (given,) if isinstance(given, str) else tuple(given)
            object.__setattr__(self, name, names)

    def make_protocol(self) -> Protocol:
        """Return the protocol that the fields describe."""
        same = ("metric", "seed", "conditions")
        changes: dict[str, Any] = {name: getattr(self, name) for name in same}
        if self.task == REGRESSION:
            changes["metrics"] = tuple(REGRESSION_METRICS)
        for name in ("start", "budget", "batch_size", "max_pool"):
            if getattr(self, name) is not None:
                changes[name] = getattr(self, name)
        return make_protocol(self.regime, **changes).with_runs(self.runs)
