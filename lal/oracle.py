"""Oracle: the hidden labels. It reveals one at a time and counts."""

from lal.arrays import Ints, Labels
from lal.errors import FirewallError, UsageError


class Oracle:
    """Answers queries about the pool's hidden labels.

    Only the loop and the environments hold one; a strategy is given a `QueryState`, which has no
    way back to it.

    Args:
        labels: Of every sample, shape (N,).
        pixels: Where samples are regions, the classes of their pixels, shape (N, P), or None.
    """

    def __init__(self, labels: Labels, pixels: Ints | None = None) -> None:
        self.__labels = labels.copy()
        self.__pixels = None if pixels is None else pixels.copy()
        self.__revealed: set[int] = set()
        self.n_revealed = 0

    def __len__(self) -> int:
        """Return the number of samples it knows."""
        return len(self.__labels)

    def __repr__(self) -> str:
        """Return a text without labels."""
        return f"Oracle({len(self)} samples, {self.n_revealed} revealed)"

    def __getstate__(self) -> object:
        """Refuse to be pickled: labels must not travel with what a strategy may hold."""
        raise FirewallError("an Oracle holds hidden labels and is not pickled; rebuild the episode")

    def reveal(self, index: int) -> float:
        """Return the label of one sample (a class code, or a number) and count it as acquired."""
        if not 0 <= index < len(self):
            raise UsageError(f"sample {index} is not known; the oracle has {len(self)} samples")
        self.n_revealed += 1
        self.__revealed.add(int(index))
        label: float = self.__labels[index].item()
        return label

    def pixels(self, index: int) -> Ints | None:
        """Return the classes of the pixels of a sample that was revealed; None where it has none.

        Raises:
            FirewallError: Its label was not acquired.
        """
        if int(index) not in self.__revealed:
            raise FirewallError(f"sample {index} was not acquired; call reveal first")
        return None if self.__pixels is None else self.__pixels[index].copy()
