"""CSV files as people keep them: cells by column, and where each row stands in the text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from lal.arrays import Ints
from lal.errors import DataError
from lal.serialization import read_file

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""What may separate cells, and its name in messages."""

SAMPLE = 50
"""Rows that the separator is chosen by."""

BOM = "\ufeff"

QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')

SEPARATOR_LINE = re.compile(r'"?sep=([^\r\n"])"?(?:\r\n|\r|\n)', re.IGNORECASE)
"""First line with which Excel says what separates cells."""


@dataclass(frozen=True, eq=False)
class CsvText:
    """The text of a CSV file and its cells.

    Attributes:
        name: The file's name, for messages.
        text: The whole text, a byte order mark included.
        delimiter: What separates cells.
        spans: Where the header and every row begin and end in the text, without line ends.
        header: Names of the D columns, without the spaces around them.
        columns: Their N cells each, unquoted, as they stand in the file.
    """

    name: str
    text: str
    delimiter: str
    spans: Sequence[tuple[int, int]]
    header: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]

    @property
    def n_rows(self) -> int:
        """Number of rows, N."""
        return len(self.spans) - 1

    def filled(self, cells: Mapping[str, Mapping[int, str]]) -> str:
        """Return the text with cells of columns replaced; columns that are absent are added.

        Everything else stays as it is: other cells, their quotes, line ends, empty lines, the byte
        order mark.

        Args:
            cells: Name of a column to row to its new cell.
        """
        old = {self.header.index(name): new for name, new in cells.items() if name in self.header}
        added = {name: new for name, new in cells.items() if name not in self.header}
        pieces, done = [], 0
        for row, (start, end) in enumerate(self.spans, start=-1):
            changed = {
                place: new[row]
                for place, new in old.items()
                if row in new and self.columns[place][row].strip() != new[row]
            }
            if changed:
                pieces += [self.text[done:start], self._replaced(start, end, changed)]
                done = end
            for name, new in added.items():
                pieces += [self.text[done:end], self.delimiter]
                pieces.append(self._written(name if row < 0 else new.get(row, "")))
                done = end
        return "".join([*pieces, self.text[done:]])

    def _replaced(self, start: int, end: int, cells: Mapping[int, str]) -> str:
        raws = [raw for raw, _ in _tokens(self.delimiter).findall(self.text, start, end)]
        for place, cell in cells.items():
            raws[place] = self._written(cell, quoted=raws[place].startswith('"'))
        return self.delimiter.join(raws[: len(self.header)])

    def _written(self, cell: str, *, quoted: bool = False) -> str:
        special = any(c in cell for c in (self.delimiter, '"', "\r", "\n")) or cell != cell.strip()
        return '"' + cell.replace('"', '""') + '"' if quoted or special else cell


def read_csv(path: Path) -> CsvText:
    """Return the cells of a CSV file (UTF-8); empty lines are passed over.

    Commas, semicolons, tabs and vertical bars are told apart by the first rows, outside quotes; a
    first line ``sep=;`` decides.

    Raises:
        DataError: The file cannot be read, is not UTF-8, has no rows, rows of unequal length, or a
            quote that is never closed.
    """
    text = _decoded(path)
    begin = 1 if text.startswith(BOM) else 0
    said = SEPARATOR_LINE.match(text, begin)
    if said:
        begin = said.end()
    delimiter = said[1] if said else _likely_delimiter(text, begin)
    found = _split(text, begin, delimiter, path.name)
    if found.n_rows < 1:
        raise DataError(f"{path.name!r} is empty; expected a header and labelled rows")
    return found


def _decoded(path: Path) -> str:
    try:
        text = read_file(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"cannot read {path.name!r} as UTF-8 text ({error}); save it as UTF-8"
        ) from error
    if "\0" in text:
        raise DataError(f"cannot read {path.name!r}: it holds null characters; save it as UTF-8")
    return text


