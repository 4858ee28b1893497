"""The figures of TAILOR: thinned data sets, and one row for each measure."""

import numpy as np

from lal.data.datasets import load_dataset
from scripts.benchmarks.base import Results
from scripts.benchmarks.reproduction.tailor import MEASURES, Config, long_tailed, run


def test_classes_fall_geometrically():
    thin = long_tailed(load_dataset("sklearn:digits"), np.random.default_rng(0))
    counts = np.sort(np.bincount(thin.y))
    assert 17 <= counts[0] <= 18
    np.testing.assert_allclose(counts[1:] / counts[:-1], 10 ** (1 / 9), rtol=0.1)
    assert len(thin.X) == len(thin.y) == counts.sum()


def test_every_measure_has_a_row_for_each_data_set():
    results = Results()
    config = Config(
        datasets=("long_tailed:sklearn:wine",), against=("random",), runs=2, budget=6, batch_size=3
    )
    run(config, results)
    assert list(results.tables) == list(MEASURES)
    for table in results.tables.values():
        assert [row["data set"] for row in table.rows] == ["wine", "all"]
        assert "minus random" in table.columns
