"""A task with the answer given away: what any correct learning agent must solve."""

from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.task import Model, Part, Task

SATELLITE = 4.0
"""Distance of a lonely row from the large cluster that it is mistaken for."""


@dataclass(eq=False)
class NearestModel:
    """Probabilities from the distance to the nearest labelled row of every class."""

    n_classes: int
    X: Floats
    y: Ints

    def predict_proba(self, X: Rows) -> Floats:
        """Return softmax of minus the distance to each class, shape (n, C)."""
        if len(self.y) == 0:
            return np.full((len(X), self.n_classes), 1.0 / self.n_classes)
        distance = np.linalg.norm(np.asarray(X)[:, None, :] - self.X[None, :, :], axis=2)
        nearest = np.full((len(X), self.n_classes), np.inf)
        for code in np.unique(self.y):
            nearest[:, code] = distance[:, self.y == code].min(axis=1)
        weight = np.exp(nearest.min(axis=1, keepdims=True) - nearest)
        proba: Floats = weight / weight.sum(axis=1, keepdims=True)
        return proba

    def predict(self, X: Rows) -> Ints:
        """Return the class of the nearest labelled row, shape (n,)."""
        best: Ints = np.argmax(self.predict_proba(X), axis=1)
        return best

    def committee_proba(self, X: Rows) -> Floats | None:
        """Return None: there are no members."""
        return None

    def variance(self, X: Rows) -> Floats | None:
        """Return None: there is no posterior."""
        return None


@dataclass
class NearestLearner:
    """One nearest neighbour with smooth probabilities; deterministic and quick."""

    name: str = "nearest"

    def fit(
        self,
        X: Rows,
        y: Ints,
        *,
        n_classes: int,
        sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> Model:
        """Return the model that remembers the rows; weights and seed change nothing."""
        return NearestModel(n_classes, np.asarray(X, dtype=np.float64), np.asarray(y))


def giveaway_task(
    *, n_cluster: int = 30, n_lonely: int = 8, budget: int = 6, seed: int = 0
) -> Task:
    """Return a binary task in which only lonely rows teach anything, and they stand out.

    Two tight clusters of `n_cluster` rows hold a class each; one label in each settles them. Every
    lonely row lies alone in a direction of its own, nearer to the cluster of the other class, and
    counts for ``1 / (n_lonely + 2)`` of the reward part, which is mistaken until its own label is
    acquired. So with ``reward="accuracy_gain"`` and ``termination="budget"``:

    - always asking for the row furthest from the labelled ones (or least dense, or of the smallest
      margin) earns ``1 / (n_lonely + 2)`` a label, the most there is;
    - random asking earns about ``n_lonely / (2 * n_cluster + n_lonely)`` of that.
    """
    rng = np.random.default_rng(seed)
    d = n_lonely + 1
    first = rng.normal(scale=0.1, size=(n_cluster, d))
    second = rng.normal(scale=0.1, size=(n_cluster, d))
    second[:, 0] -= SATELLITE
    lonely = np.zeros((n_lonely, d))
    lonely[:, 1:] = SATELLITE * np.eye(n_lonely)
    X = np.concatenate([first, second, lonely])
    y = np.repeat([0, 1, 1], [n_cluster, n_cluster, n_lonely]).astype(np.int64)
    order = rng.permutation(len(X))
    centres = np.zeros((2, d))
    centres[1, 0] = -SATELLITE
    reward = Part(
        X=np.concatenate([centres, lonely]),
        y=np.array([0, 1] + [1] * n_lonely, dtype=np.int64),
    )
    return Task(
        name="giveaway",
        family="giveaway",
        learner=NearestLearner(),
        n_classes=2,
        pool=Part(X[order], y[order]),
        test=None,
        reward=reward,
        budget=budget,
        classes_known=True,
    )
