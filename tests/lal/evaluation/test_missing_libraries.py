"""Evaluation without an optional library: one sentence that names the extra which brings it."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.errors import MissingDependencyError
from lal.evaluation.analysis.tables import long_table
from lal.evaluation.report import draw, figures, overview, publish, report
from lal.evaluation.runs import backends, launch, store
from lal.evaluation.runs.run import DONE, RunResult

NOTHING: Any = None
CHART: Any = SimpleNamespace(name="x", figure=SimpleNamespace(findobj=lambda kind: []))
PAGE: Any = SimpleNamespace(curves=SimpleNamespace(n={"d": NOTHING}))
RESULT = RunResult("k", DONE, {}, n_labels=np.array([1]), metrics={"accuracy": np.ones(1)})
JOB: Any = launch.ShardJob

CALLS: list[tuple[str, str, Callable[[], Any]]] = [
    ("pandas", "tables", lambda: long_table([RESULT])),
    ("pyarrow", "tables", lambda: publish._write_parquet(Path("x"), [])),
    ("pyarrow.parquet", "tables", lambda: publish._write_parquet(Path("x"), [])),
    ("pyarrow", "tables", lambda: store._to_bytes(RESULT, "parquet")),
    ("pyarrow.parquet", "tables", lambda: store._to_bytes(RESULT, "parquet")),
    ("pyarrow.parquet", "tables", lambda: store._from_bytes(b"", Path("x.parquet"))),
    ("pyarrow.parquet", "tables", lambda: store.RunStore(Path("x"))),
    ("matplotlib.figure", "report", lambda: draw.new_axes(1.0)),
    ("matplotlib.figure", "report", lambda: overview.draw_overview(PAGE, {}, Path("x"))),
    ("matplotlib.text", "report", lambda: figures._save(CHART, Path("x"), "svg")),
    ("matplotlib", "report", lambda: figures._style("x").__enter__()),
    ("jinja2", "report", lambda: report.render(NOTHING, NOTHING)),
    ("distributed", "dask", lambda: backends._dask(1, "", {}).__enter__()),
    ("dask_jobqueue", "jobqueue", lambda: backends._job_queue({})),
    ("ray", "ray", lambda: backends._ray(1, "", {}).__enter__()),
    ("submitit", "slurm", lambda: launch._submit(NOTHING, NOTHING, 1, {}, NOTHING)),
    ("submitit.helpers", "slurm", lambda: JOB.checkpoint(NOTHING)),
]  # fmt: skip


@pytest.mark.parametrize(("library", "extra", "call"), CALLS)
def test_a_missing_library_is_named_with_its_extra(
    library: str, extra: str, call: Callable[[], Any], monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, library, None)
    said = rf"^{library} is not installed; run: pip install 'learned-active-learning\[{extra}\]'$"
    with pytest.raises(MissingDependencyError, match=said):
        call()
    assert not list(tmp_path.iterdir())
