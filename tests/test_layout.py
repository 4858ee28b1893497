"""The packages under test are this checkout's, and the light ones stay light."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ["torch", "gymnasium", "numba", "pandas", "pyarrow", "matplotlib", "stable_baselines3"]


@pytest.mark.parametrize("name", ["lal", "envs", "agents", "scripts"])
def test_package_is_ours(name):
    module = __import__(name)
    where = Path(str(module.__file__)).resolve()
    assert where.is_relative_to(ROOT), f"{name} comes from {where}: uninstall its namesake"


def test_no_init_files_under_tests():
    found = list((ROOT / "tests").rglob("__init__.py"))
    assert not found, f"{found} would shadow the packages of the same name"


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def modules_after(code: str) -> set[str]:
    watched = [*HEAVY, "sklearn", "scipy.stats"]
    done = run_python(f"import sys\n{code}\nprint(*[m for m in {watched} if m in sys.modules])")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_lal_is_light():
    assert modules_after("import lal") == set()


def test_using_lal_needs_no_heavy_package():
    code = "import lal; lal.make_strategy('margin'); lal.load_dataset('sklearn:iris')"
    assert not modules_after(code) & {
        "torch",
        "gymnasium",
        "numba",
        "stable_baselines3",
        "matplotlib",
    }


@pytest.mark.parametrize(
    "name", ["train", "evaluate", "report", "benchmark", "label", "demo", "rows"]
)
def test_help_loads_no_torch(name):
    code = (
        f"import runpy\nsys.argv = ['{name}', '--help']\n"
        f"try:\n    runpy.run_module('scripts.{name}', run_name='__main__')\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code"
    )
    heavy = "[m for m in ('torch', 'stable_baselines3') if m in sys.modules]"
    done = run_python(f"import sys\n{code}\nprint('LOADED', {heavy})")
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stdout


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Return the versions of a lock file and how many hashes each has, by package."""
    found: dict[str, tuple[str, int]] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / "requirements" / f"{name}.txt").read_text()):
        line, *hashes = entry.split("--hash=sha256:")
        pinned = re.match(r"([\w.-]+)==([\w.]+)", line)
        assert pinned, f"not a pinned package: {line!r}"
        found[pinned[1].lower()] = (pinned[2], len(hashes))
    return found


@pytest.mark.parametrize("name", ["demo", "dev"])
def test_everything_but_torch_is_locked_with_hashes(name):
    """`make lock` was run after the last change of dependencies."""
    found = locked(name)
    assert min(hashes for _, hashes in found.values()) >= 1
    assert "torch" not in found  # its builds for CPU and CUDA have one version and many hashes
    assert "://" not in (ROOT / "requirements" / f"{name}.txt").read_text()
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    others = {n: (version, pins[n]) for n, (version, _) in found.items() if n in pins}
    assert {n: pair for n, pair in others.items() if pair[0] != pair[1]} == {}
    needed = {"demo": {"numpy", "numba", "gymnasium", "hatchling", "editables"}}
    needed["dev"] = needed["demo"] | {"pytest", "ruff", "mypy", "hypothesis", "scikit-activeml"}
    assert needed[name] <= set(found)


def test_the_demo_needs_no_other_version_than_the_tests():
    demo, dev = locked("demo"), locked("dev")
    assert {name: dev.get(name) for name in demo} == demo


def test_the_source_distribution_holds_what_git_tracks():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = set(settings["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
    always = {"pyproject.toml", ".gitignore"}
    tops = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    assert tops - included - always == set()
