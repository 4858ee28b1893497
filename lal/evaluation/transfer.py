"""Transfer of a selected set: what labels that one learner asked for are worth to another."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lal.curve import Curve
from lal.episode import measure_model
from lal.learners.pool_aware import bind_pool
from lal.metrics import Metric, task_metrics, with_group_metrics
from lal.pool import take
from lal.rng import Streams
from lal.task import Learner, Task


def transfer_curve(
    curve: Curve,
    task: Task,
    learner: Learner,
    *,
    seed: int,
    metrics: Mapping[str, Metric] | None = None,
) -> Curve:
    """Return the curve of another learner that is given the labels of a finished episode.

    With the task's own learner and the episode's seed, it is the curve itself.

    Args:
        curve: Of `lal.run_episode` on the task.
        task: Where the rows and labels are.
        learner: Is fitted to the labels at each point of the curve; it chooses none. For labels of
            the task's kind, and for pixels where its rows are regions.
        seed: Of the fits.
        metrics: What is measured, by name; those of the kind of task when None.
    """
    test, streams = task.test_part(), Streams(seed)
    of_pixels = task.pool.pixels is not None
    metrics = task_metrics(task.kind, of_pixels=of_pixels) if metrics is None else metrics
    metrics = with_group_metrics(metrics, test.groups)
    bound = bind_pool(replace(task, learner=learner).learner, task.pool.X)  # refused if unfit
    points = []
    for n in curve.n_labels.tolist():
        rows = np.sort(curve.queried[:n])
        rows = rows[task.is_answered[rows]]
        seed_of_fit = streams.learner_seed(len(rows))
        model = bound.fit(
            take(task.pool.X, rows),
            task.pool.targets[rows],
            n_classes=task.n_classes,
            seed=seed_of_fit,
        )
        points.append(measure_model(model, test, task.kind, metrics))
    return Curve(
        n_labels=curve.n_labels,
        metrics={name: np.array([point[name] for point in points]) for name in metrics},
        queried=curve.queried,
        n_start=curve.n_start,
        n_all_seen=curve.n_all_seen,
    )
