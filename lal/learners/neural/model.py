"""NeuralModel: a trained stack of networks with all its capabilities."""

import numpy as np
import torch

from lal.arrays import Floats, Ints, Rows
from lal.learners.capabilities import TrainingDiary, last_layer_gradient
from lal.learners.neural.loss_head import predicted_losses
from lal.learners.neural.network import Params, Shape, Tensor, run_body, run_dense, run_hidden
from lal.learners.neural.scaling import Scaling
from lal.learners.neural.training import member_proba
from lal.learners.probabilities import spread

N_DRAWS = 20
"""Draws that stand for the members of a single network with dropout."""

CHUNK = 4096
"""Rows handled at once."""


class NeuralModel:
    """A stack of M networks; its probabilities are the mean of the members'.

    Args:
        params: Trained weights.
        shape: Of the networks.
        scaling: Of their rows.
        columns: Class code of each output, shape (S,).
        n_classes: C, classes of the task; those never seen have probability 0.
        dropout: Rate of the masks that `sample_proba` draws.
        seed: Of the draws that `committee_proba` shows.
        diary: What happened while the stack was trained.
        head: Weights of its loss head; empty without one.
    """

    def __init__(
        self, params: Params, shape: Shape, scaling: Scaling, *, columns: Ints, n_classes: int,
        dropout: float, seed: int, diary: TrainingDiary, head: Params,
    ) -> None:  # fmt: skip
        self.params, self.shape, self.scaling = params, shape, scaling
        self.columns, self.n_classes = columns, n_classes
        self.dropout, self.seed, self.diary, self.head = dropout, seed, diary, head

    def predict_proba(self, X: Rows) -> Floats:
        """Return the mean of the members' probabilities, shape (n, C)."""
        mean: Floats = self._members(X).mean(axis=0)
        return mean

    def predict(self, X: Rows) -> Ints:
        """Return the codes of the likeliest classes, shape (n,)."""
        codes: Ints = np.argmax(self.predict_proba(X), axis=1)
        return codes

    def committee_proba(self, X: Rows) -> Floats | None:
        """Return the members' probabilities, or draws of dropout for one network, (M, n, C)."""
        if self.shape.n_members > 1:
            return self._members(X)
        return self.sample_proba(X, N_DRAWS, np.random.default_rng(self.seed))

    def variance(self, X: Rows) -> None:
        """Return None: there is no closed form."""
        return

    def sample_proba(self, X: Rows, n: int, rng: np.random.Generator) -> Floats | None:
        """Return probabilities under n draws, shape (n, rows, C); None for one without dropout.

        A draw is a member in turn, with one dropout mask for all rows. Source: Gal & Ghahramani
        (2016), "Dropout as a Bayesian approximation".
        """
        if self.dropout == 0.0 and self.shape.n_members == 1:
            return None
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        features, layers = self._features(X), self.params[self.shape.n_body :]
        drawn = []
        for draw in range(n):
            member = slice(draw % self.shape.n_members, draw % self.shape.n_members + 1)
            thinned = [(weight[member], bias[member]) for weight, bias in layers]
            _, scores = run_dense(thinned, features[member], self.dropout, generator, one_mask=True)
            drawn.append(torch.softmax(scores[0], dim=1).double().numpy())
        return self._spread(np.stack(drawn))

    def embed(self, X: Rows) -> Floats:
        """Return the last hidden layer of the first member, shape (n, h)."""
        hidden, _ = run_dense(self._first(), self._features(X)[:1])
        embedded: Floats = hidden[0].double().numpy()
        return embedded

    def head_proba(self, embedding: Floats) -> Floats:
        """Return the first member's probabilities of points of the embedding, (n, h) to (n, C)."""
        weight, bias = self._first()[-1]
        scores = torch.as_tensor(embedding, dtype=torch.float32) @ weight[0] + bias[0]
        return self._spread(torch.softmax(scores, dim=1).double().numpy())

    def gradient_embedding(self, X: Rows) -> Floats:
        """Return the first member's last-layer gradients for its labels, shape (n, C h)."""
        embedded = self.embed(X)
        return last_layer_gradient(self.head_proba(embedded), embedded)

    @torch.no_grad()
    def predict_loss(self, X: Rows) -> Floats | None:
        """Return the mean of the losses that the members' heads predict, shape (n,)."""
        if not self.head:
            return None
        hidden = run_hidden(self.params[self.shape.n_body :], self._features(X))
        losses: Floats = predicted_losses(self.head, hidden).mean(dim=0).double().numpy()
        return losses

    def input_gradient(self, X: Rows, target: Floats) -> Floats:
        """Return the gradient of the cross-entropy of `target` (n, C) in the rows, shape (n, D)."""
        rows = self.scaling.apply(X).requires_grad_()
        wanted = torch.as_tensor(target[:, self.columns], dtype=torch.float32)
        logs = torch.log(member_proba(self.params, rows, self.shape).mean(dim=0).clamp_min(1e-12))
        (slope,) = torch.autograd.grad(-(wanted * logs).sum(), rows)
        gradient: Floats = slope.double().numpy() / self.scaling.scale
        return gradient

    def _first(self) -> Params:
        return [(weight[:1], bias[:1]) for weight, bias in self.params[self.shape.n_body :]]

    @torch.no_grad()
    def _features(self, X: Rows) -> Tensor:
        """Return what the dense layers see, shape (M, n, f)."""
        rows = self.scaling.apply(X)
        members = self.shape.n_members
        parts = [
            run_body(self.params, part.expand(members, *part.shape), self.shape)
            for part in torch.split(rows, CHUNK)
        ]
        return torch.cat(parts, dim=1)

    def _members(self, X: Rows) -> Floats:
        _, scores = run_dense(self.params[self.shape.n_body :], self._features(X))
        return self._spread(torch.softmax(scores, dim=2).double().numpy())

    def _spread(self, narrow: Floats) -> Floats:
        return spread(narrow, self.columns, self.n_classes)
