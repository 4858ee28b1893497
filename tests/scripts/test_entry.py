"""How commands end: one line where a person can do something about it, and no process left."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.entry import Terminated, run_main, termination_raises
from scripts.terminal import CONTROLS, printable

ROOT = Path(__file__).resolve().parents[2]

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""

CORE_ONLY = (
    "tyro", "rich", "torch", "gymnasium", "stable_baselines3", "sb3_contrib", "numba", "pandas",
    "pyarrow", "matplotlib", "jinja2", "starlette", "uvicorn", "tensorboard", "tqdm", "cma",
)  # fmt: skip


@dataclass(frozen=True)
class Config:
    """A command that does what a test wants."""

    text: str = "x"
    """Printed."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\x9b2J", "a\\x9b2J"),
        ("\x7f\x08\x00", "\\x7f\\x08\\x00"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("good\rbad", "good\\rbad"),
        ("\rbar 10%", "\rbar 10%"),
        ("a\tb\nä €\r\n", "a\tb\nä €\r\n"),
    ],
)
def test_control_characters_are_written_out(text, shown):
    assert printable(text) == shown
    assert not CONTROLS.search(printable(text))


def test_whatever_a_command_prints_is_printable(capsys):
    def main(config):
        sys.stdout.write(f"\x1b[2J{config.text}\n")
        sys.stderr.write("\x1b[2J\n")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_main(main, Config, ["--text", "\x1b]0;x\x07"])
    said = capsys.readouterr()
    assert said.out == "\\x1b[2J\\x1b]0;x\\x07\n"
    assert said.err == "\\x1b[2J\n"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/a/b"), 2, "cannot use '/a/b': Perm"),
        (OSError(errno.EROFS, "Read-only file system", "/a\x1b"), 2, "cannot use '/a\\x1b': Read"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "cannot use the disk: No space"),
        (ModuleNotFoundError("x", name="torch.nn"), 2, "'learned-active-learning[train]'"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, "nobody reads the output any more"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Terminated(), 143, "terminated"),
    ],
)
def test_errors_of_the_machine_are_one_line(capsys, monkeypatch, error, code, line):
    def main(_config):
        raise error

    monkeypatch.setattr("scripts.entry._drop_output", lambda: None)
    assert run_main(main, Config, []) == code
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "odd"), ModuleNotFoundError("x", name="lal.nothing"), ValueError()]
)
def test_faults_of_ours_keep_their_traceback(error):
    def main(_config):
        raise error

    with pytest.raises(type(error)):
        run_main(main, Config, [])


def test_sigterm_unwinds_the_stack_and_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), termination_raises():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def command(*flags, cwd=None, without=(), **options):
    paths = [str(ROOT)]
    if without:
        folder = Path(cwd) / "blocked"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(BLOCKER.format(names=set(without)))
        paths.insert(0, str(folder))
    given = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen(
        [sys.executable, "-m", *flags], cwd=cwd, env=given, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["label", "evaluate", "report", "train", "data", "ship", "demo"])
def test_a_core_only_installation_names_the_extra(tmp_path, name):
    process = command(f"scripts.{name}", "verify", cwd=tmp_path, without=CORE_ONLY)
    _, err = process.communicate(timeout=300)
    assert process.returncode != 0
    assert err.count("\n") == 1
    assert "is not installed; run: pip install 'learned-active-learning[" in err


@pytest.mark.slow
def test_the_page_names_its_extra_and_the_prompt_does_not_need_it(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,label\n1,2,\n2,1,\n3,5,\n")
    flags = ("scripts.label", "t.csv", "--classes", "no", "yes", "--policy", "margin")
    web = command(*flags, "--web", cwd=tmp_path, without=("starlette", "uvicorn"))
    _, err = web.communicate(timeout=300)
    assert (web.returncode, err.count("\n")) == (2, 1)
    assert "starlette is not installed; run: pip install 'learned-active-learning[web]'" in err
    prompt = command(*flags, cwd=tmp_path, without=("starlette", "uvicorn"), stdin=subprocess.PIPE)
    out, _ = prompt.communicate("1\nq\n", timeout=300)
    assert prompt.returncode == 0
    assert "is no" in out


@pytest.mark.slow
def test_a_closed_pipe_is_one_line(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,label\n" + "1,2,\n2,1,\n" * 20_000)
    flags = ("--classes", "no", "yes", "--policy", "random", "--suggest", "30000")
    process = command("scripts.label", "t.csv", *flags, cwd=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(300) == 141
    assert err == "nobody reads the output any more\n"
    process.stderr.close()


def children(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found += [int(path.parent.name), *children(int(path.parent.name))]
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_sigterm_to_an_evaluation_leaves_no_worker(tmp_path):
    process = command(
        "scripts.evaluate", "--suite", "sklearn:digits", "--runs", "40", "--jobs", "2",
        "--strategies", "margin", "--learners", "random_forest", "--out", "store",
        "--store-format", "json", cwd=tmp_path,
    )  # fmt: skip
    end = time.monotonic() + 300
    found: list[int] = []
    while len(found) < 2 or not list(tmp_path.glob("store/cells/*/*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.2)
        found = children(process.pid)
    process.terminate()
    _, err = process.communicate(timeout=120)  # whoever holds stdout would keep this waiting
    assert process.returncode == 143
    assert err.splitlines()[-1] == "terminated; the same command goes on from here"
    end = time.monotonic() + 60
    while any(map(alive, found)):
        assert time.monotonic() < end, [pid for pid in found if alive(pid)]
        time.sleep(0.2)
    assert all(json.loads(path.read_text()) for path in tmp_path.glob("store/cells/*/*.json"))
