"""Losses of scores within candidate sets: regression, listwise, pairwise.

Sources: ImitAL (Gonsior et al. 2022, arXiv 2208.11636) learns from the ranking of an expert;
ListNet (Cao et al. 2007) compares distributions, RankNet (Burges et al. 2005) pairs.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

FAR = -1e9
"""Score of a slot without a candidate."""

Loss = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""Scores, targets and mask, all (S, K), and a temperature to losses of the states, (S,)."""


def regression(score: Tensor, target: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Return the squared error of centred scores against centred gains; no temperature."""
    n = mask.sum(dim=1)
    centred = score - ((score * mask).sum(dim=1) / n)[:, None]
    return ((centred - target) ** 2 * mask).sum(dim=1) / n


def listwise(score: Tensor, target: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Return the cross-entropy of softmax(score) against softmax(target / temperature)."""
    closed = mask == 0
    wanted = torch.softmax((target / temperature).masked_fill(closed, FAR), dim=1)
    found = torch.log_softmax(score.masked_fill(closed, FAR), dim=1)
    return -(wanted * found * mask).sum(dim=1)


def pairwise(score: Tensor, target: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Return the mean of log(1 + exp(s_j - s_i)) (t_i - t_j) over pairs with t_i > t_j."""
    ahead = (target[:, :, None] - target[:, None, :]).clamp(min=0.0)
    ahead = ahead * mask[:, :, None] * mask[:, None, :]
    wrong = functional.softplus(score[:, None, :] - score[:, :, None])
    n = mask.sum(dim=1)
    return (wrong * ahead).sum(dim=(1, 2)) / (n * n)


LOSSES: Mapping[str, Loss] = {
    "regression": regression,
    "listwise": listwise,
    "pairwise": pairwise,
}
