"""SYNTHESIS: strategies that make up what they ask about, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.registry import Registry
from lal.strategies.committee import consensus_divergence
from lal.strategies.uncertainty import margin_utility
from lal.synthesis.episode import SynthesisState, SynthesisStrategy
from lal.synthesis.questions import Answer, Line, Point, Row
from lal.synthesis.search import entropy, gradient, log_odds, to_zero, uphill

SYNTHESIS: Registry[Callable[..., SynthesisStrategy]] = Registry("synthesis strategy")
for _name, _where in {
    "random_point": "strategies:RandomPoint",
    "random_row": "strategies:RandomRow",
    "margin_row": "strategies:MarginRow",
    "leaf_query": "leaves:LeafQuery",
    "rule_induction": "leaves:RuleInduction",
    "boundary_line": "strategies:BoundaryLine",
    "boundary_point": "strategies:BoundaryPoint",
    "gaal": "strategies:Gaal",
    "sentence_between": "strategies:Between",
    "asal": "strategies:Asal",
    "bald_row": "strategies:BaldRow",
    "bgadl": "strategies:Bgadl",
}.items():
    SYNTHESIS.add_lazy(_name, f"lal.synthesis.{_where}")


def make_synthesis(name: str, **options: Any) -> SynthesisStrategy:
    """Return the strategy of query synthesis called `name`."""
    return SYNTHESIS[name](**options)


def first_open(state: SynthesisState, utilities: Floats) -> int:
    """Return the real row without a label of largest utility."""
    rows = state.open
    if not len(rows):
        raise UsageError("every real item has a label; lower the budget or give more items")
    return int(rows[np.argmax(utilities[rows])])


@dataclass(frozen=True)
class RandomPoint:
    """A latent drawn as the decoder draws them."""

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Point:
        """Return the next question."""
        return Point(state.decoder.draw(rng, 1)[0])


@dataclass(frozen=True)
class RandomRow:
    """A real item, uniformly."""

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Row:
        """Return the next question."""
        return Row(first_open(state, rng.random(len(state.X_pool))))


@dataclass(frozen=True)
class MarginRow:
    """The real item of smallest margin: margin sampling, to compare with."""

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Row:
        """Return the next question."""
        return Row(first_open(state, margin_utility(state.model.predict_proba(state.X_pool))))


@dataclass(frozen=True)
class BoundaryLine:
    """The latent line through the real item of smallest margin, across the boundary.

    ``z(s) = z_q + s w / |w|`` with w the gradient of the log-odds at z_q; the annotator marks where
    the class changes. Source: Huijser and van Gemert (2017), "Active decision boundary annotation
    with deep generative models". The paper adds the marks to the loss; here both sides of the mark
    are labelled items.

    Args:
        half: Half of its length, in latent units.
    """

    half: float = 3.0

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Line:
        """Return the next question."""
        z = _smallest_margin(state, rng)
        w = gradient(lambda Z: log_odds(state.proba(Z)), z)
        if not w.any():
            w = rng.normal(size=len(z))
        w = w / np.linalg.norm(w)
        return Line(z - self.half * w, z + self.half * w)


@dataclass(frozen=True)
class BoundaryPoint:
    """The decoded latent that `BoundaryLine` draws its line through, to compare with."""

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Point:
        """Return the next question."""
        return Point(_smallest_margin(state, rng))


def _smallest_margin(state: SynthesisState, rng: np.random.Generator) -> Floats:
    """Return the latent of smallest margin among fifty real items, so that lines differ, (d,)."""
    rows = rng.permutation(state.open)[:50]
    Z = state.Z_pool[rows]
    z: Floats = Z[np.argmax(margin_utility(state.proba(Z)))]
    return z


@dataclass(frozen=True)
class Gaal:
    """``argmin_z f(G(z))^2`` from a random latent, f the log-odds.

    Source: Zhu and Bento (2017), "Generative adversarial active learning", equation 3; the
    generator is any decoder. The paper itself finds it behind pool margin with many labels.
    """

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Point:
        """Return the next question."""
        start = state.decoder.draw(rng, 1)[0]
        return Point(to_zero(lambda Z: log_odds(state.proba(Z)), start, state.decoder.reach))


@dataclass(frozen=True)
class Between:
    """The most uncertain of latents between two labelled items of different classes.

    Source: Schumann and Rehbein (2019), "Active learning via membership query synthesis for
    semi-supervised sentence classification": latents between labelled sentences near the
    boundary, decoded. What makes no sense is refused by the annotator, and paid. The noise is
    ours: without it, no word would come up that no labelled sentence has.

    Args:
        n_pairs: Pairs that are tried.
        n_places: Places between the two, the ends left out.
        noise: Standard deviation around those places.
    """

    n_pairs: int = 10
    n_places: int = 9
    noise: float = 0.7

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Point:
        """Return the next question."""
        Z = state.decoder.encode(state.X)
        pairs = rng.integers(len(Z), size=(4 * self.n_pairs, 2))
        pairs = pairs[state.y[pairs[:, 0]] != state.y[pairs[:, 1]]][: self.n_pairs]
        if not len(pairs):
            return Point(state.decoder.draw(rng, 1)[0])
        share = np.linspace(0.0, 1.0, self.n_places + 2)[1:-1, None, None]
        between = ((1.0 - share) * Z[pairs[:, 0]] + share * Z[pairs[:, 1]]).reshape(-1, Z.shape[1])
        between = between + self.noise * rng.normal(size=between.shape)
        proba = state.proba(between)
        known = {row.tobytes() for row in state.X}
        fresh = [x.tobytes() not in known for x in state.decoder.decode(between)]
        return Point(between[np.argmax(entropy(proba) + np.array(fresh))])


@dataclass(frozen=True)
class Asal:
    """``argmax_z H(p(. | G(z)))``, and the nearest real item to it is labelled.

    Nearness is that of latents, by a tree made once, so a query's time hardly grows with the pool.
    Source: Mayer and Timofte (2020), "Adversarial sampling for active learning".
    """

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Row:
        """Return the next question."""
        z = uphill(lambda Z: entropy(state.proba(Z)), state.decoder.draw(rng, 1)[0],
                   state.decoder.reach)  # fmt: skip
        return Row(nearest_open(state, z))


def nearest_open(state: SynthesisState, z: Floats) -> int:
    """Return the real row without a label that is nearest to a latent."""
    if "tree" not in state.memo:
        from scipy.spatial import KDTree

        state.memo["tree"] = KDTree(state.Z_pool)
    known = set(state.rows.tolist())
    if len(known) == len(state.X_pool):
        raise UsageError("every real item has a label; lower the budget or give more items")
    _, near = state.memo["tree"].query(z, k=len(known) + 1)
    return next(int(row) for row in np.atleast_1d(near) if int(row) not in known)


@dataclass(frozen=True)
class BaldRow:
    """The real item with most information about the parameters, by draws from the posterior.

    Args:
        n_draws: Draws.
    """

    n_draws: int = 20

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Row:
        """Return the next question."""
        draw = getattr(state.model, "sample_proba", None)
        drawn = None if draw is None else draw(state.X_pool, self.n_draws, rng)
        if drawn is None:
            raise UsageError("bald_row needs a learner with sample_proba, as 'logistic_regression'")
        return Row(first_open(state, consensus_divergence(drawn)))


@dataclass(frozen=True)
class Bgadl(BaldRow):
    """`BaldRow`, and an item made up near the answer with the same class, at no cost.

    ``x' = G(E(x*) + pull (m_y - E(x*)) + noise s_y e)`` with mean m_y and standard deviation s_y of
    the labelled latents of the class. Source: Tran, Do, Reid and Carneiro (2019), "Bayesian
    generative active deep learning"; theirs is a conditional VAE with a discriminator.

    Args:
        pull: Towards the mean of the class.
        noise: In standard deviations of the class.
    """

    pull: float = 0.2
    noise: float = 0.2

    def augment(
        self, state: SynthesisState, answer: Answer, rng: np.random.Generator
    ) -> tuple[Floats, Ints, Floats]:
        """Return items with their classes and weights; they enter the fit alone."""
        X, y = np.concatenate([state.X, answer.X]), np.concatenate([state.y, answer.y])
        Z, z = state.decoder.encode(X), state.decoder.encode(answer.X)
        own = Z[y == answer.y[0]]
        made = z + self.pull * (own.mean(axis=0) - z)
        made = made + self.noise * own.std(axis=0) * rng.normal(size=z.shape)
        return state.decoder.decode(made), answer.y, answer.weight
