"""Ranking a pool: the order of its rows, near-duplicates, and the neutral file."""

import csv
import io
import json

import numpy as np
import pytest

from lal.data.items import Item
from lal.errors import DataError, UsageError
from lal.labelling import LabellingProject
from lal.labelling.content import Content
from lal.labelling.order_file import OrderLine, order_lines, order_text, placed
from lal.labelling.pools import item_pool, table_pool
from lal.labelling.query import ProjectQuery
from lal.labelling.ranking import EQUAL, keep_apart, rank_rows


def make_query(X, policy="margin", n_classes=2):
    return ProjectQuery(
        X, policy=policy, learner="logistic_regression", n_classes=n_classes, seed=0
    )


@pytest.fixture
def blobs():
    rng = np.random.default_rng(1)
    codes = np.arange(120) % 2
    return rng.normal(size=(120, 3)) + 1.5 * codes[:, None], codes


def test_every_open_row_once_by_utility(blobs):
    X, codes = blobs
    given = {i: int(codes[i]) for i in range(0, 20)}
    ranking = rank_rows(make_query(X), given)
    assert sorted(ranking.rows.tolist()) == list(range(20, 120))
    assert (np.diff(ranking.utilities) <= 0).all()
    proba = ranking.state.proba
    assert proba is not None
    gaps = np.abs(proba[ranking.rows, 0] - proba[ranking.rows, 1])
    np.testing.assert_array_equal(np.argsort(gaps, kind="stable"), np.arange(100))
    code, share = ranking.predicted(int(ranking.rows[-1])) or (-1, 0.0)
    assert share == proba[ranking.rows[-1], code] == proba[ranking.rows[-1]].max()


def test_first_rows_are_the_policys_batch(blobs):
    X, codes = blobs
    given = {i: int(codes[i]) for i in range(20)}
    query = make_query(X, "default")
    ranking = rank_rows(query, given, batch_size=8)
    batch = query.choose(query.state(given), set(), 8)
    assert ranking.rows[:8].tolist() == batch.tolist()
    assert rank_rows(query, given).rows[:8].tolist() != batch.tolist()


def test_without_a_model_there_is_no_prediction(blobs):
    ranking = rank_rows(make_query(blobs[0]), {})
    assert ranking.predicted(0) is None
    assert len(ranking.rows) == 120


def test_nothing_to_rank(blobs):
    X, codes = blobs
    with pytest.raises(UsageError, match="every row has a label; there is nothing to rank"):
        rank_rows(make_query(X), dict(enumerate(codes.tolist())))
    with pytest.raises(UsageError, match="batch_size must be 1 to 120"):
        rank_rows(make_query(X), {}, batch_size=121)


def test_near_duplicates_stand_behind(blobs):
    X, codes = blobs
    twins = np.concatenate([X, X + 1e-9])
    given = {i: int(codes[i]) for i in range(20)}
    ranking = rank_rows(make_query(twins), given)
    firsts = ranking.rows % 120
    n = len(set(firsts.tolist()))
    assert len(set(firsts[:n].tolist())) == n  # one of each pair before any second one
    assert keep_apart(np.arange(120), X, EQUAL).tolist() == list(range(120))
    assert sorted(keep_apart(np.arange(120), X, 0.5).tolist()) == list(range(120))
    assert keep_apart(np.arange(120), X, 0.5).tolist() != list(range(120))


def test_texts_that_differ_by_a_word_are_near():
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(300)])
    texts = [" ".join(rng.choice(words, size=20)) for _ in range(40)]
    edited = [f"{text.rsplit(' ', 1)[0]} changed" for text in texts]
    items = [Item(str(i), text=t) for i, t in enumerate([*texts, *edited])]
    pool = item_pool(items, "x", classes=("a", "b"))
    ranking = rank_rows(make_query(pool.X), {}, near=pool.near)
    assert len(set((ranking.rows[:40] % 40).tolist())) == 40


def test_table_is_read_as_the_project_reads_it(tmp_path):
    path = tmp_path / "data.csv"
    rows = [
        f"k{i};{i % 5};{['red', 'blue'][i % 2]};same;{['y', 'n', ''][i % 3]}" for i in range(30)
    ]
    path.write_text("key;size;colour;const;label\n" + "\n".join(rows))
    pool = table_pool(path, target="label", id_column="key")
    with LabellingProject(path, target="label", id_column="key") as project:
        np.testing.assert_array_equal(pool.X, project.learned.X)
        assert pool.classes == project.classes
        assert dict(pool.codes) == project.store.labels
    assert pool.names[:2] == ("k0", "k1")
    assert pool.notes == ("learning from size, colour",)
    assert table_pool(path, target="label").names[0] == "1"
    with pytest.raises(DataError, match="has no column 'kye'"):
        table_pool(path, target="label", id_column="kye")


def test_a_column_of_texts_is_learned_from_when_named(tmp_path):
    path = tmp_path / "data.csv"
    rows = [f"{['the sea was calm', 'dogs bark'][i % 2]} no {i},{'ab'[i % 2]}" for i in range(24)]
    path.write_text("note,label\n" + "\n".join(rows))
    with pytest.raises(
        DataError, match=r"nearly every row holds another text\); .* or --text COLUMN"
    ):
        table_pool(path, target="label")
    pool = table_pool(path, target="label", content=Content("note", "text"))
    assert len(pool.X) == 24
    with LabellingProject(path, target="label", text="note") as project:
        np.testing.assert_array_equal(pool.X, project.learned.X)
    with pytest.raises(
        UsageError, match="'label' cannot be learned from as text: it is the target"
    ):
        table_pool(path, target="label", content=Content("label", "text"))


def test_labels_that_are_not_classes():
    items = [Item("7", text="one two", label="a"), Item("8", text="three four")]
    with pytest.raises(DataError, match="'7' has the label 'a', which is not a class"):
        item_pool(items, "x", classes=("b", "c"))
    with pytest.raises(UsageError, match="labelling needs two classes"):
        item_pool(items, "x")


def test_the_neutral_file(blobs):
    X, codes = blobs
    items = [
        Item(f"t{i}", fields=dict(zip("abc", map(float, X[i]), strict=True))) for i in range(120)
    ]
    labelled = [
        Item(x.id, fields=x.fields, label="yn"[c]) for x, c in zip(items, codes, strict=True)
    ]
    pool = item_pool([*labelled[:30], *items[30:]], "x")
    query = make_query(pool.X, "default")
    lines = order_lines(pool, query, rank_rows(query, pool.codes), n_reasons=2)
    assert [line.rank for line in lines] == list(range(1, 91))
    assert lines[0].reasons
    assert not lines[2].reasons
    back = [json.loads(line) for line in order_text(lines, ".jsonl").splitlines()]
    assert [OrderLine(**{**b, "reasons": tuple(b["reasons"])}) for b in back] == lines
    table = list(csv.DictReader(io.StringIO(order_text(lines, ".csv"))))
    assert [row["id"] for row in table] == [line.id for line in lines]
    assert float(table[3]["utility"]) == lines[3].utility
    assert placed(lines)[lines[0].id].share == 0.0
    assert placed(lines)[lines[-1].id].share == 89 / 90
    with pytest.raises(UsageError, match=r"ending in .csv or .jsonl, got '.txt'"):
        order_text(lines, ".txt")
