"""CSV files: cells as they stand in the file, separators told apart, copies byte for byte."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lal.data.csv_text import DELIMITERS, read_csv
from lal.errors import DataError

BORDER = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

cells = st.lists(
    st.sampled_from(
        ["a", "b1", '"', ",", ";", "|", "\t", "\n", "\r\n", " ", "ä", "'", "2,5", "NA"]
    ),
    max_size=4,
).map("".join)

tables = st.integers(2, 5).flatmap(
    lambda width: st.lists(
        st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6
    )
)  # fmt: skip


def written(rows, delimiter, end, quoting=csv.QUOTE_MINIMAL):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([[f"h{j}" for j in range(len(rows[0]))], *rows])
    return out.getvalue()


@BORDER
@given(
    rows=tables,
    delimiter=st.sampled_from(list(DELIMITERS)),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    start=st.sampled_from(["", "\ufeff"]),
)
def test_what_a_csv_writer_wrote_comes_back(tmp_path, rows, delimiter, end, quoting, start):
    path = tmp_path / "t.csv"
    path.write_bytes((start + written(rows, delimiter, end, quoting)).encode())
    found = read_csv(path)
    assert [list(row) for row in zip(*found.columns, strict=True)] == rows
    assert found.header == tuple(f"h{j}" for j in range(len(rows[0])))


@BORDER
@given(
    rows=tables,
    delimiter=st.sampled_from(list(DELIMITERS)),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    label=cells.filter(lambda cell: cell == cell.strip() and cell),
    new=st.booleans(),
    data=st.data(),
)
def test_a_filled_copy_changes_its_cells_and_no_others(
    tmp_path, rows, delimiter, end, quoting, label, new, data
):
    path = tmp_path / "t.csv"
    path.write_bytes(written(rows, delimiter, end, quoting).encode())
    before = read_csv(path)
    chosen = data.draw(st.sets(st.integers(0, len(rows) - 1)))
    column = "target" if new else "h1"
    text = before.filled({column: dict.fromkeys(chosen, label)})
    (tmp_path / "out.csv").write_bytes(text.encode())
    after = read_csv(tmp_path / "out.csv")
    expected = [[*row, ""] if new else list(row) for row in rows]
    for row in chosen:
        if new or expected[row][1].strip() != label:
            expected[row][-1 if new else 1] = label
    assert [list(row) for row in zip(*after.columns, strict=True)] == expected
    if not chosen and not new:
        assert text == before.text


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_bytes_are_read_or_refused_by_name(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    found, refusal = None, "'t.csv'"
    try:
        found = read_csv(path)
    except DataError as error:
        refusal = str(error)
    assert "'t.csv'" in refusal
    if found is not None:
        assert found.n_rows == len(found.columns[0]) > 0
        assert found.filled({found.header[0]: {}}) == content.decode()


def test_quotes_line_ends_empty_lines_and_the_mark_are_kept(tmp_path):
    text = (
        '\ufeff"id";note;"label"\r\n1;"a\r\nb; c";""\r\n\r\n2;say "hi";"x"\n3;;\r4;" y" z;no'
    )  # fmt: skip
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    found = read_csv(path)
    assert found.columns[1] == ("a\r\nb; c", 'say "hi"', "", " y z")
    changed = found.filled({"label": {0: "yes", 1: "x", 2: "a;b", 3: "no"}})
    assert changed == text.replace('c";""', 'c";"yes"').replace("3;;", '3;;"a;b"')
    added = found.filled({"new": {3: "n"}})
    assert added.startswith('\ufeff"id";note;"label";new\r\n1;"a\r\nb; c";"";\r\n\r\n2;')
    assert added.endswith(';no;n')  # fmt: skip


@pytest.mark.parametrize(
    ("text", "delimiter", "header"),
    [
        ('id;"w, mm";"h, mm, max";l\n1;2;3;4\n', ";", ("id", "w, mm", "h, mm, max", "l")),
        ("id;w, mm;h, mm;a, b, l\n1;2;3;4\n5;6;7;8\n", ";", ("id", "w, mm", "h, mm", "a, b, l")),
        ("sep=;\na;b\n1,5;2,5\n", ";", ("a", "b")),
        ("SEP=|\r\na|b\r\n1|2\r\n", "|", ("a", "b")),
        ("\ufeffsep=,\na;b,c\n1,2\n", ",", ("a;b", "c")),
        ("a\tb\n1,5\t2,5\n", "\t", ("a", "b")),
        ("a|b|c\n1|2|3\n", "|", ("a", "b", "c")),
        ("text\nhello\n", ",", ("text",)),
        ("a;b\n1,5;2\n1,5;3\n", ";", ("a", "b")),
        (",a,,b\n0,1,,2\n", ",", ("", "a", "", "b")),
    ],
)  # fmt: skip
def test_separators_are_told_apart(tmp_path, text, delimiter, header):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    found = read_csv(path)
    assert (found.delimiter, found.header) == (delimiter, header)
    assert found.filled({"new": {}}).splitlines()[-1].endswith(delimiter)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "'t.csv' is empty"),
        (b"\xef\xbb\xbfsep=;\n", "'t.csv' is empty"),
        (b"a,b\n\n\n", "'t.csv' is empty"),
        (b"a,b\n1,2\n3\n", "row 2 of 't.csv' has 1 cells; the header has 2 .* by commas"),
        (b"a;b\n1;2\n3;4;5\n", "row 2 of 't.csv' has 3 cells; the header has 2 .* by semicolons"),
        (b'a,b\n1,"2\n3,4\n5,6\n', "a quote that opens in row 1 of 't.csv' is never closed"),
        (b"a,b,a\n1,2,3\n", "two columns called 'a'"),
        ("a,b\n1,ä\n".encode("latin-1"), "cannot read 't.csv' as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "null characters; save it as UTF-8"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_csv(path)
