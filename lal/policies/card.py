"""Cards: what a policy says of itself, as a mapping and as text, Markdown or HTML."""

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lal.errors import printable
from lal.policies.scoring.ops import need

NOT_MEASURED = "not measured"

COUNTS = {
    "n_states": "states", "n_rows": "rows", "n_episodes": "episodes", "n_tasks": "tasks",
    "steps": "steps", "gradient_steps": "gradient steps",
}  # fmt: skip
"""What cards count of a training."""

LONGEST_LINE = 20_000
"""Letters of a line of a card: long lists of data sets fit, a whole file does not."""

AGAINST = ("margin", "random", "untrained", "shuffled")
"""What the card of a pool policy compares with; a missing comparison is shown as missing."""

REQUIRED = ("random", "untrained", "shuffled")
"""The same for other kinds."""


@dataclass(frozen=True)
class Section:
    """A part of a card: lines, or a table."""

    title: str
    lines: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=list)


class Card(dict[str, Any]):
    """The plain JSON values that a policy file holds of its training and evidence.

    It is a dictionary; ``print(card)`` shows it as text, a notebook as HTML.

    Args:
        values: The JSON values.
        about: What is known of the policy itself: name, features, batch rule, screening; of
            kinds that are not for pools: name and ``inputs``, what they look at.
    """

    def __init__(self, values: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.about = dict(about)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as values and what the policy said."""
        return Card, (dict(self), self.about)

    def sections(self) -> list[Section]:
        """Return the parts of the card in order; what a stranger wrote is one printable line."""
        return [_shown(part) for part in self._sections()]

    def _sections(self) -> list[Section]:
        return [
            Section("Trained on", [*_trained_on(self), *_made_by(self)]),
            Section("Made for", [*_made_for(self)]),
            Section("Looks at", [*_looks_at(self.about)]),
            _results(self, AGAINST if "inputs" not in self.about else REQUIRED),
            Section("Do not use when", [*_warnings(self)]),
        ]

    @property
    def _name(self) -> str:
        return printable(self.about["name"])

    @property
    def _summary(self) -> str:
        said = self.get("summary", "")
        return printable(said, longest=LONGEST_LINE) if said else ""

    def __str__(self) -> str:
        """Return the card as text for a terminal."""
        lines = [f"policy {self._name}", self._summary]
        for section in self.sections():
            lines += ["", section.title, *[f"  {line}" for line in section.lines]]
            lines += [f"  {line}" for line in _columns([section.header, *section.rows])]
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """Return the card as Markdown; raw HTML and links of the file are escaped."""
        lines = [f"# Policy {_escaped(self._name)}", "", _escaped(self._summary)]
        for section in self.sections():
            lines += ["", f"## {section.title}"]
            lines += [f"- {_escaped(line)}" for line in section.lines]
            if section.rows:
                lines += [
                    "",
                    f"| {' | '.join(map(_escaped, section.header))} |",
                    "|---" * len(section.header) + "|",
                ]
                lines += [f"| {' | '.join(map(_escaped, row))} |" for row in section.rows]
        return "\n".join([*lines, ""])

    def to_html(self) -> str:
        """Return the card as a piece of HTML; everything from the file is escaped."""
        parts = [
            f"<h2>Policy {html.escape(self._name)}</h2>",
            f"<p>{html.escape(self._summary)}</p>",
        ]
        for section in self.sections():
            parts.append(f"<h3>{html.escape(section.title)}</h3>")
            if section.lines:
                items = "".join(f"<li>{html.escape(line)}</li>" for line in section.lines)
                parts.append(f"<ul>{items}</ul>")
            if section.rows:
                body = "".join(_html_row(row, "td") for row in section.rows)
                parts.append(f"<table>{_html_row(section.header, 'th')}{body}</table>")
        return f'<div class="lal-card">{"".join(parts)}</div>'

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return self.to_html()


def _shown(part: Section) -> Section:
    """Return a part without line ends and escape sequences, which a terminal would obey."""
    lines = [printable(line, longest=LONGEST_LINE) for line in part.lines]
    rows = [[printable(cell) if cell else "" for cell in row] for row in (part.header, *part.rows)]
    return Section(part.title, lines, rows[0], rows[1:])


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it stands: no HTML, no link, no further column."""
    safe = html.escape(text, quote=False).replace("|", "\\|").replace("`", "\\`")
    return safe.replace("](", "]\\(")


def _html_row(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    rows = [row for row in rows if row]
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_words(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(dict.fromkeys(_words(v) for v in value))
    return str(value)


def _trained_on(card: Mapping[str, Any]) -> Iterator[str]:
    said = card.get("trained_on")
    if said:
        yield _words(said)
    if "bank" in card:
        yield f"episodes of classes of the bank {card['bank']}"
    for key, unit in COUNTS.items():
        if key in card:
            yield f"{card[key]} {unit}"
    if "share_synthetic" in card:
        yield f"share of synthetic tasks: {float(card['share_synthetic']):.0%}"
    if card.get("data"):
        yield f"data sets: {_words(list(card['data']))}"
    if card.get("families_held_out"):
        yield f"families held out: {_words(card['families_held_out'])}"
    if card.get("control", "none") != "none":
        yield f"a control: {card['control']}"
    if not any(k in card for k in ("trained_on", "bank", *COUNTS, "data")):
        yield "the file does not say"


def _made_by(card: Mapping[str, Any]) -> Iterator[str]:
    made = card.get("made_by")
    if isinstance(made, Mapping):
        command, commit = _words(made.get("command", "")), _words(made.get("commit", ""))
        yield f"made by: {command} (commit {commit})"
    code = card.get("code")
    if isinstance(code, Mapping):
        version, digest = _words(code.get("version", "")), _words(code.get("sha256", ""))
        yield f"trained by version {version}, sha256 of the code {digest[:16]}"


def _made_for(card: Mapping[str, Any]) -> Iterator[str]:
    if card.get("made_for"):
        yield _words(card["made_for"])
        return
    learners, budget = card.get("learners"), card.get("budget")
    yield f"learners: {_words(learners) if learners else 'the file does not say'}"
    yield f"budget: {f'{_words(budget)} labels' if budget else 'the file does not say'}"
    names = {
        "n_classes": "classes",
        "n_columns": "columns",
        "n_labelled": "labels",
        "n_pool": "rows",
    }
    for what, (low, high) in dict(card.get("ranges", {})).items():
        yield f"{names.get(what, what)}: {low} to {high}"


def _looks_at(about: Mapping[str, Any]) -> Iterator[str]:
    if "inputs" in about:
        yield _words(about["inputs"])
        return
    yield f"candidate features: {_words(about['candidate_features'])}"
    if about["context_features"]:
        yield f"context features: {_words(about['context_features'])}"
    yield f"batch: {about['batch_rule']}"
    if about["screening"] == "none":
        yield "large pools: every row is scored"
    else:
        yield (
            f"large pools: screening {about['screening']!r} chooses {about['screened']} rows that "
            "are scored in full"
        )
    if not about["class_symmetric"]:
        yield "renaming classes changes what is asked"


def _results(card: Mapping[str, Any], against: Sequence[str]) -> Section:
    evidence = card.get("evidence", {})
    if isinstance(evidence, str):
        return Section("Results", [evidence])
    found = {name: _interval(row) for name, row in evidence.get("against", {}).items()}
    for name, pair in card.get("did_it_learn", {}).items():
        if name != "learned" and name not in found:  # a mean and half the width of its interval
            low, high = 100 * (pair[0] - pair[1]), 100 * (pair[0] + pair[1])
            found[name] = (f"{100 * pair[0]:+.2f}", f"[{low:+.2f}, {high:+.2f}]", "")
    rows = []
    for name in [*against, *(n for n in found if n not in against)]:
        rows.append((name, *found.get(name, (NOT_MEASURED, "", ""))))
    measure = str(card.get("measure") or _metric(evidence))
    header = ("against", measure, "95 % interval", "wins/ties/losses")
    return Section("Results", [*_findings(card, evidence)], header, rows)


def _interval(row: Mapping[str, Any]) -> tuple[str, str, str]:
    record = "/".join(str(n) for n in row.get("wins_ties_losses", []))
    return f"{row['points']:+.2f}", f"[{row['low']:+.2f}, {row['high']:+.2f}]", record


def _metric(evidence: Mapping[str, Any]) -> str:
    if "measure" in evidence:
        return _words(evidence["measure"])
    return f"points of area, {evidence['metric']}" if "metric" in evidence else "points of area"


def _findings(card: Mapping[str, Any], evidence: Mapping[str, Any]) -> Iterator[str]:
    if "n_sets" in evidence:
        yield f"{evidence['n_sets']} data sets it was not trained on"
    found = card.get("did_it_learn")
    if isinstance(found, Mapping) and "learned" in found:
        said = "yes" if found["learned"] else "NO"
        yield f"did it learn (ahead of random, untrained and shuffled copies): {said}"
    if "command" in evidence:
        yield f"measured by: {evidence['command']}"


def _warnings(card: Mapping[str, Any]) -> Iterator[str]:
    said = card.get("do_not_use_when", [])
    yield from [said] if isinstance(said, str) else map(str, said)
    evidence = card.get("evidence", {})
    worst = None if isinstance(evidence, str) else evidence.get("worst")
    if worst:
        yield f"the data are like {worst[0]}, where it was worst: {worst[1]:+.2f} points"
    if card.get("did_it_learn", {}).get("learned") is False:
        yield "you need more than its untrained or shuffled copies give: it was not shown to learn"
    if card.get("ranges"):
        yield "the task lies outside the ranges above; a query then warns once"


def check_card(card: Mapping[str, Any]) -> None:
    """Refuse a card whose known parts are not what they are read as; further parts are free.

    Raises:
        PolicyFileError: Names the part.
    """
    for name in ("ranges", "did_it_learn"):
        need(isinstance(card.get(name, {}), Mapping), f"the card's {name!r} must be an object")
    for what, pair in card.get("ranges", {}).items():
        need(_numbers(pair, 2), f"the card's range of {what!r} must be two numbers")
    for name, value in card.get("did_it_learn", {}).items():
        fits = isinstance(value, bool) if name == "learned" else _numbers(value, 2)
        need(fits, f"{name!r} of the card's 'did_it_learn' must be a mean and half an interval")
    evidence = card.get("evidence", {})
    if not isinstance(evidence, str):
        need(isinstance(evidence, Mapping), "the card's 'evidence' must be an object or a text")
        _check_evidence(evidence)
    said = card.get("do_not_use_when", [])
    need(isinstance(said, str | list | tuple), "the card's 'do_not_use_when' must be a list")
    share = card.get("share_synthetic", 0.0)
    need(_numbers([share], 1), "the card's 'share_synthetic' must be a number")
    data = card.get("data", {})
    need(isinstance(data, Mapping | list | tuple), "the card's 'data' must be an object or a list")


def _check_evidence(evidence: Mapping[str, Any]) -> None:
    against = evidence.get("against", {})
    need(isinstance(against, Mapping), "the card's 'against' must be an object")
    for name, row in against.items():
        fits = isinstance(row, Mapping) and isinstance(row.get("wins_ties_losses", []), list)
        fits = fits and _numbers([row.get(k) for k in ("points", "low", "high")], 3)
        need(fits, f"the card's comparison with {name!r} must hold points, low and high")
    worst = evidence.get("worst")
    fits = worst is None or (isinstance(worst, list) and len(worst) == 2 and _numbers(worst[1:], 1))
    need(fits, "the card's 'worst' must be a name and a number")


def _numbers(values: Any, n: int) -> bool:
    if not isinstance(values, list | tuple) or len(values) != n:
        return False
    return all(type(v) in (int, float) and abs(v) < 1e12 for v in values)
