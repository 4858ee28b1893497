"""`gymnasium.make("lal/...")` without `import envs`, in this process and in children."""

import subprocess
import sys
from pathlib import Path

import pytest

import envs
from envs.registration import OUR_IDS

HOOK = Path(envs.__file__).parent / "autoload.pth"
LISTED = "print(sorted(n for n in gymnasium.registry if n.startswith('lal/')))\n"


def run(code: str, *first: Path) -> str:
    """Return what a fresh interpreter prints that reads the hook as `site` does, and no other."""
    start = (
        "import sys\n"
        f"sys.path[:0] = {[str(p) for p in first]!r}\n"
        f"sys.path += {[p for p in sys.path if p]!r}\n"
        f"exec(open({str(HOOK)!r}).read())\n"
        "assert 'gymnasium' not in sys.modules and 'envs' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", start + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_hook_is_one_line_that_site_runs():
    code = [line for line in HOOK.read_text().splitlines() if not line.startswith("#")]
    assert len(code) == 1
    assert code[0].startswith("import sys; exec(")


def test_importing_gymnasium_registers_every_id():
    assert run("import gymnasium\n" + LISTED) == str(list(OUR_IDS))


def test_importing_envs_first_works_too():
    assert run("import envs, gymnasium\n" + LISTED) == str(list(OUR_IDS))


def test_a_child_process_knows_the_ids():
    """What SubprocVecEnv's child does: unpickle a function that calls `gymnasium.make`."""
    code = "import gymnasium\nprint(gymnasium.make('lal/OneShot-v0').reset(seed=0)[0].shape)"
    assert run(code) == "(19,)"


def test_an_envs_package_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "__init__.py").write_text("raise SystemExit('imported')")
    assert run("import gymnasium\n" + LISTED, tmp_path) == "[]"


@pytest.mark.parametrize("missing", ["gymnasium", "envs"])
def test_nothing_is_raised_where_a_package_is_missing(missing):
    code = (
        "import importlib.abc\n"
        "class Block(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {missing!r}:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "try:\n    import gymnasium\n    print('imported')\n"
        "except ImportError:\n    print('missing')\n"
    )
    assert run(code) == ("missing" if missing == "gymnasium" else "imported")


def test_the_wheel_ships_the_hook():
    project = (HOOK.parent.parent / "pyproject.toml").read_text()
    assert '"envs/autoload.pth" = "learned_active_learning_envs.pth"' in project
