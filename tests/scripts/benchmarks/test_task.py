import numpy as np
import pytest

pytest.importorskip("numba")
from scripts.benchmark import main
from scripts.benchmarks.speed.parity import EXACT, Config, forest_distance, random_task


def csv(path, n=160):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, 3)) + y[:, None]
    lines = ["a,b,c,kind"] + [
        ",".join(f"{v:.6f}" for v in x) + f",k{c}" for x, c in zip(X, y, strict=True)
    ]
    path.write_text("\n".join(lines))
    return str(path)


def test_a_users_own_table(tmp_path, capsys):
    file = csv(tmp_path / "mine.csv")
    flags = ["--target", "kind", "--learner", "gaussian_nb", "--budget", "5", "--episodes", "2"]
    assert main(["task", file, *flags, "--slate", "10"]) == 0
    said = capsys.readouterr().out
    assert "mine/gaussian_nb: pool 80, reward 80, classes 2" in said
    assert "steps per second" in said
    assert "the same ending" in said


@pytest.mark.parametrize(
    ("flags", "match"),
    [
        (["no.csv"], "no file 'no.csv'"),
        (["FILE", "--target", "sort"], "no column 'sort'; the table has 'a', 'b', 'c', 'kind'"),
        (["FILE", "--budget", "500"], "lower --budget or give more rows"),
        (["FILE", "--learner", "rbf_svm", "--budget", "5"], "has no compiled kernel"),
    ],
)
def test_what_cannot_be_compared(flags, match, tmp_path, capsys):
    file = csv(tmp_path / "mine.csv")
    target = [] if "--target" in flags else ["--target", "kind"]
    flags = [file if f == "FILE" else f for f in flags]
    assert main(["task", *flags, *target]) == 2
    assert match in capsys.readouterr().err


def test_the_table_of_random_tasks(capsys):
    assert main(["parity", "--tasks", "4", "--forests", "0", "--budget", "3"]) == 0
    _, head, _, *rows = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in (head, *rows)]
    assert cells[0][:3] == ["learner", "tasks", "probabilities"]
    assert [row[0] for row in cells[1:]] == sorted(EXACT)
    assert all(row[-1] == "100.0%" for row in cells[1:])


@pytest.mark.slow
def test_forests_are_no_further_from_scikit_learn_than_another_seed():
    config = Config(budget=10)
    pairs = [forest_distance(random_task(i, "random_forest", config), i, 4) for i in range(4)]
    ours, theirs = np.mean(pairs, axis=0)
    assert ours <= 1.3 * theirs
