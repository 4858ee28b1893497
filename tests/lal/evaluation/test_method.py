"""docs/design/method.md names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "design" / "method.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def test_every_row_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) >= 20
    assert all("`tests/" in row.rsplit(" | ", 1)[1] for row in rows)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_is_there(file, name):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, flags=re.MULTILINE)
