"""Files of labelling tools: read, ranked, written, and read again as the same tasks."""

import json

import numpy as np
import pytest

from lal.data.items import Item, Placed, check_items, item_columns
from lal.errors import DataError, UnknownNameError
from lal.integrations.formats import FORMATS

TEXTS = ["a fine day", "rain and wind", "sun all day long"]


def choices(label):
    return {
        "from_name": "weather",
        "to_name": "note",
        "type": "choices",
        "value": {"choices": [label]},
    }


def label_studio():
    return json.dumps(
        [
            {
                "id": 7,
                "data": {"text": TEXTS[0], "page": 3},
                "annotations": [
                    {"id": 1, "completed_by": 1, "result": [choices("wet")]},
                    {"id": 2, "completed_by": 2, "result": [choices("dry")]},
                    {"id": 3, "completed_by": 1, "was_cancelled": True, "result": []},
                ],
                "meta": {"from": "us"},
                "predictions": [{"score": 0.9, "result": [choices("wet")]}],
            },
            {"id": 8, "data": {"text": TEXTS[1], "page": 4}, "annotations": []},
            {"id": 9, "data": {"text": TEXTS[2], "page": 5}},
        ]
    )  # fmt: skip


def doccano():
    return "\n".join(
        [
            json.dumps({"id": 7, "text": TEXTS[0], "label": ["dry"], "Comments": [], "page": 3}),
            json.dumps({"id": 8, "text": TEXTS[1], "label": []}),
            json.dumps({"id": 9, "text": TEXTS[2], "labels": []}),
        ]
    )


def prodigy():
    options = [{"id": "dry", "text": "Dry"}, {"id": "wet", "text": "Wet"}]
    first = {"text": TEXTS[0], "_task_hash": 7, "options": options, "accept": ["dry"]}
    return "\n".join(
        [
            json.dumps({**first, "answer": "accept", "meta": {"source": "us"}}),
            json.dumps({"text": TEXTS[1], "_task_hash": 8, "label": "wet", "answer": "reject"}),
            json.dumps({"text": TEXTS[2], "_task_hash": 9}),
        ]
    )


def argilla():
    responses = {
        "weather": [
            {"value": "wet", "user_id": "u1"},
            {"value": "dry", "user_id": "u2"},
            {"value": "wet", "user_id": "u3", "status": "discarded"},
        ]
    }
    first = {"id": "7", "fields": {"text": TEXTS[0]}, "responses": responses, "suggestions": {}}
    return json.dumps(
        [
            {**first, "metadata": {"page": 3}, "vectors": {}, "status": "completed"},
            {"id": "8", "fields": {"text": TEXTS[1]}, "metadata": {}, "responses": {}},
            {"id": "9", "fields": {"text": TEXTS[2]}},
        ]
    )


def fiftyone():
    given = {"_id": {"$oid": "g"}, "_cls": "Classification", "label": "dry", "confidence": None}
    return json.dumps(
        {
            "samples": [
                {"_id": {"$oid": "7"}, "filepath": "data/7.png", "tags": [], "ground_truth": given},
                {"_id": {"$oid": "8"}, "filepath": "data/8.png", "ground_truth": None},
                {"_id": {"$oid": "9"}, "filepath": "data/9.png"},
            ]
        }
    )


def fiftyone_images():
    return json.dumps({"classes": ["wet", "dry"], "labels": {"7": 1, "8": None, "9": None}})


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><name>weather</name><labels><label><name>dry</name></label></labels></task></meta>
  <image id="7" name="7.png" width="8" height="8">
    <tag label="dry" source="manual"><attribute name="sure">yes</attribute></tag>
    <box label="cloud" source="manual" xtl="0" ytl="0" xbr="2" ybr="2"/>
  </image>
  <image id="8" name="8.png" width="8" height="8"><tag label="wet" source="auto"/></image>
  <image id="9" name="9.png" width="8" height="8"/>
