"""The update kernel of every learner, and how much its fits need.

An update kernel brings fits up to date, predicts and measures; all take the same argument
(`layout.Updates`), one learner each, so that a run compiles only the learners it uses. The state of
one fit is one row ("slot") of three flat buffers, cut into arrays by the sizes of its task.
"""

from envs.simulator.kernels.layout import FOREST, GP, KNN, LOGISTIC, NAIVE_BAYES, RIDGE
from envs.simulator.kernels.learners.forest import update_forest
from envs.simulator.kernels.learners.gaussian_process import update_gp
from envs.simulator.kernels.learners.knn import update_knn
from envs.simulator.kernels.learners.naive_bayes import update_naive_bayes
from envs.simulator.kernels.learners.ridge import update_ridge
from envs.simulator.kernels.logistic.update import finish_logistic, fit_size, update_logistic

UPDATES = {
    LOGISTIC: update_logistic,
    FOREST: update_forest,
    KNN: update_knn,
    NAIVE_BAYES: update_naive_bayes,
    RIDGE: update_ridge,
    GP: update_gp,
}
"""The update kernel of every learner number."""

FINISHES = {LOGISTIC: finish_logistic}
"""What finishes the fits that an update kernel returned the number of."""


def fit_sizes(
    kind: int, *, columns: int, classes: int, points: int, most: int, k: int
) -> tuple[int, int, int]:
    """Return how many float64, integers and float32 the fit of one task needs."""
    if kind == LOGISTIC:
        return fit_size(columns, classes, most)
    if kind == FOREST:
        return 0, columns * most, 0
    if kind == KNN:
        return k * points, k * points, 0
    if kind == NAIVE_BAYES:
        return 2 * (classes + 1) * columns, classes + 1, 0
    if kind == GP:
        return 0, 0, (most + classes + 1) * points + most * classes
    return (columns + classes + 3) * columns, 0, classes * (columns + 1)
