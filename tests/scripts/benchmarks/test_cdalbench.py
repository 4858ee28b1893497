"""CDALBench's table: our areas beside the published ones, minus random."""

import pytest

from scripts.benchmarks.base import Results
from scripts.benchmarks.reproduction import cdalbench
from scripts.benchmarks.reproduction.cdalbench import PUBLISHED, Config, run


def test_a_row_a_learner_and_strategy(tmp_path):
    config = Config(
        suite="sklearn:iris", dataset="iris", strategies=("margin", "density_weighted"), runs=2,
        learners=("gaussian_nb",), budget=8, max_pool=40, engine="reference", out=tmp_path,
    )  # fmt: skip
    results = Results()
    run(config, results)
    margin, density = results.tables["cdalbench"].rows
    assert (margin["published area"], margin["published, minus random"]) == ("0.769", "+0.9")
    assert (density["published area"], density["published, minus random"]) == (None, None)
    assert 0.5 < float(str(margin["area"])) < 1.0
    (note,) = results.notes
    random = float(note.split()[2].rstrip(","))
    gap = float(str(margin["minus random"]).split()[0])
    assert gap == pytest.approx(100 * (float(str(margin["area"])) - random), abs=0.11)
    assert note.endswith("published 0.760")


def test_the_published_differences():
    gaps = {name: cdalbench._gap(name) for name in PUBLISHED if name != "random"}
    assert gaps == {
        "margin": "+0.9", "entropy": "+0.8", "least_confident": "+1.9", "core_set": "+1.2",
        "typiclust": "+0.2", "badge": "+0.7", "bald": "+2.0",
    }  # fmt: skip