@lru_cache(maxsize=16)
def _tokens(delimiter: str) -> re.Pattern[str]:
    """Return what matches a cell as it is written, and what ends it."""
    d = re.escape(delimiter)
    return re.compile(rf'((?:"[^"]*(?:""[^"]*)*"?)?[^{d}\r\n]*)({d}|\r\n|\r|\n|\Z)')


def _likely_delimiter(text: str, begin: int) -> str:
    """Return what splits the first rows into equally many cells, the most, else the header."""
    best, most = ",", (False, 1)
    for delimiter in DELIMITERS:
        widths = list(islice(_widths(text, begin, delimiter), SAMPLE))
        if not widths:
            continue
        found = (min(widths) == max(widths) > 1, widths[0])
        if found > most:
            best, most = delimiter, found
    return best


def _widths(text: str, begin: int, delimiter: str) -> Iterator[int]:
    """Yield the number of cells of one row after the other, without empty lines."""
    width = 0
    for found in _tokens(delimiter).finditer(text, begin):
        width += 1
        if found[2] == delimiter:
            continue
        if width > 1 or found[1]:
            yield width
        width = 0
        if not found[2]:
            return


def _split(text: str, begin: int, delimiter: str, name: str) -> CsvText:
    """Return a text with its cells by column and the spans of its rows."""
    found = _tokens(delimiter).findall(text, begin)
    if len(found) > 1 and not found[-2][1]:
        found.pop()  # the empty match behind a last row without a line end
    raws = [raw for raw, _ in found]
    last = np.flatnonzero([end != delimiter for _, end in found])
    first = np.concatenate([[0], last[:-1] + 1])
    ends = begin + np.cumsum([len(raw) + len(end) for raw, end in found])
    starts = np.concatenate([[begin], ends[last[:-1]]])
    stops = ends[last] - [len(found[i][1]) for i in last.tolist()]
    kept = np.flatnonzero(stops > starts)  # empty lines have no cells
    if len(kept) == 0:
        raise DataError(f"{name!r} is empty; expected a header and labelled rows")
    widths = (last - first + 1)[kept]
    _check_rows(widths, raws[-1], name, delimiter)
    n_columns = int(widths[0])
    if len(kept) < len(last):
        raws = [raw for i in kept.tolist() for raw in raws[first[i] : last[i] + 1]]
    columns = [raws[j::n_columns] for j in range(n_columns)]
    if '"' in text:
        columns = [[_unquoted(r) if r[:1] == '"' else r for r in column] for column in columns]
    header = tuple(column[0].strip() for column in columns)
    _check_header(header, name)
    spans = list(zip(starts[kept].tolist(), stops[kept].tolist(), strict=True))
    return CsvText(name, text, delimiter, spans, header, tuple(tuple(c[1:]) for c in columns))


def _check_rows(widths: Ints, last: str, name: str, delimiter: str) -> None:
    uneven = np.flatnonzero(widths != widths[0])
    said = DELIMITERS.get(delimiter, repr(delimiter))
    if last.startswith('"') and QUOTED.match(last) is None:
        raise DataError(
            f"a quote that opens in row {len(widths) - 1} of {name!r} is never closed; close it, "
            "or write a quote inside a cell twice"
        )
    if len(uneven):
        row = int(uneven[0])
        raise DataError(
            f"row {row} of {name!r} has {widths[row]} cells; the header has {widths[0]} (cells "
            f"are taken to be separated by {said})"
        )


def _check_header(header: Sequence[str], name: str) -> None:
    """Refuse two columns of one name; columns without a name are left out later."""
    twice = sorted({n for n in header if n and header.count(n) > 1})
    if twice:
        raise DataError(f"{name!r} has two columns called {twice[0]!r}; rename one")


def _unquoted(raw: str) -> str:
    """Return a cell as it is meant; what follows a closing quote is taken as it is."""
    found = QUOTED.match(raw)
    return raw if found is None else found[1].replace('""', '"') + raw[found.end() :]
