"""Policies of all kinds load and play where only the core is installed."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agents import AGENTS

ROOT = Path(__file__).resolve().parents[2]

EXTRAS = ("torch", "gymnasium", "stable_baselines3", "sb3_contrib", "numba", "pandas", "matplotlib")
"""What a core installation lacks; importing one of these fails in the child process."""

PLAY = {
    "design": """
policy = load_policy(sys.argv[1])
memory = policy.start()
for outcome in (0.3, -1.0, 2.0):
    design = policy.act(memory)
    memory = policy.update(memory, {"design": design, "outcome": outcome})
assert design.shape == (2,)
""",
    "one_shot": """
policy = load_policy(sys.argv[1])
memory = policy.start()
for label in (0, 1, 2):
    item = rng.standard_normal(16)
    asked = policy.act(memory, item) == 3
    memory = policy.update(memory, {"item": item, "label": label if asked else -1})
""",
    "few_shot": """
policy = load_policy(sys.argv[1])
info = {"items": rng.standard_normal((8, 16)), "support": rng.standard_normal((2, 16)),
        "support_labels": [0, 1]}
chosen = policy.choose(info, rng.integers(2, size=8), 3)
assert len(set(chosen.tolist())) == 3
""",
    "stream": """
policy = load_policy(sys.argv[1])
memory = policy.start({"budget": 0.5})
for _ in range(20):
    item = StreamItem(rng.dirichlet([1.0, 1.0]))
    ask = policy.act(memory, item)
    memory = policy.update(memory, StreamEvent(item, ask, 0.0 if ask else None))
""",
}

CASES = [
    ("dad", "smoke", {}, "design"),
    ("active_one_shot", "smoke", {}, "one_shot"),
    ("active_one_shot", "smoke", {"embedding": 4, "embedding_gradient_steps": 1}, "one_shot"),
    *[("few_shot", "smoke", {"head": h}, "few_shot") for h in ("one_step", "sequential", "graph")],
    ("few_shot", "smoke-batch", {}, "few_shot"),
    ("stream_dqn", "smoke", {}, "stream"),
]


@pytest.mark.parametrize(("agent", "preset", "changes", "kind"), CASES)
def test_a_policy_plays_with_the_core_only(agent, preset, changes, kind, tmp_path):
    policy = AGENTS[agent].export_untrained(replace(AGENTS[agent].preset(preset), **changes), 1)[0]
    path = tmp_path / "policy.safetensors"
    policy.save(path)
    run_without_extras(PLAY[kind], str(path))


PLAY_SHIPPED = """
for name in lal.list_policies("subset"):
    policy = load_policy(name)
    items, C = rng.standard_normal((30, policy.size("columns"))), policy.size("classes")
    info = {"items": items, "support": items[:C] + 1.0, "support_labels": np.arange(C)}
    assert len(set(policy.choose(info, rng.integers(C, size=30), 5).tolist())) == 5, name
for name in lal.list_policies("predict_or_ask"):
    policy = load_policy(name)
    items, C = rng.standard_normal((30, policy.size("columns"))), policy.size("classes")
    memory = policy.start()
    for item, label in zip(items, rng.integers(C, size=30)):
        asked = policy.act(memory, item) == C
        memory = policy.update(memory, {"item": item, "label": label if asked else -1})
"""


def test_shipped_policies_of_episodes_play_with_the_core_only():
    run_without_extras(PLAY_SHIPPED)


def run_without_extras(play: str, *arguments: str) -> None:
    """Run code in a process that lacks all extras."""
    code = f"""
import sys
for name in {EXTRAS}:
    sys.modules[name] = None
import numpy as np, lal
from lal.streams.features import StreamEvent, StreamItem
from lal.policies.kinds import load_policy
rng = np.random.default_rng(0)
{play}
print("played")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "played\n"
