"""Benchmarks and reproductions that are too slow for the tests: one sub-command each.

Run ``python -m scripts.benchmark NAME --help``. Speeds are ratios, measured side by side in one
process; they are printed, never asserted.
"""

import sys

from lal.errors import UnknownNameError
from lal.registry import Registry

BENCHMARKS: Registry[object] = Registry("benchmark")
"""Sub-commands: each is a ``main(arguments)`` imported when asked for."""

BENCHMARKS.add_lazy("bridge", "scripts.benchmark_bridge:main")
BENCHMARKS.add_lazy("lal", "scripts.benchmark_lal:main")
BENCHMARKS.add_lazy("lal_rl", "scripts.benchmark_lal_rl:main")
BENCHMARKS.add_lazy("lal_rl_file", "scripts.benchmark_lal_rl_file:main")
BENCHMARKS.add_lazy("lal_rl_search", "scripts.benchmark_lal_rl_search:main")
BENCHMARKS.add_lazy("lal_rl_roads", "scripts.benchmark_lal_rl_roads:main")
BENCHMARKS.add_lazy("albl", "scripts.benchmark_albl:main")
BENCHMARKS.add_lazy("simulator", "scripts.benchmark_simulator:main")
BENCHMARKS.add_lazy("learned", "scripts.benchmark_learned:main")
BENCHMARKS.add_lazy("learners", "scripts.benchmark_learners:main")
BENCHMARKS.add_lazy("agreement", "scripts.benchmark_agreement:main")
BENCHMARKS.add_lazy("report", "scripts.benchmark_report:main")
BENCHMARKS.add_lazy("query", "scripts.benchmark_query:main")
BENCHMARKS.add_lazy("design", "scripts.benchmark_design:main")
BENCHMARKS.add_lazy("one_shot", "scripts.benchmark_one_shot:main")
BENCHMARKS.add_lazy("few_shot", "scripts.benchmark_few_shot:main")
BENCHMARKS.add_lazy("stream", "scripts.benchmark_stream:main")
BENCHMARKS.add_lazy("stream_policies", "scripts.benchmark_streams:main")
BENCHMARKS.add_lazy("fuzz", "scripts.benchmark_fuzz:main")
BENCHMARKS.add_lazy("parity", "scripts.benchmark_parity:main")
BENCHMARKS.add_lazy("prior", "scripts.benchmark_prior:main")
BENCHMARKS.add_lazy("panel", "scripts.benchmark_panel:main")
BENCHMARKS.add_lazy("picks", "scripts.benchmark_picks:main")
BENCHMARKS.add_lazy("dependence", "scripts.benchmark_dependence:main")
BENCHMARKS.add_lazy("task", "scripts.benchmark_task:main")


def main(arguments: list[str] | None = None) -> int:
    """Run the sub-command named first; print the names without one."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"{__doc__}\nsub-commands: {', '.join(BENCHMARKS.names())}")
        return 0
    try:
        command = BENCHMARKS[arguments[0]]
    except UnknownNameError as error:
        print(error, file=sys.stderr)
        return 2
    return int(command(arguments[1:]) or 0)  # type: ignore[operator]


if __name__ == "__main__":
    sys.exit(main())
