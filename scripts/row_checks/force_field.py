"""Rows 47 and 63: on-the-fly force fields and their spline map, on a Lennard-Jones cluster."""

import timeit
from functools import partial

import numpy as np

from lal.arrays import Floats
from lal.search.force_field import (
    OnTheFly,
    SplineMap,
    Trajectory,
    lennard_jones,
    octahedron,
    pairs_of_atoms,
)
from scripts.row_checks.base import Outcome, all_of

STEPS = 200


def on_the_fly() -> Outcome:
    """Forces stay right with few oracle calls, and deviations say where they are not."""
    errors, calls, inside, better = [], [], [], []
    for seed in range(10):
        x, v = octahedron(np.random.default_rng(seed))
        ours = OnTheFly().run(x, v, STEPS)
        guessed = np.abs(ours.guesses - _exact(ours)).max(axis=2)[1:]
        inside.append(float((guessed <= 3.0 * ours.deviations[1:]).mean()))
        calls.append(int(ours.called.sum()))
        errors.append(_used_errors(ours))
        every = max(1, STEPS // calls[-1])  # at least as many calls as ours
        periodic = _used_errors(OnTheFly(every=every).run(x, v, STEPS))
        better.append(float(np.abs(errors[-1]).max() < np.abs(periodic).max()))
    rmse = float(np.sqrt(np.mean(np.square(errors))))
    share = 100.0 * float(np.mean(calls)) / STEPS
    return all_of(
        (rmse <= 0.05, f"force RMSE {rmse:.3f}, forces are about 1.4"),
        (share <= 20, f"oracle at {share:.1f} % of {STEPS} steps"),
        (float(np.mean(inside)) >= 0.95, f"{100 * np.mean(inside):.1f} % of errors within 3 sigma"),
        (
            float(np.mean(better)) >= 0.8,
            f"largest error below that of periodic calls in {sum(better):.0f} of 10",
        ),
    )


def _exact(run: Trajectory) -> Floats:
    return np.array([lennard_jones(x) for x in run.positions])


def _used_errors(run: Trajectory) -> Floats:
    """Return the errors of the forces that moved the atoms, shape (T, n, 3)."""
    return run.forces - _exact(run)


def spline_map() -> Outcome:
    """The tables agree with the process, decide alike, and are faster."""
    off = 0.0
    agree: list[bool] = []
    calls: list[bool] = []
    ratios: list[float] = []
    for seed in range(5):
        x, v = octahedron(np.random.default_rng(seed))
        otf = OnTheFly(n_added=6)
        run = otf.run(x, v, STEPS)
        table = SplineMap(otf.model)
        r = np.linspace(0.95, 2.0, 400)
        off = max(off, float(np.abs(table.pair_mean(r) - otf.model.pair_mean(r)).max()))
        bound = otf.tolerance * otf.model.noise
        shaken = run.positions.copy()  # every second step lies off what was learned
        shaken[::2] += 0.05 * np.random.default_rng(seed).normal(size=shaken[::2].shape)
        for positions in shaken:
            pairs = pairs_of_atoms(positions)
            both = [model.force(pairs) for model in (otf.model, table)]
            off = max(off, float(np.abs(both[0].mean - both[1].mean).max()))
            off = max(off, float(np.abs(both[0].deviation - both[1].deviation).max()))
            calls.append(both[0].deviation.max() > bound)
            agree.append(calls[-1] == (both[1].deviation.max() > bound))
        last = pairs_of_atoms(run.positions[-1])
        times = [
            min(timeit.repeat(partial(force, last), number=5, repeat=5))
            for force in (otf.model.force, table.force)
        ]
        ratios.append(times[0] / times[1])
    ratio = float(np.median(ratios))
    return all_of(
        (off <= 1e-3, f"mean and deviation within {off:.0e}"),
        (
            float(np.mean(agree)) >= 0.99 and 0.05 < float(np.mean(calls)) < 0.95,
            f"decisions agree in {100 * np.mean(agree):.1f} % of steps, of which "
            f"{100 * np.mean(calls):.0f} % call",
        ),
        (ratio >= 10, f"a step {ratio:.0f} times faster"),
    )
