import numpy as np
import pytest
import torch
from torch import nn

from agents.dqn.config import PRESETS
from agents.dqn.learner import DQNLearner
from agents.export.torch_layers import slate_program
from agents.training.tasks import training_tasks
from envs.pool_env import PoolEnv
from lal.errors import UsageError
from lal.policies.kinds import load_policy
from lal.policies.scoring.scorer import run

SMOKE = PRESETS["smoke"]


@pytest.fixture(scope="module")
def learner():
    return DQNLearner(SMOKE)


@pytest.fixture(scope="module")
def model(learner):
    return learner.make_model(learner.make_envs(0), seed=3)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.Softplus])
def test_a_program_equals_torch(activation):
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Linear(5, 7), activation(), nn.Linear(7, 6), activation(), nn.Linear(6, 1)
    )
    program, tensors = slate_program(layers)
    rng = np.random.default_rng(0)
    context, candidates = rng.normal(size=2), rng.normal(size=(9, 3))
    rows = np.concatenate([np.tile(context, (9, 1)), candidates], axis=1)
    wanted = layers(torch.tensor(rows, dtype=torch.float32)).detach().numpy().ravel()
    found = run(program, tensors, {"context": context, "candidates": candidates})
    assert np.abs(found - wanted).max() < 1e-5


def test_a_layer_without_operation_is_refused():
    with pytest.raises(UsageError, match="layer Conv1d has no scorer operation"):
        slate_program(nn.Sequential(nn.Conv1d(1, 1, 1)))


def test_saved_policy_gives_the_q_values_of_the_environment(learner, model, tmp_path):
    """Environment, torch, file, numpy; equal to 1e-5 on real states."""
    policy = learner.export_model(model, "tried", {"control": "none"})
    policy.save(tmp_path / "p.safetensors")
    loaded = load_policy(tmp_path / "p.safetensors")
    env = PoolEnv(training_tasks(SMOKE), slate_size=SMOKE.slate_size)
    observation, info = env.reset(seed=5)
    for _ in range(3):
        batch = {k: torch.tensor(v[None]) for k, v in observation.items()}
        wanted = model.q_net(batch).detach().numpy()[0]
        utilities = loaded.utilities(env.state)
        slots = np.flatnonzero(observation["mask"])
        assert np.abs(utilities[info["pool_indices"][slots]] - wanted[slots]).max() < 1e-5
        observation, _, _, _, info = env.step(int(slots[0]))


def test_untrained_copies_differ_and_are_named_by_the_config():
    first, second = DQNLearner.export_untrained(SMOKE, 2)
    again = DQNLearner.export_untrained(SMOKE, 1)[0]
    assert not np.array_equal(first.tensors["w0"], second.tensors["w0"])
    assert np.array_equal(first.tensors["w0"], again.tensors["w0"])
    assert first.card["control"] == "untrained"
