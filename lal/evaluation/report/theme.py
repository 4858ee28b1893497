"""Colours of the page and its charts: one light and one dark palette, as CSS variables.

Charts are drawn in the light palette; on the page each of its colours becomes the variable, so that
the page's switch recolours them.
"""

from collections.abc import Mapping

Dash = str | tuple[int, tuple[int, ...]]
"""A line style of matplotlib: a name, or offset and pattern."""

LIGHT: Mapping[str, str] = {
    "bg": "#fdfdfc", "ink": "#1b1b1b", "soft": "#5c5c5c", "rule": "#d9d9d6", "card": "#f3f3f0",
    "rope": "#c9a800",
    "c0": "#0072b2", "c1": "#c04f00", "c2": "#5f5f5f", "c3": "#00795a", "c4": "#a34a8f",
    "c5": "#7a6000", "c6": "#2474a6", "c7": "#1b1b1c",
    "m4": "#a84300", "m3": "#c9712f", "m2": "#eaa877", "m1": "#f6d9c2", "h0": "#ececea",
    "p1": "#cfe3f1", "p2": "#93c3e3", "p3": "#3d8cc0", "p4": "#00568a", "on4": "#ffffff",
}  # fmt: skip
"""Strategies (``c0`` to ``c7``), and shades below and above zero (``m4`` to ``p4``)."""

DARK: Mapping[str, str] = {
    "bg": "#16181a", "ink": "#ececea", "soft": "#abaeae", "rule": "#3a3d40", "card": "#1f2225",
    "rope": "#f0e442",
    "c0": "#56b4e9", "c1": "#ff9a4d", "c2": "#b5b5b5", "c3": "#2fd3a2", "c4": "#e29bcb",
    "c5": "#f0e442", "c6": "#8fcdf0", "c7": "#ececea",
    "m4": "#ffb27a", "m3": "#d88545", "m2": "#8f5426", "m1": "#56341c", "h0": "#2b2e31",
    "p1": "#1d3d52", "p2": "#27618a", "p3": "#5aa7d8", "p4": "#a5d8f7", "on4": "#10161a",
}  # fmt: skip

DASHES: tuple[Dash, ...] = (
    "-", (0, (7, 3)), (0, (2, 3)), (0, (9, 3, 2, 3)), (0, (4, 4)), (0, (12, 4)), (0, (1, 4)),
    (0, (14, 3, 3, 3)),
)  # fmt: skip
"""Line styles of the strategies, so that colour is never the only sign."""

N_STYLES = len(DASHES)
"""Colours with dashes; further strategies share them."""


def css_variables(palette: Mapping[str, str]) -> str:
    """Return a palette as CSS declarations."""
    return " ".join(f"--{name}: {colour};" for name, colour in palette.items())


def css_strokes() -> str:
    """Return the CSS of strategy colours with their dashes, for the legend and the player."""
    rules = []
    for i, dash in enumerate(DASHES):
        pattern = "none" if isinstance(dash, str) else " ".join(map(str, dash[1]))
        rules.append(f".c{i} {{ stroke: var(--c{i}); stroke-dasharray: {pattern}; }}")
    return "\n".join(rules)


def with_variables(svg: str) -> str:
    """Return an SVG text with each colour of the light palette replaced by its variable."""
    for name, colour in LIGHT.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg
