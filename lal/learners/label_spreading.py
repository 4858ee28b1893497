"""Label spreading: labels flow along a graph of neighbours over the rows of the pool."""

import copy
import warnings

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.learners.sklearn_model import ConstantModel
from lal.pool import dense
from lal.task import Model


class LabelSpreadingLearner:
    """Spreads labels over a graph of nearest neighbours of labelled rows and pool.

    Rows of the pool have no label there; no row outside the pool has a part in the graph, and a new
    row is given the mean of its neighbours. Without a pool the graph is that of the labelled rows.
    Columns are scaled to unit variance, except constant ones. Source: Zhou, Bousquet, Lal, Weston &
    Schoelkopf (2004), "Learning with local and global consistency", as in scikit-learn.

    Args:
        n_neighbors: Of each row, at least 1.
        alpha: Share that a row takes from its neighbours, in (0, 1).
    """

    name = "label_spreading"

    def __init__(self, *, n_neighbors: int = 7, alpha: float = 0.2) -> None:
        if n_neighbors < 1 or not 0.0 < alpha < 1.0:
            raise UsageError(
                "n_neighbors must be at least 1 and alpha lie in (0, 1), got "
                f"{n_neighbors} and {alpha}"
            )
        self.n_neighbors, self.alpha = n_neighbors, alpha
        self.pool: Floats | None = None

    def bind(self, X: Rows) -> "LabelSpreadingLearner":
        """Return the learner with the rows of a pool, shape (N, D)."""
        bound = copy.copy(self)
        bound.pool = dense(X)
        return bound

    def fit(
        self,
        X: Rows,
        y: Ints,
        *,
        n_classes: int,
        sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> Model:
        """Return the model of the labels after they have spread; see `Learner.fit`.

        Raises:
            UsageError: Weights, which a graph cannot take.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.semi_supervised import LabelSpreading

        if sample_weight is not None:
            raise UsageError(f"{self.name} takes no sample_weight; drop the weights")
        codes, rows = np.asarray(y, dtype=np.int64), dense(X)
        shares = np.bincount(codes, minlength=n_classes) / max(len(codes), 1)
        if (shares > 0).sum() < 2:
            return ConstantModel(shares if len(codes) else np.full(n_classes, 1.0 / n_classes))
        more = rows[:0] if self.pool is None else self.pool
        every = np.concatenate([rows, more])
        std = every.std(axis=0)
        scale = np.where(std > 1e-9 * np.abs(every).max(axis=0), std, 1.0)
        k = min(self.n_neighbors, len(every))
        graph = LabelSpreading(kernel="knn", n_neighbors=k, alpha=self.alpha)
        with warnings.catch_warnings():
            # a large alpha is cut off after 30 rounds, about alpha^30 off, at each fit alike
            warnings.simplefilter("ignore", ConvergenceWarning)
            graph.fit(every / scale, np.append(codes, np.full(len(more), -1)))
        return LabelSpreadingModel(graph.X_, _shares(graph, shares), scale, k)


def _shares(graph: object, prior: Floats) -> Floats:
    """Return the classes of the rows of the graph, the prior where no label came, (n, C)."""
    spread = np.nan_to_num(np.asarray(getattr(graph, "label_distributions_")))  # noqa: B009
    found = np.zeros((len(spread), len(prior)))
    found[:, np.asarray(getattr(graph, "classes_"))] = spread  # noqa: B009
    total = found.sum(axis=1, keepdims=True)
    shares: Floats = np.where(total > 0, found / np.where(total > 0, total, 1.0), prior)
    return shares


class LabelSpreadingModel:
    """Labels that have spread over a graph.

    Args:
        rows: Of the graph, scaled, shape (n, D).
        shares: Their classes, shape (n, C).
        scale: What columns are divided by, shape (D,).
        n_neighbors: Whose mean a new row is given.
    """

    def __init__(self, rows: Floats, shares: Floats, scale: Floats, n_neighbors: int) -> None:
        from sklearn.neighbors import NearestNeighbors

        self.shares, self.scale, self.n_classes = shares, scale, shares.shape[1]
        self.neighbours = NearestNeighbors(n_neighbors=n_neighbors).fit(rows)

    def embed(self, X: Rows) -> Floats:
        """Return the scaled columns, shape (n, D)."""
        scaled: Floats = dense(X) / self.scale
        return scaled

    def predict_proba(self, X: Rows) -> Floats:
        """Return the mean classes of the nearest rows of the graph, shape (n, C)."""
        nearest = self.neighbours.kneighbors(self.embed(X), return_distance=False)
        proba: Floats = self.shares[nearest].mean(axis=1)
        return proba

    def predict(self, X: Rows) -> Ints:
        """Return the likeliest classes, shape (n,)."""
        codes: Ints = np.argmax(self.predict_proba(X), axis=1)
        return codes

    def committee_proba(self, X: Rows) -> None:
        """Return None: a graph has no members."""
        return

    def variance(self, X: Rows) -> None:
        """Return None: a graph has no variance."""
        return
