"""The learner of Pang's meta-policy: GRPO over a scorer whose weights a meta-network makes."""

import numpy as np
import torch
from torch import nn

from agents.export.torch_layers import array, layers_ops
from agents.grpo.learner import GRPOLearner
from agents.grpo.network import CLOSED, CandidateScorer
from agents.grpo.pang_config import PangConfig
from agents.training.pool_learner import Program


class MetaScorer(CandidateScorer):
    """Logits of slates; the weights of the first layer depend on an embedding e of the data set.

    With c the context and x a candidate, both standardised, the first layer is
    U c + (W_0 + sum_r g_r W_r) x, where g = M tanh(E c): every data set, and every stage of its
    labelling, has weights of its own. Without the embedding c is 0, and so all have the same.

    Args:
        n_context: Context features, G.
        n_candidate: Candidate features, F.
        config: Widths of the hidden layers and of the embedding, and the rank.
    """

    reads: torch.Tensor

    def __init__(self, n_context: int, n_candidate: int, config: PangConfig) -> None:
        super().__init__(n_context, n_candidate, config.net_arch)
        self.rank, self.width = config.rank, config.net_arch[0]
        self.embed = nn.Sequential(
            nn.Linear(n_context, config.embedding),
            nn.Tanh(),
            nn.Linear(config.embedding, self.rank),
        )
        self.basis = nn.Linear(n_candidate, self.rank * self.width, bias=False)
        self.register_buffer("reads", torch.full((n_context,), float(config.embedded)))

    @property
    def n_context(self) -> int:
        """Context features."""
        return len(self.reads)

    def forward(
        self, candidates: torch.Tensor, context: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return logits (B, K); those of closed slots are -1e9."""
        n, first = self.n_context, self.layers[0]
        c = self.reads * (context.float() - self.mean[:n]) / self.deviation[:n]
        x = (candidates.float() - self.mean[n:]) / self.deviation[n:]
        shared = nn.functional.linear(c, first.weight[:, :n], first.bias)  # type: ignore[arg-type,index]
        own = nn.functional.linear(x, first.weight[:, n:])  # type: ignore[index]
        mixed = self.basis(x).unflatten(-1, (self.rank, self.width))
        mixed = (mixed * self.embed(c)[:, None, :, None]).sum(dim=2)
        logits: torch.Tensor = self.layers[1:](own + shared[:, None] + mixed)[..., 0]
        return logits.masked_fill(~mask, CLOSED)

    def exported(self) -> nn.Module:
        """Return itself: `program` says what it computes."""
        return self

    def program(self) -> Program:
        """Return the same function as a scorer program and its tensors."""
        n, reads = self.n_context, array(self.reads)
        mean, deviation = array(self.mean), array(self.deviation)
        embed, tensors, gates = layers_ops(self.embed, prefix="embed", source="c")
        tensors["embed0.weight"] *= reads
        first, found, hidden = layers_ops(self.layers[:1], prefix="first", source="cx")
        found["first0.weight"][:, :n] *= reads
        rest, after, output = layers_ops(self.layers[1:], prefix="rest", source="a")
        columns = np.eye(self.width, dtype=np.float32)
        tensors |= found | after | {
            "c.mean": mean[:n], "c.scale": deviation[:n],
            "x.mean": mean[n:], "x.scale": deviation[n:],
            "basis": array(self.basis.weight),
            "repeat": np.repeat(np.eye(self.rank, dtype=np.float32), self.width, axis=0),
            "sum": np.tile(columns, (1, self.rank)),
        }  # fmt: skip
        ops = [
            {"op": "standardise", "in": ["context"], "out": ["c"], "mean": "c.mean",
             "scale": "c.scale"},
            {"op": "standardise", "in": ["candidates"], "out": ["x"], "mean": "x.mean",
             "scale": "x.scale"},
            *embed,
            {"op": "affine", "in": [gates], "out": ["g"], "weight": "repeat"},
            {"op": "affine", "in": ["x"], "out": ["p"], "weight": "basis"},
            {"op": "mul", "in": ["p", "g"], "out": ["q"]},
            {"op": "affine", "in": ["q"], "out": ["mixed"], "weight": "sum"},
            {"op": "concat", "in": ["c", "x"], "out": ["cx"]},
            *first,
            {"op": "add", "in": [hidden, "mixed"], "out": ["a"]},
            *rest,
        ]  # fmt: skip
        return {"ops": ops, "output": output}, tensors


class PangLearner(GRPOLearner):
    """GRPO; only the network is another one."""

    name = "pang"
    config: PangConfig

    def fresh_network(self, n_context: int, n_candidate: int) -> MetaScorer:
        """Return a scorer with fresh weights from torch's generator."""
        return MetaScorer(n_context, n_candidate, self.config)

    def network_program(self, network: nn.Module) -> Program:
        """Return a scorer as a program and its tensors."""
        if isinstance(network, MetaScorer):
            return network.program()
        return super().network_program(network)
