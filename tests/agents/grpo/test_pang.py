"""Pang's meta-policy: generated weights by hand, the network as its policy file, its ablation."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
import torch

from agents import AGENTS
from agents.grpo.network import CLOSED
from agents.grpo.pang import MetaScorer, PangLearner
from agents.grpo.pang_config import AGENT
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy

SMOKE = AGENT.preset("smoke")
FIRST, SECOND = torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.5]])
"""Contexts of two data sets."""


def score(network, candidates, context):
    mask = torch.ones(candidates.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        return network(candidates, context, mask)[0].numpy()


def test_the_first_layer_has_the_weights_that_the_embedding_mixes():
    """Candidates 1 and 2 of one feature; weight W_0 + tanh(c_0) W_1 = 1 - 3 tanh(c_0)."""
    network: Any = MetaScorer(1, 1, replace(SMOKE, net_arch=(1,), embedding=1, rank=1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.embed[0].weight.fill_(1.0)
        network.embed[2].weight.fill_(1.0)
        network.basis.weight.fill_(-3.0)
        network.layers[0].weight[0, 1] = 1.0
        network.layers[0].bias.fill_(10.0)  # keeps the rectifier open
        network.layers[2].weight.fill_(1.0)
    candidates = torch.tensor([[[1.0], [2.0]]])
    for c in (0.0, 1.0, -0.5):
        found = score(network, candidates, torch.tensor([[c]]))
        weight = 1.0 - 3.0 * np.tanh(c)
        assert found == pytest.approx([10.0 + weight, 10.0 + 2.0 * weight], abs=1e-5)
    mask = torch.tensor([[True, False]])
    assert network(candidates, torch.zeros(1, 1), mask)[0, 1] == CLOSED


def make_network(**changes):
    torch.manual_seed(1)
    network: Any = MetaScorer(2, 3, replace(SMOKE, **changes))
    rng = np.random.default_rng(0)
    network.standardise(rng.normal(2.0, 3.0, (50, 2)), rng.normal(-1.0, 0.5, (50, 3)))
    for part in (network.basis, network.layers[-1]):
        torch.nn.init.normal_(part.weight)
    return network


def test_without_the_embedding_no_data_set_has_weights_of_its_own():
    candidates = torch.randn(1, 40, 3, generator=torch.Generator().manual_seed(0))
    for embedded in (True, False):
        network = make_network(embedded=embedded)
        one, two = (score(network, candidates, context) for context in (FIRST, SECOND))
        same_order = np.array_equal(np.argsort(one), np.argsort(two))
        assert same_order is (not embedded)
        assert np.array_equal(one, two) is (not embedded)


@pytest.mark.parametrize("embedded", [True, False])
def test_a_policy_file_ranks_as_the_network(embedded, tmp_path):
    network = make_network(embedded=embedded, net_arch=(5, 4))
    program, tensors = network.program()
    policy = PoolPolicy(
        name="meta", candidate_features=("margin@1", "margin_rank@1", "density@1"),
        context_features=("n_labelled@1", "n_classes@1"), program=program, tensors=tensors, card={},
    )  # fmt: skip
    policy.save(tmp_path / "meta.safetensors")
    policy = load_as(PoolPolicy, tmp_path / "meta.safetensors")
    candidates = torch.randn(1, 6, 3, generator=torch.Generator().manual_seed(0))
    for context in (FIRST, SECOND):
        given = {
            "candidates": candidates[0].double().numpy(),
            "context": context[0].double().numpy(),
        }
        assert policy.scorer.run(given) == pytest.approx(
            score(network, candidates, context), abs=1e-5
        )


def test_an_agent_trains_it_and_its_ablation(tmp_path):
    trained = load_as(PoolPolicy, AGENTS["pang"].train(SMOKE, tmp_path / "run"))
    assert trained.name == "pang"
    assert trained.card["n_episodes"] == 128 // 4
    copies = AGENTS["pang"].export_untrained(SMOKE, 2)
    assert any(
        not np.array_equal(copies[0].tensors[k], copies[1].tensors[k]) for k in trained.tensors
    )
    alone = PangLearner(replace(SMOKE, embedded=False)).export()
    assert not alone.tensors["embed0.weight"].any()
    assert trained.tensors["embed0.weight"].any()


def test_a_start_has_no_meaning():
    with pytest.raises(UsageError, match="made by a network, not tuned; leave start out"):
        replace(SMOKE, start="margin")
    with pytest.raises(UsageError, match="rank must be at least 1, got 0"):
        replace(SMOKE, rank=0)
