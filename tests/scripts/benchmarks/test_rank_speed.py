"""The benchmark of ranking: every format is written as its reader wants it."""

import pytest

from scripts.benchmarks.base import Results
from scripts.benchmarks.speed.rank import Config, run


def test_every_format_is_ranked(capsys):
    pytest.importorskip("PIL", reason="images need Pillow")
    results = Results()
    run(Config(tasks=30, labelled=6, words=8, policies=("margin",)), results)
    rows = results.tables["rank"].rows
    assert [row["format"] for row in rows] == list(Config.formats)
    assert {row["tasks ranked"] for row in rows} == {24}
