"""Text as an image, for environments whose picture is a few lines."""

import numpy as np
from numpy.typing import NDArray

from lal.registry import require


def text_image(text: str, n_lines: int, width: int = 480) -> NDArray[np.uint8]:
    """Return an image (16 n_lines, width, 3) of the first `n_lines` lines of a text."""
    figure_module = require("matplotlib.figure", "report")
    agg = require("matplotlib.backends.backend_agg", "report")
    figure = figure_module.Figure(figsize=(width / 100, 16 * n_lines / 100), dpi=100)
    canvas = agg.FigureCanvasAgg(figure)
    shown = "\n".join(text.splitlines()[:n_lines])
    figure.text(0.01, 0.98, shown, family="monospace", fontsize=8, va="top")
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3].copy()
