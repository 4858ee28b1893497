"""What several generators draw: codes of wanted shares, rows without classes, codes from scores."""

import numpy as np

from lal.arrays import Floats, Ints


def draw_codes(rng: np.random.Generator, n: int, shares: Floats) -> Ints:
    """Return n shuffled codes whose counts follow the shares, each class at least twice."""
    counts = np.maximum(np.floor(shares * n).astype(np.int64), 2)
    counts[np.argmax(counts)] -= max(int(counts.sum()) - n, 0)
    codes = np.repeat(np.arange(len(shares)), counts)
    rest = rng.choice(len(shares), size=n - len(codes), p=shares)
    return rng.permutation(np.concatenate([codes, rest]))


def base_rows(rng: np.random.Generator, n: int, d: int) -> Floats:
    """Return rows without classes, about unit scale: normal or uniform, often of low rank."""
    full = rng.random() < 0.4
    rank = d if full else min(int(np.exp(rng.uniform(0.0, np.log(d + 1)))), d)
    latent = rng.normal(size=(n, rank)) if rng.random() < 0.7 else uniform(rng, n, rank)
    if full:
        return latent
    mixed = latent @ rng.normal(size=(rank, d)) / np.sqrt(rank)
    rows: Floats = mixed + rng.uniform(0.05, 0.5) * rng.normal(size=(n, d))
    return rows


def uniform(rng: np.random.Generator, n: int, d: int) -> Floats:
    """Return independent uniform columns of unit variance."""
    return rng.uniform(-np.sqrt(3.0), np.sqrt(3.0), size=(n, d))


def assign(scores: Floats, shares: Floats) -> Ints:
    """Return the arg-max of the scores (n, C) after shifting them towards the wanted shares."""
    scores = scores / (scores.std() + 1e-12)
    bias = np.zeros(len(shares))
    for _ in range(12):
        found = np.bincount(np.argmax(scores + bias, axis=1), minlength=len(shares)) / len(scores)
        bias += 0.5 * np.log((shares + 0.005) / (found + 0.005))
    codes: Ints = np.argmax(scores + bias, axis=1).astype(np.int64)
    return codes
