"""Strategies without networks need no torch, and are short."""

import subprocess
import sys
from pathlib import Path
from statistics import median

import lal.strategies

FOLDER = Path(lal.strategies.__file__).parent

LISTED = """
import sys
import lal
from lal.strategies.base import STRATEGIES
for name in STRATEGIES:
    if name not in {neural!r}:
        STRATEGIES[name]
print(len(STRATEGIES), *sorted(m for m in sys.modules if m.partition('.')[0] == 'torch')[:3])
"""

NEURAL = ("vaal", "sraal", "ta_vaal", "minimax", "uncertain_gcn", "core_gcn")
"""Strategies that train networks of their own."""


def test_strategies_without_networks_import_no_torch():
    code = LISTED.format(neural=NEURAL)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    number, *loaded = done.stdout.split()
    assert int(number) > 50
    assert not loaded


def test_the_median_strategy_file_has_at_most_90_lines():
    files = [path for path in FOLDER.rglob("*.py") if path.name != "__init__.py"]
    assert median(len(path.read_text().splitlines()) for path in files) <= 90
