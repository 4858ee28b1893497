"""The synthetic task prior: a distribution over recipes, wide enough to cover real tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lal.data.dataset import Dataset
from lal.data.generators import DISCRETE, FEW_COLUMNS, GENERATORS
from lal.data.recipes import Recipe, compose
from lal.errors import UsageError

PRIOR_VERSION = 2
"""Raised whenever equal seeds give other data sets; policy cards name it. 1: the first nine kinds,
harder than real tables. 2: rules and factors, near-copies, steep shares, lower ranks and widths."""

MANY_REGIONS = 5
"""Boards and shells of more classes cannot be learned from a few hundred rows."""


NARROW = 60
"""Columns of most tables, at most."""


FEWEST = 4
"""Columns of most tables, at least."""


@dataclass(frozen=True)
class PriorConfig:
    """Ranges that recipes are drawn from; pairs are (smallest, largest), both included.

    Attributes:
        rows: N, log-uniform.
        columns: D, log-uniform.
        classes: C, log-uniform, lowered where the rows are too few.
        two_classes: Chance of two classes whatever `classes` says (most tables have two).
        kinds: Weight of each generator.
        rows_a_class: At least so many rows per class on average.
        smallest_share: No class is wanted with a smaller share (half an equal share at most).
        balanced: Chance of equal shares.
        steep: Chance of shares that fall geometrically (a few per cent for the rarest class); twice
            that for rules.
        label_noise: Largest share of wrong labels.
        clean: Chance of no wrong labels.
        informative: Share of informative columns, the larger of two uniform draws.
        heavy: Largest share of heavy-tailed columns.
        levels: Largest share of columns with few levels.
        plain: Chance of no heavy-tailed and no levelled columns, each.
        whole: Chance that all columns are informative.
        narrow: Chance of at most `NARROW` columns.
        repeated: Largest share of near-copies, in a tenth of the data sets.
        rare: Chance of rare classes, in place of the shares above: two to five classes, one at
            least with a share in `rare_shares`.
        rare_shares: Smallest and largest share of a rare class, log-uniform.
        blurred: Chance that the classes of a smooth kind overlap; see `Recipe.blur`.
        blur: Largest spread of the noise that blurs them.
    """

    rows: tuple[int, int] = (150, 1000)
    columns: tuple[int, int] = (2, 320)
    classes: tuple[int, int] = (2, 30)
    two_classes: float = 0.45
    kinds: Mapping[str, float] = field(
        default_factory=lambda: {
            "clusters": 3.0,
            "linear": 1.5,
            "nested": 0.75,
            "rings": 0.5,
            "xor": 0.5,
            "checkerboard": 0.5,
            "tree": 1.5,
            "network": 1.5,
            "categorical": 1.5,
            "rules": 2.5,
            "factors": 4.0,
        }
    )
    rows_a_class: int = 8
    smallest_share: float = 0.02
    balanced: float = 0.3
    steep: float = 0.1
    label_noise: float = 0.2
    clean: float = 0.75
    informative: tuple[float, float] = (0.2, 1.0)
    heavy: float = 0.6
    levels: float = 0.8
    plain: float = 0.5
    whole: float = 0.4
    narrow: float = 0.9
    repeated: float = 0.4
    rare: float = 0.0
    rare_shares: tuple[float, float] = (0.02, 0.15)
    blurred: float = 0.0
    blur: float = 1.0

    def __post_init__(self) -> None:
        """Refuse ranges that no recipe can be drawn from."""
        for name, least in (("rows", 20), ("columns", 2), ("classes", 2)):
            low, high = getattr(self, name)
            if not least <= low <= high:
                raise UsageError(f"{name} must be a range from {least} up, got {(low, high)}")
        low, high = self.rare_shares
        if not 0.0 < low <= high <= 0.2:
            raise UsageError(
                f"rare_shares must be a range above 0 and up to 0.2, got {self.rare_shares}"
            )
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
    correlated, heavy, levels, noise, repeated = rng.uniform(size=5)
    skip = rng.random(size=4) < (config.plain, config.plain, config.clean, 0.9)
    smooth = kind not in DISCRETE
    shares = draw_shares(rng, n_classes, config, steep=(2 if kind == "rules" else 1))
    wrong = 0.0 if skip[2] else float(noise * config.label_noise)
    if config.rare and rng.random() < config.rare:  # draws nothing where it is off
        shares = draw_rare_shares(rng, config)
        wrong *= min(shares)  # more wrong labels than that would be most of a rare class
    return Recipe(
        kind=kind,
        rows=rows,
        columns=columns,
        shares=shares,
        informative=informative,
        correlated=float(correlated),
        heavy=float(heavy * config.heavy) if smooth and not skip[0] else 0.0,
        levels=float(levels * config.levels) if smooth and not skip[1] else 0.0,
        label_noise=wrong,
        repeated=float(repeated * config.repeated) if smooth and not skip[3] else 0.0,
        blur=_draw_blur(rng, config) if smooth else 0.0,
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
    if rng.random() < config.narrow:
        high = min(high, max(low, NARROW))
    elif not few:
        low = max(low, min(NARROW, high))
    if not few and rng.random() < 0.7:
        low = min(max(low, FEWEST), high)
    if few and rng.random() < 0.8:
        high = min(high, max(low, 12))
    columns = log_uniform(rng, low, high)
    whole = rng.random() < config.whole
    if few:
        informative = min(columns, int(rng.integers(2, 5)))
        return (informative if whole else columns), informative
    share = 1.0 if whole else rng.uniform(*config.informative, size=2).max()
    return columns, min(columns, max(int(np.ceil(columns * share)), 2))


def _draw_classes(rng: np.random.Generator, config: PriorConfig, rows: int) -> int:
    low, high = config.classes
    if low == 2 and rng.random() < config.two_classes:
        return 2
    return max(low, min(log_uniform(rng, low, high), rows // config.rows_a_class))


def _draw_blur(rng: np.random.Generator, config: PriorConfig) -> float:
    """Return the spread of the noise that blurs classes; draws nothing where it is off."""
    if not config.blurred or rng.random() >= config.blurred:
        return 0.0
    return float(rng.uniform(0.1, 1.0) * config.blur)


def draw_rare_shares(rng: np.random.Generator, config: PriorConfig) -> tuple[float, ...]:
    """Return the shares of two (half of the draws) to five classes, some of them rare.

    One class at least is rare and one is not; the others are either, and those that are not rare
    share what is left equally.

    Args:
        rng: Source of all randomness.
        config: Range of a rare class's share.
    """
    n_classes = 2 if rng.random() < 0.5 else int(rng.integers(3, 6))
    n_rare = int(rng.integers(1, n_classes))
    low, high = np.log(config.rare_shares)
    rare = np.exp(rng.uniform(low, high, size=n_rare))
    left = (1.0 - rare.sum()) / (n_classes - n_rare)
    shares = rng.permutation(np.r_[rare, np.full(n_classes - n_rare, left)])
    return tuple(float(s) for s in shares)


def draw_shares(
    rng: np.random.Generator, n_classes: int, config: PriorConfig, *, steep: float = 1.0
) -> tuple[float, ...]:
    """Return the shares of the classes, floored at the smallest.

    Equal, falling geometrically, or a Dirichlet draw.

    Args:
        rng: Source of all randomness.
        n_classes: C.
        config: Chances of the three and the floor.
        steep: Multiplies the chance of geometric shares.
    """
    chance = rng.random()
    if chance < config.steep * steep:
        raw = rng.permutation(rng.uniform(0.15, 0.6) ** np.arange(n_classes))
    elif rng.random() < config.balanced:
        return (1.0 / n_classes,) * n_classes
    else:
        raw = rng.dirichlet(np.full(n_classes, rng.uniform(0.5, 5.0)))
    floor = min(config.smallest_share, 0.5 / n_classes)
    shares = floor + (1.0 - n_classes * floor) * raw / raw.sum()
    return tuple(float(s) for s in shares / shares.sum())
