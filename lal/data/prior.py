"""The synthetic task prior: a distribution over recipes, wide enough to cover real tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lal.data.dataset import Dataset
from lal.data.generators import FEW_COLUMNS, GENERATORS
from lal.data.recipes import Recipe, compose
from lal.errors import UsageError

MANY_REGIONS = 5
"""Boards and shells of more classes cannot be learned from a few hundred rows."""


@dataclass(frozen=True)
class PriorConfig:
    """Ranges that recipes are drawn from; pairs are (smallest, largest), both included.

    Attributes:
        rows: N, log-uniform.
        columns: D, log-uniform.
        classes: C, log-uniform, lowered where the rows are too few.
        two_classes: Chance of two classes whatever `classes` says (most tables have two).
        kinds: Weight of each generator.
        rows_a_class: At least so many rows a class on average.
        smallest_share: No class is wanted with a smaller share (half an equal share at most).
        balanced: Chance of equal shares.
        label_noise: Largest share of wrong labels.
        clean: Chance of no wrong labels.
        informative: Share of informative columns, the larger of two uniform draws.
        heavy: Largest share of heavy-tailed columns.
        levels: Largest share of columns with few levels.
        plain: Chance of no heavy-tailed and no levelled columns, each.
    """

    rows: tuple[int, int] = (150, 1000)
    columns: tuple[int, int] = (2, 320)
    classes: tuple[int, int] = (2, 30)
    two_classes: float = 0.45
    kinds: Mapping[str, float] = field(
        default_factory=lambda: {
            "clusters": 3.0,
            "linear": 2.0,
            "nested": 1.0,
            "rings": 0.5,
            "xor": 0.75,
            "checkerboard": 0.75,
            "tree": 2.0,
            "network": 2.0,
            "categorical": 1.5,
        }
    )
    rows_a_class: int = 8
    smallest_share: float = 0.02
    balanced: float = 0.3
    label_noise: float = 0.2
    clean: float = 0.6
    informative: tuple[float, float] = (0.2, 1.0)
    heavy: float = 0.6
    levels: float = 0.8
    plain: float = 0.5

    def __post_init__(self) -> None:
        """Refuse ranges that no recipe can be drawn from."""
        for name, least in (("rows", 20), ("columns", 2), ("classes", 2)):
            low, high = getattr(self, name)
            if not least <= low <= high:
                raise UsageError(f"{name} must be a range from {least} up, got {(low, high)}")
        unknown = sorted(set(self.kinds) - set(GENERATORS))
        if unknown or not any(w > 0 for w in self.kinds.values()):
            raise UsageError(
                f"kinds must be weights of {', '.join(GENERATORS)}, got {dict(self.kinds)}"
            )
        if self.rows[0] < self.rows_a_class * self.classes[0]:
            raise UsageError(
                f"{self.rows[0]} rows cannot hold {self.classes[0]} classes of "
                f"{self.rows_a_class} rows"
            )


def sample_recipe(rng: np.random.Generator, config: PriorConfig | None = None) -> Recipe:
    """Return a recipe drawn from the prior."""
    config = config or PriorConfig()
    rows = log_uniform(rng, *config.rows)
    kind = _draw_kind(rng, config.kinds)
    columns, informative = _draw_columns(rng, config, few=kind in FEW_COLUMNS)
    n_classes = _draw_classes(rng, config, rows)
    if kind in FEW_COLUMNS:
        n_classes = min(n_classes, max(MANY_REGIONS, config.classes[0]))
    return Recipe(
        kind=kind,
        rows=rows,
        columns=columns,
        shares=draw_shares(rng, n_classes, config),
        informative=informative,
        correlated=float(rng.uniform()),
        heavy=0.0 if rng.random() < config.plain else float(rng.uniform(0, config.heavy)),
        levels=0.0 if rng.random() < config.plain else float(rng.uniform(0, config.levels)),
        label_noise=(
            0.0 if rng.random() < config.clean else float(rng.uniform(0, config.label_noise))
        ),
    )


def sample_dataset(rng: np.random.Generator, config: PriorConfig | None = None) -> Dataset:
    """Return a data set drawn from the prior.

    Its family is that of its kind, so whole kinds can be held out; boards belong to the family of
    all checkerboards.

    Args:
        rng: Source of all its randomness.
        config: Ranges; the default prior when None.
    """
    recipe = sample_recipe(rng, config)
    return compose(rng, recipe, name=f"prior_{recipe.kind}", source="prior")


def log_uniform(rng: np.random.Generator, low: int, high: int) -> int:
    """Return an integer from low to high, uniform on the logarithmic scale."""
    value = np.exp(rng.uniform(np.log(low), np.log(high + 1)))
    return min(int(value), high)


def _draw_kind(rng: np.random.Generator, kinds: Mapping[str, float]) -> str:
    names = sorted(kinds)
    weights = np.array([kinds[k] for k in names], dtype=np.float64)
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def _draw_columns(rng: np.random.Generator, config: PriorConfig, *, few: bool) -> tuple[int, int]:
    """Return the number of columns and how many of them are informative."""
    low, high = config.columns
    if few and rng.random() < 0.8:
        high = min(high, max(low, 12))
    columns = log_uniform(rng, low, high)
    if few:
        return columns, min(columns, int(rng.integers(2, 5)))
    share = rng.uniform(*config.informative, size=2).max()
    return columns, min(columns, max(int(np.ceil(columns * share)), 2))


def _draw_classes(rng: np.random.Generator, config: PriorConfig, rows: int) -> int:
    low, high = config.classes
    if low == 2 and rng.random() < config.two_classes:
        return 2
    return max(low, min(log_uniform(rng, low, high), rows // config.rows_a_class))


def draw_shares(rng: np.random.Generator, n_classes: int, config: PriorConfig) -> tuple[float, ...]:
    """Return the shares of the classes: equal, or a Dirichlet draw floored at the smallest."""
    if rng.random() < config.balanced:
        return (1.0 / n_classes,) * n_classes
    raw = rng.dirichlet(np.full(n_classes, rng.uniform(0.5, 5.0)))
    floor = min(config.smallest_share, 0.5 / n_classes)
    shares = floor + (1.0 - n_classes * floor) * raw
    return tuple(float(s) for s in shares / shares.sum())
