"""What the demo writes down is what its page shows."""

from lal.evaluation.analysis.bootstrap import Interval
from lal.evaluation.analysis.control_tests import Comparison, ControlTest
from scripts.benchmarks.base import Table, render
from scripts.demo import Config, _record


def test_the_record_has_the_table_of_the_page():
    interval = Interval(0.0125, -0.002, 0.03, 0.95, "new_sets")
    compared = (
        Comparison("untrained", ("untrained0", "untrained1"), interval, interval, 5, 2, 2),
        Comparison("margin", ("margin",), interval, interval, 4, 0, 5),
    )
    record = _record(Config(), ControlTest("policy", False, "It did not learn.", compared))
    assert record["learned"] is False
    assert record["sentence"] == "It did not learn."
    assert "git" in record["provenance"]
    assert render(Table(**record["tables"]["control-test"])).splitlines()[2:] == [
        "| mean of 2 untrained copies | +1.25 [-0.20, +3.00] | 5 / 2 / 2 |",
        "| margin | +1.25 [-0.20, +3.00] | 4 / 0 / 5 |",
    ]
