"""How unsure a linear-chain model is of a whole sequence: exact, by dynamic programming.

A chain has the score ``sum_t emission[t, y_t] + sum_t transition[y_t, y_{t+1}]``; a CRF's weights
give both. Source: Settles & Craven (2008), "An analysis of active learning strategies for sequence
labeling tasks".
"""

from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.strategies.uncertainty import entropy_utility


@dataclass(frozen=True, eq=False)
class Marginals:
    """What forward and backward recursions give.

    Attributes:
        log_total: Logarithm of the sum over all sequences.
        tokens: P(y_t), shape (T, K).
        pairs: P(y_t, y_{t+1}), shape (T - 1, K, K).
    """

    log_total: float
    tokens: Floats
    pairs: Floats


def chain_marginals(emission: Floats, transition: Floats) -> Marginals:
    """Return the marginals of a chain.

    Args:
        emission: Shape (T, K), T at least 1.
        transition: From row to column, shape (K, K).
    """
    ahead, behind = [emission[0]], [np.zeros(emission.shape[1])]
    for scores in emission[1:]:
        ahead.append(_log_sum(ahead[-1][:, None] + transition, 0) + scores)
    for scores in emission[:0:-1]:
        behind.append(_log_sum(transition + scores + behind[-1], 1))
    forward, backward = np.array(ahead), np.array(behind[::-1])
    total = float(_log_sum(forward[-1], 0))
    tokens = np.exp(forward + backward - total)
    later = (emission + backward)[1:]
    pairs = np.exp(forward[:-1, :, None] + transition + later[:, None, :] - total)
    return Marginals(total, tokens, pairs)


def sequence_entropy(emission: Floats, transition: Floats) -> float:
    """Return the entropy of the whole sequence in nats."""
    found = chain_marginals(emission, transition)
    expected = (found.tokens * emission).sum() + (found.pairs * transition).sum()
    return float(found.log_total - expected)


def total_token_entropy(emission: Floats, transition: Floats) -> float:
    """Return the sum of the tokens' entropies in nats; over T it is the token entropy."""
    return float(entropy_utility(chain_marginals(emission, transition).tokens).sum())


def n_best(emission: Floats, transition: Floats, n: int) -> tuple[Ints, Floats]:
    """Return the n likeliest sequences and their probabilities, shapes (m, T) and (m,), m <= n."""
    if n < 1:
        raise UsageError(f"expected at least one sequence, got {n}")
    n_tags = emission.shape[1]
    paths: list[list[tuple[float, tuple[int, ...]]]] = [
        [(float(emission[0, k]), (k,))] for k in range(n_tags)
    ]
    for scores in emission[1:]:
        every = [
            [
                (score + float(transition[path[-1], k] + scores[k]), (*path, k))
                for kept in paths
                for score, path in kept
            ]
            for k in range(n_tags)
        ]
        paths = [sorted(some, reverse=True)[:n] for some in every]
    best = sorted((one for kept in paths for one in kept), reverse=True)[:n]
    total = chain_marginals(emission, transition).log_total
    proba = np.exp(np.array([score for score, _ in best]) - total)
    return np.array([path for _, path in best], dtype=np.int64), proba


def least_confident_sequence(emission: Floats, transition: Floats) -> float:
    """Return one minus the probability of the likeliest sequence."""
    return float(1.0 - n_best(emission, transition, 1)[1][0])


def n_best_entropy(emission: Floats, transition: Floats, n: int) -> float:
    """Return ``-sum p log p`` over the n likeliest sequences, in nats."""
    proba = n_best(emission, transition, n)[1]
    return float(-(proba * np.log(proba)).sum())


def expected_gradient_length(
    emission: Floats, transition: Floats, vectors: Floats, n: int
) -> float:  # fmt: skip
    """Return the mean length of the gradient over the n likeliest sequences, times their mass.

    ``sum_y p(y) |grad log p(y)|`` in the weights of a chain whose emissions are ``vectors @ W``:
    what the observed counts have more than the expected ones.

    Args:
        emission: Shape (T, K).
        transition: Shape (K, K).
        vectors: Features of the tokens, shape (T, d).
        n: Sequences.
    """
    found = chain_marginals(emission, transition)
    paths, proba = n_best(emission, transition, n)
    expected, lengths = found.pairs.sum(axis=0), []
    for path in paths:
        in_words = vectors.T @ (np.eye(emission.shape[1])[path] - found.tokens)
        counts = np.zeros_like(transition)
        np.add.at(counts, (path[:-1], path[1:]), 1.0)
        lengths.append(np.sqrt((in_words**2).sum() + ((counts - expected) ** 2).sum()))
    return float(proba @ np.array(lengths))


def information_density(scores: Floats, vectors: Floats, beta: float = 1.0) -> Floats:
    """Return scores times the mean cosine similarity to all sequences to the power beta, (n,).

    Args:
        scores: Uncertainty of each sequence, shape (n,).
        vectors: A vector of each that is not negative, such as counts of its words, shape (n, d).
        beta: Weight of the density.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1.0)
    dense: Floats = scores * (unit @ unit.mean(axis=0)) ** beta
    return dense


def _log_sum(values: Floats, axis: int) -> Floats:
    from scipy.special import logsumexp

    total: Floats = logsumexp(values, axis=axis)
    return total
