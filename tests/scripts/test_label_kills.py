"""Labelling under `kill -9`: no acknowledged answer is lost. ``--kills 100`` kills more often."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import lal

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(4000)  # of 100 kills on a busy machine
CLASSES = ("ant", "bee", "cow")
N_ROWS = 3000
RECEIPT = re.compile(r"^row (K\d+) is (\w+)$|^skipped row (K\d+)$|^took back the \w+ .*row (K\d+)$")


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(4)
    rows = (f"K{i},{rng.normal():.3f},{rng.normal():.3f}," for i in range(N_ROWS))
    path = tmp_path / "data.csv"
    path.write_text("\n".join(["key,p,q,label", *rows]) + "\n")
    return path


def answers(rng, n):
    """Return lines as a person might type them, mostly labels."""
    words = ["1", "bee", "cow", "s", "u", "what", "p"]
    lines = rng.choice(words, size=n, p=[0.3, 0.3, 0.2, 0.08, 0.06, 0.03, 0.03])
    return "".join(f"{line}\n" for line in lines)


def receipt(line):
    """Return what a line of the prompt says was done, None for other lines."""
    return RECEIPT.match(line.rpartition("quit] > ")[2].strip())


def labelled_until_killed(path, rng):
    """Answer rows in a real process, kill it at some moment, and return its receipts."""
    flags = [str(path), "--classes", *CLASSES, "--id", "key", "--policy", "random"]
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.label", *flags], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(answers(rng, 400))
    process.stdin.flush()
    wanted, receipts = int(rng.integers(0, 40)), []
    for line in process.stdout:
        if match := receipt(line):
            receipts.append(match)
            if len(receipts) >= wanted:
                break
    time.sleep(rng.uniform(0.0, 0.02))
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read()
    assert process.wait() == -signal.SIGKILL, rest
    receipts += [match for line in rest.splitlines() if (match := receipt(line))]
    process.stdout.close()
    process.stdin.close()
    return receipts


def replayed(events):
    """Return the labels and skips that stand after events of (do, row, label)."""
    standing: list[tuple[str, str | None]] = []
    for do, row, label in events:
        if do == "undo":
            standing.pop()
        else:
            standing.append((row, label))
    return standing


def journal_events(path):
    lines = path.read_bytes().split(b"\n")[1:-1]
    found = [json.loads(line) for line in lines]
    return [(event["do"], event.get("name"), event.get("label")) for event in found]


def receipt_events(receipts):
    for match in receipts:
        labelled, label, skipped, taken_back = match.groups()
        if taken_back:
            yield "undo", None, None
        else:
            yield ("label", labelled, label) if labelled else ("skip", skipped, None)


@pytest.mark.slow
def test_no_acknowledged_answer_is_lost(table, request):
    kills = request.config.getoption("--kills")
    rng = np.random.default_rng(kills)
    before = table.read_bytes()
    journal, out = table.with_name("data.journal.jsonl"), table.with_name("data.labelled.csv")
    done = 0  # events of earlier processes
    for _ in range(kills):
        receipts = list(receipt_events(labelled_until_killed(table, rng)))
        events = journal_events(journal)
        assert events[done : done + len(receipts)] == receipts
        done = len(events)
        standing = replayed(events)
        assert len({row for row, _ in standing}) == len(standing)  # nothing was asked twice
        if out.exists():
            with out.open(newline="") as file:
                written = list(csv.DictReader(file))
            assert [row["key"] for row in written] == [f"K{i}" for i in range(N_ROWS)]
    assert table.read_bytes() == before
    with lal.LabellingProject(table, target="label", classes=CLASSES, id_column="key") as project:
        labels = {row: label for row, label in standing if label is not None}
        cells = project.store.cells().items()
        assert {project.store.name(row): label for row, label in cells} == labels
        assert set(project.progress().skipped) == {row for row, label in standing if not label}
        project.write(out)
