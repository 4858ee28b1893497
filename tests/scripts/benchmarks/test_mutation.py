"""Mutation score: what is drawn, which tests run, what counts; a fault put in and taken out."""

import json
import sys
from pathlib import Path

import pytest

from lal.errors import DataError, UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.robustness import mutation
from scripts.benchmarks.robustness.mutation import (
    AREAS,
    HARMLESS,
    ROOT,
    Config,
    Found,
    as_code,
    changed_lines,
    chosen,
    draw,
    mutable,
    score,
)
from scripts.benchmarks.robustness.mutations import runs, selection
from scripts.benchmarks.robustness.mutations.runs import (
    attempt,
    functions,
    import_modules,
    replacement,
    same,
)


def found(outcome: str) -> Found:
    return Found("lal.x.f", "a", "b", outcome)


def test_score_counts_by_hand():
    """Not noticed: reached by no test, cut short, or noticed by a test that always fails."""
    outcomes = ["killed"] * 7 + ["timeout"] + ["survived"] * 4 + ["left out", "unreliable"]
    outcomes += ["not reached"] * 2 + ["same"] + ["harmless"] * 2 + ["not applied"]
    assert score([found(outcome) for outcome in outcomes]) == {
        "drawn": 20, "harmless": 3, "not applied": 1, "counted": 16, "noticed": 8,
        "not reached": 2, "score": "50.0%", "interval": "[28.0%, 72.0%]",
    }  # fmt: skip


def test_the_draw_is_seeded_and_has_no_mutant_twice():
    made = [{"number": i} for i in range(1000)]
    numbers = [m["number"] for m in draw(made, 100, 3)]
    assert numbers == [m["number"] for m in draw(made, 100, 3)] == sorted(set(numbers))
    assert numbers != [m["number"] for m in draw(made, 100, 4)]
    assert draw(made, 5000, 0) == draw(made, 0, 0) == made
    each = [sum(m["number"] for m in draw(made, 50, s)) for s in range(50)]
    assert sum(each) / 2500 == pytest.approx(499.5, abs=5 * 289 / 50)  # five standard errors


TESTS = {
    "slow": {"seconds": 9.0, "lines": {"a.py": [4, 5]}},
    "quick": {"seconds": 1.0, "lines": {"a.py": [5]}},
    "other line": {"seconds": 0.1, "lines": {"a.py": [7]}},
    "other file": {"seconds": 0.1, "lines": {"b.py": [5]}},
}


@pytest.mark.parametrize(
    ("seconds", "names", "left_out"),
    [(10, ["quick", "slow"], 0), (9.9, ["quick"], 1), (0.5, ["quick"], 1)],
)
def test_tests_that_reach_the_statement_run_quickest_first(seconds, names, left_out):
    chosen_tests = selection.selected({"path": "a.py", "first": 5, "last": 6}, TESTS, seconds)
    assert (chosen_tests.names, chosen_tests.left_out) == (names, left_out)
    assert selection.selected({"path": "a.py", "first": 9, "last": 9}, TESTS, 10).names == []


def test_code_stays_code_in_a_table():
    assert as_code("a | b * c") == "`a | b * c`"
    assert as_code("x = '`'") == "``x = '`'``"
    assert as_code("") == ""


def test_changed_lines_are_those_that_differ():
    before = "def f(x):\n    y = x\n    return y + 1\n"
    after = "def f(x):\n    y = x\n    return y - 1\n"
    assert changed_lines(before, after) == ("return y + 1", "return y - 1")


SOURCE = '''
def f(x: int = 1, *, strict: bool = True) -> int:
    """Doc."""
    for a, b in zip([x], [x], strict=True):
        if a < b:
            raise ValueError("a text")
    return cast("list[int]", x)


class C:
    limit = 3

    @property
    def p(self):
        return 1

    @kernel
    def q(self):
        return 1
'''


def test_mutants_know_their_place_and_what_nobody_could_notice():
    pytest.importorskip("mutmut")
    from scripts.benchmarks.robustness.mutations.mutants import mutants, mutated

    made = mutants("f.py", SOURCE)
    texts = list(mutated("f.py", SOURCE, range(len(made))))
    lines = {changed_lines(SOURCE, text): m for m, text in zip(made, texts, strict=True)}
    less = lines["if a < b:", "if a <= b:"]
    assert (less.function, less.first, less.last, less.harmless) == ("f", 5, 5, "")
    assert lines["return 1", "return 2"].function == "C.p"
    assert all("limit" not in before for before, _ in lines)
    assert [m.function for m in made].count("C.q") == 0
    call = 'raise ValueError("a text")'
    assert lines[call, 'raise ValueError("XXa textXX")'].harmless == "wording of an error"
    assert lines[call, "raise ValueError(None)"].harmless == ""
    loop = "for a, b in zip([x], [x], strict=True):"
    assert "one length" in lines[loop, "for a, b in zip([x], [x], strict=False):"].harmless
    assert "one length" in lines[loop, "for a, b in zip([x], [x], ):"].harmless
    assert lines[loop, "for a, b in zip(None, [x], strict=True):"].harmless == ""
    cast = 'return cast("list[int]", x)'
    assert "cast" in lines[cast, "return cast(None, x)"].harmless
    assert lines[cast, 'return cast("list[int]", None)'].harmless == ""


MODULE = """
def f(a, b=2):
    return a + b


class C:
    def f(self):
        return 1


def factory():
    def made():
        return 5
    return made


made_at_import = factory()
"""


