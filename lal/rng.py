"""One seed at the edge, spawned into named, independent streams."""

import hashlib

import numpy as np
from numpy.typing import NDArray

STREAMS = ("split", "start", "learner", "ties", "strategy", "slate", "noise")
"""The streams of an episode. A stream is only ever drawn from by what it is named after."""


def stable_hash(text: str) -> int:
    """Return a 32-bit hash of `text` that is the same in every process and on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")


def seed_sequence(seed: int, *names: str | int) -> np.random.SeedSequence:
    """Return the seed sequence of `seed` under a path of names, order matters."""
    key = tuple(n & 0xFFFFFFFF if isinstance(n, int) else stable_hash(n) for n in names)
    return np.random.SeedSequence(entropy=int(seed), spawn_key=key)


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator of `seed` under a path of names."""
    return np.random.default_rng(seed_sequence(seed, *names))


def integer_seed(seed: int, *names: str | int) -> int:
    """Return a 31-bit integer for libraries that take only integers."""
    return int(seed_sequence(seed, *names).generate_state(1)[0] >> 1)


class Streams:
    """The named streams of one episode.

    Two strategies run with the same seed meet the same split, start labels, learner seeds and tie
    breaks (common random numbers); what one draws from its own stream never moves another.
    """

    def __init__(self, seed: int) -> None:
        self.seed = int(seed)
        self._open: dict[str, np.random.Generator] = {}

    def __getitem__(self, name: str) -> np.random.Generator:
        """Return the running generator of a stream."""
        if name not in STREAMS:
            raise KeyError(f"unknown stream {name!r}; streams are {', '.join(STREAMS)}")
        if name not in self._open:
            self._open[name] = generator(self.seed, name)
        return self._open[name]

    def learner_seed(self, n_labelled: int) -> int:
        """Return the learner's seed for the fit on `n_labelled` labels, the same for all."""
        return integer_seed(self.seed, "learner", n_labelled)


_WORD = 0xFFFFFFFFFFFFFFFF


def pack_rng(rng: np.random.Generator) -> NDArray[np.uint64]:
    """Return a PCG64 generator's state as six numbers that can be saved with any array."""
    state = rng.bit_generator.state
    wide = (state["state"]["state"], state["state"]["inc"])
    words = [word for value in wide for word in (value >> 64, value & _WORD)]
    return np.array([*words, state["has_uint32"], state["uinteger"]], dtype=np.uint64)


def unpack_rng(packed: NDArray[np.uint64]) -> np.random.Generator:
    """Return a generator that goes on where `pack_rng` was called."""
    high, low, inc_high, inc_low, has_uint32, uinteger = (int(word) for word in packed)
    bits = np.random.PCG64()
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }
    return np.random.Generator(bits)
