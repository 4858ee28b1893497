"""Areas of a cell, by column: by hand, and of a constant curve."""

import numpy as np
import pytest

from lal.evaluation.analysis.tables import areas
from lal.evaluation.runs.run import RunResult


def cell(balanced, n=(2, 4, 8), seen=4):
    return RunResult(
        key="k",
        status="done",
        about={"metric": "balanced_accuracy", "n_all_seen": seen, "n_classes": 2},
        n_labels=np.array(n),
        metrics={"accuracy": np.full(len(n), 0.8), "balanced_accuracy": np.array(balanced)},
    )


def test_by_hand():
    found = areas(cell([0.5, 0.7, 0.9]))
    assert found["area"] == found["area_balanced_accuracy"] == pytest.approx(4.4 / 6)
    assert found["area_all_seen"] == found["area_all_seen_balanced_accuracy"] == pytest.approx(0.8)
    assert found["area_log_balanced_accuracy"] == pytest.approx(0.4)
    assert np.isnan(found["area_25"])


def test_constant_curves_give_the_constant_and_never_seen_gives_none():
    found = areas(cell([0.8] * 3, seen=None))
    assert found["area_accuracy"] == pytest.approx(0.8)
    assert found["area_log_accuracy"] == pytest.approx(0.6)
    assert np.isnan(found["area_all_seen_accuracy"])
    assert areas(cell([0.8] * 3))["area_all_seen_accuracy"] == pytest.approx(0.8)
