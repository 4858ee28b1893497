"""Rows that are texts, images or embeddings: learned from, shown, or refused."""

import csv
import io

import numpy as np
import pytest

import lal
from lal.errors import DataError, UsageError
from lal.labelling.content import Content, folder_table, one_column

CLASSES = ("dark", "light")


@pytest.fixture
def photos(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="images need Pillow")
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(12):
        pixels = rng.integers(0, 100, (8, 8)) + 150 * (i % 2)
        place = folder / "more" if i > 8 else folder
        image.fromarray(pixels.astype(np.uint8)).save(place / f"{i:02d}-{CLASSES[i % 2]}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_folder_of_images_is_a_table_beside_it(photos):
    table = folder_table(photos)
    assert table == photos.with_name("photos.images.csv")
    lines = table.read_text().splitlines()
    assert lines[:2] == ["image", '"00-dark.png"']
    assert '"more/09-light.png"' in lines
    assert len(lines) == 13
    assert folder_table(photos) == table
    (photos / "more" / "09-light.png").rename(photos / "new.png")
    with pytest.raises(DataError, match="lists other images than the folder"):
        folder_table(photos)
    empty = photos.with_name("empty")
    empty.mkdir()
    with pytest.raises(DataError, match=r"holds no images \(\.png"):
        folder_table(empty)


def test_images_are_learned_from_and_shown(photos):
    options = {"target": "label", "classes": CLASSES, "id_column": "image"}
    with lal.LabellingProject(folder_table(photos), image="image", images=photos, **options) as c:
        assert c.query.X.shape == (12, 256)
        for _ in range(6):
            (row,) = c.suggest()
            c.label(row.row, row.name.split("-")[1].removesuffix(".png"))
        assert c.picture(row.row) == photos / row.name
        sure = [max(found.guess, key=found.guess.__getitem__) for found in c.suggest(6)]
        assert sure == [found.name.split("-")[1].removesuffix(".png") for found in c.suggest(6)]


@pytest.mark.parametrize(
    "cell",
    ["../secret.png", "/etc/passwd", "notes.txt", "none.png", "http://x/y.png", "more", "\0"],
)
def test_only_pictures_in_the_folder_are_shown(photos, cell):
    (photos.parent / "secret.png").write_bytes(b"PNG")
    content = Content("image", "image", photos)
    assert content.picture("00-dark.png") == photos / "00-dark.png"
    assert content.picture(cell) is None
    assert Content("image", "text", photos).picture("00-dark.png") is None


def test_texts_lead_to_a_useful_question(tmp_path):
    good, bad = "great lovely film", "dull boring film"
    path = tmp_path / "reviews.csv"
    rows = [f"{(good, bad)[i % 2]} number {i}," for i in range(30)]
    path.write_text("\n".join(["review,label", *rows]))
    with lal.LabellingProject(path, target="label", classes=("good", "bad"), text="review") as c:
        while len(set(c.store.labels.values())) < 2:
            (row,) = c.suggest()
            c.label(row.row, ("good", "bad")[row.row % 2])
        (row,) = c.suggest()
        assert c.learned.used == ("review",)
        likeliest = max(row.guess, key=row.guess.__getitem__)
        assert likeliest == ("good", "bad")[row.row % 2]


def test_embeddings_are_read_from_cells_or_made_by_a_function(tmp_path):
    path = tmp_path / "t.csv"
    vectors = np.random.default_rng(1).normal(size=(10, 3))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["text", "vector"])
    for i, v in enumerate(vectors.tolist()):
        writer.writerow([f"text {i}", str(v) if i % 2 else " ".join(map(str, v))])
    path.write_text(out.getvalue())
    options = {"target": "label", "classes": CLASSES}
    with lal.LabellingProject(path, embedding="vector", **options) as c:
        X = np.asarray(c.query.X)
        assert np.corrcoef(X[:, 0], vectors[:, 0])[0, 1] == pytest.approx(1.0)
        assert np.mean(X**2) == pytest.approx(1.0)

    def embed(texts):
        return vectors[[int(text.split()[1]) for text in texts]]

    with lal.LabellingProject(path, text="text", embed=embed, **options) as c:
        np.testing.assert_allclose(c.query.X, X)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1 2", "x 2"], "row 2 of column 'v' is not a list of numbers, .* got 'x 2'"),
        (["1 2", '[1, "a"]'], "row 2 of column 'v' is not a list of numbers"),
        (["1 2", "1"], "row 2 of column 'v' has 1 numbers and row 1 has 2"),
        (["1 2", "nan 2"], "embeddings must be finite numbers"),
        (["1 2", "1 2"], "all rows have the same embedding"),
        (["", ""], r"must be an array with 2 rows, one for each, got shape \(2, 0\)"),
    ],
)
def test_cells_that_are_no_embeddings_are_refused(cells, message):
    with pytest.raises(DataError, match=message):
        Content("v", "embedding").numbers(cells)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "a", "image": "b"}, "one of text and image, got both"),
        ({"embed": len}, "name their column"),
        ({"text": "a", "embed": 3}, "embed must be a function, got int"),
        ({"text": "a", "images": "x"}, "images is the folder of a column of images"),
    ],
)
def test_contradictory_columns_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        one_column(**options)


def test_a_function_that_returns_something_else_is_named():
    content = Content("a", "text", embed=lambda texts: np.zeros((len(texts) + 1, 2)))
    with pytest.raises(DataError, match=r"array with 2 rows, one for each, got shape \(3, 2\)"):
        content.numbers(["x", "y"])
