"""Damaged policy files: refused in one line, or as they were; and the fuzzer sees what is not."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lal.errors import PolicyFileError
from lal.policies.pool_policy import PoolPolicy
from scripts.benchmarks.base import Results
from scripts.benchmarks.robustness import fuzz as benchmark_fuzz
from scripts.benchmarks.robustness.fuzz import Config, Found, fuzz, report, run
from scripts.benchmarks.robustness.fuzz_mutations import MUTATIONS
from scripts.benchmarks.robustness.fuzz_samples import Sample, samples


def bad(found: Found) -> list[str]:
    return [outcome for _, outcome in found.outcomes if outcome.split()[0].isupper()]


def test_500_mutated_files(tmp_path):
    found = fuzz(range(500), 7, tmp_path)
    assert sum(found.outcomes.values()) == 500
    assert not bad(found), found.worst
    assert {kind for kind, _ in found.outcomes} == set(MUTATIONS)
    refused = sum(n for (_, outcome), n in found.outcomes.items() if outcome == "refused")
    assert refused > 300
    assert found.grown < 400


def test_files_of_several_kinds_are_damaged(tmp_path):
    kinds = {sample.load(write(tmp_path, sample)).kind for sample in samples(tmp_path)}
    assert kinds == {"pool", "stream", "subset"}


def test_prototypes_of_a_strangers_file_are_bounded(tmp_path):
    """Every item is compared with all of them: a few sizes in a file could take all memory."""
    policy = next(s.load(write(tmp_path, s)) for s in samples(tmp_path) if s.name == "subset")
    with pytest.raises(PolicyFileError, match="1000000 prototypes of 2 numbers are too many"):
        replace(policy, sizes={**policy.sizes, "classes": 1_000_000})


def write(folder, sample):
    (folder / "p.safetensors").write_bytes(sample.content)
    return folder / "p.safetensors"


def test_undamaged_files_load_as_before(tmp_path, monkeypatch):
    def leave(sample, path, rng):
        path.write_bytes(sample.content)
        return False

    monkeypatch.setattr(benchmark_fuzz, "MUTATIONS", {"nothing": leave})
    found = fuzz(range(6), 0, tmp_path)
    assert found.outcomes == Counter({("nothing", "as before"): 6})


@pytest.mark.parametrize(
    ("loader", "outcome"),
    [
        (lambda self, path: eval("1 + 1"), "EXECUTED"),
        (lambda self, path: Path(path).with_name("written").write_text("x"), "EXECUTED"),
        (lambda self, path: 1 / 0, "CRASHED ZeroDivisionError"),
        (lambda self, path: None, "WRONG"),
    ],
)
def test_what_the_fuzzer_catches(loader, outcome, tmp_path, monkeypatch):
    """A loader that executes, writes, crashes, or answers with another policy is found out."""
    monkeypatch.setattr(Sample, "load", lambda self, path: other(loader(self, path), self))
    found = fuzz([0, 1], 0, tmp_path)
    assert any(kind.startswith(outcome) for kind in bad(found)), found.outcomes


def other(result, sample) -> PoolPolicy:
    width = np.eye(1, sample.n_features)
    return PoolPolicy(
        name="other",
        candidate_features=("margin@1",) * sample.n_features,
        program={
            "ops": [{"op": "affine", "in": ["candidates"], "out": ["u"], "weight": "w"}],
            "output": "u",
        },
        tensors={"w": width},
    )


def test_a_hang_is_counted(tmp_path):
    assert bad(fuzz([0], 0, tmp_path, seconds=0.0)) == ["HUNG"]


@pytest.mark.slow
def test_the_command(capsys):
    run(Config(mutations=40, chunk=20), Results())
    printed = capsys.readouterr().out
    assert "| deep nesting |" in printed
    assert "40 files from 0 on, seed 0" in printed


def test_the_report_adds_up():
    found = Found(Counter({("a", "refused"): 2, ("b", "refused"): 1, ("b", "as before"): 4}))
    results = Results()
    report(found, Config(), results)
    assert results.tables["outcomes"].rows[-1] == {"mutation": "all", "as before": 4, "refused": 3}