</annotations>
"""

EXPORTS = {
    "label-studio": label_studio(),
    "doccano": doccano(),
    "prodigy": prodigy(),
    "argilla": argilla(),
    "fiftyone": fiftyone(),
    "fiftyone images": fiftyone_images(),
    "cvat": CVAT,
}

ORDER = {"9": Placed("9", 1, 0.0, "fog", 0.6), "8": Placed("8", 2, 0.5, "hail", 0.7)}


@pytest.fixture(params=EXPORTS)
def export(request, tmp_path):
    path = tmp_path / "export"
    path.write_text(EXPORTS[request.param])
    return FORMATS[request.param.split()[0]], path


def test_every_format_is_tested():
    assert {name.split()[0] for name in EXPORTS} == set(FORMATS.names())


def test_ids_labels_and_content_are_read(export):
    form, path = export
    items = form.read(path, "")
    assert [item.id for item in items] == ["7", "8", "9"]
    assert [item.label for item in items] == ["dry", None, None]
    if items[0].text is not None:
        assert [item.text for item in items] == TEXTS
    else:
        assert [str(item.image)[-5:].strip("/") for item in items] in (
            ["7.png", "8.png", "9.png"],
            ["7", "8", "9"],
        )


def test_what_is_written_is_read_back_in_order(export, tmp_path):
    form, path = export
    items = form.read(path, "")
    form.write(tmp_path / "import", items, ORDER)
    again = form.read(tmp_path / "import", "")
    assert [item.id for item in again] == ["9", "8", "7"]
    assert sorted(again, key=lambda item: item.id) == items
    form.write(tmp_path / "import 2", again, ORDER)  # predictions do not pile up
    assert (tmp_path / "import 2").read_text() == (tmp_path / "import").read_text()


@pytest.mark.parametrize("name", [name for name in EXPORTS if name != "fiftyone images"])
def test_predictions_are_written_and_are_no_labels(name, tmp_path):
    (tmp_path / "a").write_text(EXPORTS[name])
    form = FORMATS[name]
    form.write(tmp_path / "b", form.read(tmp_path / "a", ""), ORDER)
    text = (tmp_path / "b").read_text()
    assert text.index("fog") < text.index("hail")
    assert [item.label for item in form.read(tmp_path / "b", "")] == [None, None, "dry"]


def test_label_studio_predictions(tmp_path):
    (tmp_path / "a.json").write_text(label_studio())
    form = FORMATS["label-studio"]
    form.write(tmp_path / "b.json", form.read(tmp_path / "a.json", ""), ORDER)
    first, _, last = json.loads((tmp_path / "b.json").read_text())
    (prediction,) = first["predictions"]
    assert prediction["score"] == 0.0
    assert prediction["result"] == [{**choices("fog"), "score": 0.6}]
    assert "predictions" not in last
    assert last["meta"] == {"from": "us"}
    assert len(last["annotations"]) == 3


def test_cvat_keeps_what_it_does_not_read(tmp_path):
    (tmp_path / "a.xml").write_text(CVAT)
    form = FORMATS["cvat"]
    form.write(tmp_path / "b.xml", form.read(tmp_path / "a.xml", ""), ORDER)
    text = (tmp_path / "b.xml").read_text()
    for kept in ('<box label="cloud"', '<attribute name="sure">yes', "<name>weather</name>"):
        assert kept in text
    assert text.index('id="9"') < text.index('id="8"') < text.index('id="7"')


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("label-studio", "[", "cannot read 'x' as JSON"),
        ("label-studio", "[3]", "holds int; expected JSON objects"),
        ("label-studio", '[{"id": 1}]', "task '1' has data of type NoneType; expected dict"),
        ("label-studio", '[{"id": 1, "data": {"a": []}}]', "has no text, image or number"),
        ("doccano", '{"text": "a", "label": ["x", "y"]}', r"labels \['x', 'y'\]; expected one"),
        ("doccano", "{}\n{", "one JSON object a line"),
        ("argilla", '[{"id": 1, "fields": "a"}]', "fields of type str; expected dict"),
        ("fiftyone", '{"images": []}', "neither 'samples' nor 'labels'"),
        ("fiftyone", '{"classes": ["a"], "labels": {"i": 4}}', "has the class 4; there are 1"),
        ("cvat", "<annotations>", "cannot read 'x' as XML"),
        ("cvat", "<a/>", "root 'a' and the version None"),
        ("cvat", "<!DOCTYPE a><annotations/>", "declares a document type"),
        ("cvat", "<annotations><version>1.1</version></annotations>", "has no images"),
    ],
)
def test_what_cannot_be_read_is_said(name, text, message, tmp_path):
    (tmp_path / "x").write_text(text)
    with pytest.raises(DataError, match=message):
        FORMATS[name].read(tmp_path / "x", "")


def test_content_names_the_field(tmp_path):
    (tmp_path / "x").write_text('{"text": "no", "body": "yes"}')
    assert FORMATS["doccano"].read(tmp_path / "x", "body")[0].text == "yes"
    with pytest.raises(DataError, match="no text or image 'head'; it has text, body"):
        FORMATS["doccano"].read(tmp_path / "x", "head")


def test_unknown_format():
    with pytest.raises(UnknownNameError, match="unknown format of tasks 'dokkano'"):
        FORMATS["dokkano"]


def test_texts_become_numbers_that_tell_them_apart():
    kinds = [["ship sea sail port", "dog cat pet fur"][i % 2].split() for i in range(40)]
    rng = np.random.default_rng(0)
    items = [Item(str(i), text=" ".join(rng.permutation(k))) for i, k in enumerate(kinds)]
    X = item_columns(items)
    np.testing.assert_array_equal(X, item_columns(items))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    alike = unit @ unit.T
    assert alike[::2, ::2].min() > alike[::2, 1::2].max() + 0.2
    with pytest.raises(DataError, match="fewer than two different texts"):
        item_columns([Item("1", text="."), Item("2", text="same"), Item("3", text="same")])


def test_images_become_small_pictures(tmp_path):
    from PIL import Image

    Image.new("RGB", (40, 30), "white").save(tmp_path / "w.png")
    Image.new("L", (16, 16), 0).save(tmp_path / "b.png")
    items = [Item("1", image="w.png"), Item("2", image=f"file://{tmp_path}/b.png")]
    X = item_columns(items, tmp_path)
    np.testing.assert_allclose(X.mean(axis=1), [1.0, 0.0])
    with pytest.raises(DataError, match="there is no image"):
        item_columns([Item("1", image="none.png")], tmp_path)
    with pytest.raises(DataError, match="on a server, and nothing is fetched"):
        item_columns([Item("1", image="https://example.org/a.png")])
    (tmp_path / "t.png").write_text("text")
    with pytest.raises(DataError, match="cannot be read as an image"):
        item_columns([Item("1", image="t.png")], tmp_path)


def test_fields_become_columns():
    items = [Item(str(i), fields={"a": i, "b": "xy"[i % 2], "c": 1}) for i in range(4)]
    X = item_columns(items)
    assert X.shape == (4, 3)
    with pytest.raises(DataError, match="task '9' has neither a text nor an image"):
        item_columns([*items, Item("9", fields={"a": 1})])


def test_items_must_differ():
    with pytest.raises(DataError, match="'f' holds no tasks"):
        check_items([], "f")
    with pytest.raises(DataError, match="two tasks with the id '1'"):
        check_items([Item("1"), Item("1")], "f")
