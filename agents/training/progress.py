"""A progress bar on stderr, or nothing."""

import sys
from typing import Any


class Progress:
    """Moves one bar; without `shown` every call does nothing.

    Args:
        shown: Whether there is a bar.
    """

    def __init__(self, *, shown: bool = False) -> None:
        self.shown = shown
        self._bar: Any = None

    def start(self, total: int, description: str) -> None:
        """Begin a bar of the given length in place of the one before."""
        self.close()
        if self.shown:
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=description, smoothing=0.1, file=sys.stderr)

    def at(self, n: int) -> None:
        """Move the bar to `n`."""
        if self._bar is not None:
            self._bar.update(n - self._bar.n)

    def note(self, text: str) -> None:
        """Show a text behind the bar."""
        if self._bar is not None:
            self._bar.set_postfix_str(text)

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
