"""Blocks of training data, made in parallel and kept as files.

A block is a function of config and number alone, so any number of processes on any joblib backend
makes the same files, and a run that was killed makes those that are missing. The backend is the
active one of `joblib.parallel_config`: loky without one, threads, a Dask or a Ray cluster. Workers
return blocks and this process writes them, so a cluster needs no shared file system.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from agents.training.progress import Progress
from lal.processes import bound_workers


class Block(Protocol):
    """What a worker returns; it has to be picklable."""

    def save(self, path: Path) -> None:
        """Write to a file, atomically."""
        ...


def make_blocks(
    make: Callable[[int], Block],
    paths: Sequence[Path],
    *,
    numbers: Sequence[int],
    n_jobs: int,
    progress: Progress,
) -> None:
    """Make the blocks of the given numbers whose files are not there.

    Args:
        make: Number to block; has to be picklable.
        paths: File of every block.
        numbers: Which of them.
        n_jobs: Blocks that are made at once; changes nothing but the time.
        progress: Its bar counts blocks.
    """
    missing = [number for number in numbers if not paths[number].exists()]
    if not missing:
        return
    progress.start(len(missing), "blocks")
    for done, (number, block) in enumerate(_made(make, missing, n_jobs), start=1):
        block.save(paths[number])
        progress.at(done)


def _made(
    make: Callable[[int], Block], numbers: Sequence[int], n_jobs: int
) -> Iterator[tuple[int, Any]]:
    """Yield blocks as they are done; in groups on a backend that only returns whole lists."""
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    if backend.supports_return_generator:
        jobs = (delayed(_numbered)(make, number) for number in numbers)
        local = n_jobs != 1 and type(backend).__name__ == "LokyBackend"
        workers = bound_workers() if local else {}
        yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered", **workers)(jobs)
        return
    size = 4 * max(n_jobs, 1)
    for first in range(0, len(numbers), size):
        group = numbers[first : first + size]
        yield from Parallel(n_jobs=n_jobs)(delayed(_numbered)(make, number) for number in group)


def _numbered(make: Callable[[int], Block], number: int) -> tuple[int, Any]:
    return number, make(number)
