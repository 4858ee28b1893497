"""Benchmarks and reproductions that are too slow for the tests: one sub-command each.

Run ``python -m scripts.benchmark NAME --help``; names are written with - or _. ``--json FILE`` also
writes the rows with their provenance, and ``tables`` makes the tables in docs/ from such files.
Speeds are ratios, measured side by side in one process; they are printed, never asserted.
"""

import sys

from lal.errors import UnknownNameError
from lal.registry import Registry

BENCHMARKS: Registry[object] = Registry("benchmark")
"""Sub-commands: each is a ``main(arguments)`` imported when asked for."""

BENCHMARKS.add_lazy("bridge", "scripts.benchmarks.reproduction.bridge:main")
BENCHMARKS.add_lazy("lal", "scripts.benchmarks.reproduction.lal:main")
BENCHMARKS.add_lazy("lal_rl", "scripts.benchmarks.reproduction.lal_rl:main")
BENCHMARKS.add_lazy("lal_rl_file", "scripts.benchmarks.reproduction.lal_rl_file:main")
BENCHMARKS.add_lazy("lal_rl_search", "scripts.benchmarks.reproduction.lal_rl_search:main")
BENCHMARKS.add_lazy("lal_rl_backends", "scripts.benchmarks.reproduction.lal_rl_backends:main")
BENCHMARKS.add_lazy("lal_rl_training", "scripts.benchmarks.reproduction.lal_rl_training:main")
BENCHMARKS.add_lazy("albl", "scripts.benchmarks.reproduction.albl:main")
BENCHMARKS.add_lazy("tailor", "scripts.benchmarks.reproduction.tailor:main")
BENCHMARKS.add_lazy("simulator", "scripts.benchmarks.speed.simulator:main")
BENCHMARKS.add_lazy("learners", "scripts.benchmarks.speed.learners:main")
BENCHMARKS.add_lazy("compile", "scripts.benchmarks.speed.compile:main")
BENCHMARKS.add_lazy("agreement", "scripts.benchmarks.speed.agreement:main")
BENCHMARKS.add_lazy("report", "scripts.benchmarks.speed.report:main")
BENCHMARKS.add_lazy("query", "scripts.benchmarks.speed.query:main")
BENCHMARKS.add_lazy("rank", "scripts.benchmarks.speed.rank:main")
BENCHMARKS.add_lazy("design", "scripts.benchmarks.agents.design:main")
BENCHMARKS.add_lazy("one_shot", "scripts.benchmarks.agents.one_shot:main")
BENCHMARKS.add_lazy("few_shot", "scripts.benchmarks.agents.few_shot:main")
BENCHMARKS.add_lazy("search", "scripts.benchmarks.agents.search:main")
BENCHMARKS.add_lazy("regions", "scripts.benchmarks.agents.regions:main")
BENCHMARKS.add_lazy("explore", "scripts.benchmarks.agents.explore:main")
BENCHMARKS.add_lazy("seeds", "scripts.benchmarks.agents.seeds:main")
BENCHMARKS.add_lazy("zoo", "scripts.benchmarks.zoo.command:main")
BENCHMARKS.add_lazy("tune", "scripts.benchmarks.zoo.tune:main")
BENCHMARKS.add_lazy("stream", "scripts.benchmarks.speed.stream:main")
BENCHMARKS.add_lazy("stream_policies", "scripts.benchmarks.agents.streams:main")
BENCHMARKS.add_lazy("label_studio", "scripts.benchmarks.robustness.label_studio:main")
BENCHMARKS.add_lazy("clusters", "scripts.benchmarks.robustness.clusters:main")
BENCHMARKS.add_lazy("fuzz", "scripts.benchmarks.robustness.fuzz:main")
BENCHMARKS.add_lazy("mutation", "scripts.benchmarks.robustness.mutation:main")
BENCHMARKS.add_lazy("parity", "scripts.benchmarks.speed.parity:main")
BENCHMARKS.add_lazy("prior", "scripts.benchmarks.speed.prior:main")
BENCHMARKS.add_lazy("compare", "scripts.benchmarks.policies.compare:main")
BENCHMARKS.add_lazy("cdalbench", "scripts.benchmarks.reproduction.cdalbench:main")
BENCHMARKS.add_lazy("regression", "scripts.benchmarks.policies.regression:main")
BENCHMARKS.add_lazy("batches", "scripts.benchmarks.policies.batches:main")
BENCHMARKS.add_lazy("dbal", "scripts.benchmarks.policies.dbal:main")
BENCHMARKS.add_lazy("deep", "scripts.benchmarks.policies.deep:main")
BENCHMARKS.add_lazy("embeddings", "scripts.benchmarks.policies.embeddings:main")
BENCHMARKS.add_lazy("fresh", "scripts.benchmarks.policies.fresh:main")
BENCHMARKS.add_lazy("stopping", "scripts.benchmarks.policies.stopping:main")
BENCHMARKS.add_lazy("forecast", "scripts.benchmarks.policies.forecast:main")
BENCHMARKS.add_lazy("picks", "scripts.benchmarks.policies.picks:main")
BENCHMARKS.add_lazy("what_if", "scripts.benchmarks.policies.what_if:main")
BENCHMARKS.add_lazy("dependence", "scripts.benchmarks.policies.dependence:main")
BENCHMARKS.add_lazy("training", "scripts.benchmarks.speed.training:main")
BENCHMARKS.add_lazy("task", "scripts.benchmarks.speed.task:main")
BENCHMARKS.add_lazy("host_parity", "scripts.benchmarks.robustness.host_parity:main")
BENCHMARKS.add_lazy("rl_libraries", "scripts.benchmarks.robustness.rl_libraries:main")
BENCHMARKS.add_lazy("check_strategies", "scripts.benchmarks.robustness.check_strategies:main")
BENCHMARKS.add_lazy("tables", "scripts.benchmarks.tables:main")


def main(arguments: list[str] | None = None) -> int:
    """Run the sub-command named first; print the names without one."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"{__doc__}\nsub-commands: {', '.join(BENCHMARKS.names())}")
        return 0
    try:
        command = BENCHMARKS[arguments[0].replace("-", "_")]
    except UnknownNameError as error:
        print(error, file=sys.stderr)
        return 2
    return int(command(arguments[1:]) or 0)  # type: ignore[operator]


if __name__ == "__main__":
    sys.exit(main())
