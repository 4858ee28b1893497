"""What our vector environments share: arguments of reset, infos with masks, final entries."""

from typing import Any, Protocol

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from envs.observations import Observation
from envs.simulator.arguments import checked_count
from lal.arrays import Bools, Floats
from lal.errors import UsageError, shown

Infos = dict[str, Any]


class Seen(Protocol):
    """Observations of E episodes, as the simulators hold them."""

    @property
    def candidates(self) -> NDArray[np.float32]:
        """Features of what is offered, shape (E, K, F)."""
        ...

    @property
    def context(self) -> NDArray[np.float32]:
        """Features of the state, shape (E, G)."""
        ...

    @property
    def mask(self) -> NDArray[np.int8]:
        """Which slots may be chosen, shape (E, K)."""
        ...


def check_open(env: VectorEnv[Any, Any, Any]) -> None:
    """Refuse an environment after its `close`."""
    if env.closed:
        raise UsageError("the environment is closed; make another")


def checked_seed(seed: Any) -> int | None:
    """Return the seed of a reset as an int."""
    if isinstance(seed, list | tuple):
        raise UsageError("give one integer seed; environments are numbered under it")
    return None if seed is None else checked_count("seed", seed, least=0)


def checked_numbers(action: Any, shape: tuple[int, ...], what: str) -> Floats:
    """Return an action as finite numbers of a shape.

    Raises:
        UsageError: Anything else; the message says `what` was expected.
    """
    try:
        given = np.asarray(action)
        if given.dtype.kind in "cmM":  # numpy would cut these to real numbers
            raise TypeError
        numbers = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"an action must be numbers, got {shown(action)}") from error
    if numbers.shape != shape or not np.isfinite(numbers).all():
        raise UsageError(f"an action must be {what}; got {shown(action)}")
    return numbers


def checked_options(options: dict[str, Any] | None, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a reset; refuse names that mean nothing."""
    if options is not None and not isinstance(options, dict):
        raise UsageError(
            f"options must be a dict with some of {', '.join(known)}; got {type(options).__name__}"
        )
    unknown = [name for name in options or {} if name not in known]
    if unknown:
        raise UsageError(f"unknown reset option {unknown[0]!r}; expected {', '.join(known)}")
    return dict(options or {})


def as_dict(seen: Seen) -> Observation:
    """Return observations under Gymnasium's keys; nothing is copied."""
    return {"candidates": seen.candidates, "context": seen.context, "mask": seen.mask}


def marked(infos: Infos, chosen: Bools) -> Infos:
    """Return infos with a mask beside every entry, as Gymnasium's vector environments have it."""
    return infos | {f"_{name}": chosen.copy() for name in infos}


def final_entries(seen: Seen, infos: Infos, ended: Bools) -> Infos:
    """Return ``final_obs`` and ``final_info`` of the episodes that ended, copied.

    Args:
        seen: Their last observations, at their places among all E.
        infos: Their last infos, arrays of E entries.
        ended: Which episodes ended, shape (E,).
    """
    final = np.full(len(ended), None, dtype=object)
    for e in np.flatnonzero(ended):
        final[e] = {key: values[e].copy() for key, values in as_dict(seen).items()}
    kept = {name: _only(values, ended) for name, values in infos.items()}
    return marked({"final_obs": final, "final_info": marked(kept, ended)}, ended)


def _only(values: NDArray[Any], chosen: Bools) -> NDArray[Any]:
    """Return a copy in which all entries but the chosen are empty."""
    kept = np.full(values.shape, None if values.dtype == object else 0, dtype=values.dtype)
    kept[chosen] = values[chosen]
    return kept
