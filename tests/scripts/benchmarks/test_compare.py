"""Strategies side by side: pairs, kinds of data sets, and a store that is used again."""

from scripts.benchmarks.base import Results
from scripts.benchmarks.policies.compare import Config, run


def test_every_pair_has_a_row_for_every_kind_of_data_set(tmp_path):
    config = Config(
        suite=("sklearn:iris", "sklearn:wine", "sklearn:breast_cancer"), runs=1, max_pool=60,
        strategies=("random", "margin"), against=("margin",), budget=5, at=(4, 7),
        out=tmp_path, jobs=1,
    )  # fmt: skip
    results = Results()
    run(config, results)
    rows = results.tables["compare"].rows
    assert [(row["strategy"], row["data sets"]) for row in rows] == [
        ("random", "all"), ("random", "two classes"), ("random", "more classes"),
    ]  # fmt: skip
    records = [str(row["won / level / lost, accuracy"]).split(" / ") for row in rows]
    counts = [[int(n) for n in record] for record in records]
    assert [sum(record) for record in counts] == [3, 1, 2]
    assert counts[0] == [a + b for a, b in zip(counts[1], counts[2], strict=True)]
    points = results.tables["at"].rows
    assert [(row["labels"], row["data sets"]) for row in points] == [(4, 3), (7, 3)]
    assert len({row["accuracy"] for row in points}) == 2
    again = Results()
    run(config, again)
    assert again.tables["compare"].rows == rows
