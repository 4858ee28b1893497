"""The packages under test are this checkout's, and the light ones stay light."""

import subprocess
import sys
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