def test_codes_are_compared_by_what_they_do():
    path = Path("module.py")
    old, new = replacement(path, MODULE, MODULE.replace("a + b", "a - b"), "f")
    assert old.co_qualname == new.co_qualname == "f"
    assert not same(old, new)
    assert same(*replacement(path, MODULE, MODULE.replace("a + b", "(a +\n b)"), "f"))
    assert not same(*replacement(path, MODULE, MODULE.replace("return 1", "return 1.0"), "C.f"))
    with pytest.raises(LookupError, match="g"):
        replacement(path, MODULE, MODULE, "g")


TEST = """
from mutated_module import C, f, made_at_import

def test_f():
    assert f(3) == 5

def test_c():
    C().f()
    assert made_at_import() == 5
"""


def outcome(folder, before, after, function):
    mutant = {
        "path": str(folder / "mutated_module.py"),
        "text": MODULE.replace(before, after),
        "function": function,
        "tests": [str(folder / "test_mutated.py")],
    }
    arguments = ["-p", "no:cacheprovider", f"--rootdir={folder}", "-c", str(folder / "pytest.ini")]
    return attempt(mutant, arguments, functions())


def test_a_fault_is_put_in_while_the_function_lives(tmp_path, monkeypatch, capsys):
    """Also in the value of an argument that is left out."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "mutated_module.py").write_text(MODULE)
    (tmp_path / "test_mutated.py").write_text(TEST)
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("mutated_module")
    assert outcome(tmp_path, "return 1", "return 2", "C.f") == ("survived", "")
    assert module.C().f() == 2
    assert outcome(tmp_path, "a + b", "(a + b)", "f")[0] == "same"
    assert outcome(tmp_path, "b=2", "b=3", "f") == ("killed", "test_mutated.py::test_f")
    assert module.f(3) == 6
    assert outcome(tmp_path, "return 1", "return 1", "gone")[0] == "not applied"
    killed = outcome(tmp_path, "return 5", "return 6", "factory")
    assert killed == ("killed", "test_mutated.py::test_f")  # the fault before is still in
    assert module.made_at_import() == 6


def test_modules_that_load_late_are_imported_before_functions_are_looked_for(tmp_path, monkeypatch):
    (tmp_path / "mutated_late.py").write_text("def late():\n    return 1\n")
    (tmp_path / "without_library.py").write_text("import no_such_library_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mutated_late", raising=False)
    place = (str(tmp_path / "mutated_late.py"), "late")
    assert place not in functions()
    import_modules(["mutated_late.py", "without_library.py"])
    assert place in functions()


@pytest.mark.parametrize("clean", ["survived", "killed", "timeout"])
def test_what_takes_too_long_or_fails_is_tried_without_the_fault(clean, monkeypatch):
    """Where others use the processors, tests may not end in time whatever the mutant does."""
    tried = []

    def in_fork(mutant, arguments, alive):
        tried.append((mutant["text"], mutant["tests"]))
        return {"outcome": clean}

    monkeypatch.setattr(runs, "in_fork", in_fork)
    monkeypatch.setattr(runs, "CHECKED", {})
    mutant = {"text": "fault", "tests": ["t.py::a", "t.py::b"], "seconds": 1.0}
    for outcome, by, again in (
        ("timeout", "", mutant["tests"]),
        ("killed", "t.py::b", ["t.py::b"]),
    ):
        result = {"outcome": outcome, "by": by}
        assert runs.reliable(result, mutant, [], {}) == (clean == "survived")
        assert tried.pop() == ("", again)
    assert runs.reliable({"outcome": "survived", "by": ""}, mutant, [], {})
    assert tried == []


def test_every_area_has_files_and_tests():
    for only, tests in AREAS.values():
        assert any(list(ROOT.glob(pattern)) for pattern in only)
        assert all((ROOT / test).exists() for test in tests)


def test_harmless_mutants_have_a_place_and_a_reason():
    """The line is still there; a reason that was true of other code is not kept."""
    for one in json.loads(HARMLESS.read_text()):
        assert set(one) == {"function", "before", "after", "reason"}
        parts = one["function"].split(".")
        files = (ROOT / ("/".join(parts[:n]) + ".py") for n in range(1, len(parts)))
        text = " ".join(next(path for path in files if path.exists()).read_text().split())
        assert one["before"] in text, one
        assert len(one["reason"].split()) > 2


def test_what_cannot_be_run_is_one_sentence(monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="--only and --tests go together"):
        chosen(Config(only=("lal/curve.py",)))
    with pytest.raises(UsageError, match="unknown areas kernels; expected some of evaluation"):
        chosen(Config(areas=("kernels",)))
    with pytest.raises(DataError, match="no file matches lal/gone"):
        mutable(tmp_path, ["lal/gone/*"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="mutmut is not installed"):
        mutation.run(Config(), Results())


def test_files_of_tests_are_found_and_results_start_anew_when_they_change(tmp_path):
    (tmp_path / "tests" / "a").mkdir(parents=True)
    for name in ("conftest.py", "test_b.py", "a/test_a.py", "a/other.py"):
        (tmp_path / "tests" / name).write_text(name)
    area = selection.Area("x", tmp_path, tmp_path, [], ["tests"])
    assert selection.test_files(area) == ["tests/a/test_a.py", "tests/test_b.py"]
    assert selection._texts(tmp_path / "tests/a/test_a.py") == ["a/test_a.py", "conftest.py"]
