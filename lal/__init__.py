"""Learned active learning: policies that choose which label to acquire next.

The public names are imported when first used, so ``import lal`` stays light.
"""

from typing import Any

from lal.registry import import_attribute

__version__ = "0.2.0"

PUBLIC = {
    "load_policy": "lal.policies.kinds:load_policy",
    "load_stream_policy": "lal.streams.policy:load_stream_policy",
    "list_stream_policies": "lal.streams.policy:list_stream_policies",
    "list_policies": "lal.policies.kinds:list_policies",
    "make_strategy": "lal.strategies.base:make_strategy",
    "load_dataset": "lal.data.datasets:load_dataset",
    "load_suite": "lal.data.suites:load_suite",
    "make_task": "lal.tasks.splits:make_task",
    "make_learner": "lal.learners:make_learner",
    "run_episode": "lal.episode:run_episode",
    "Curve": "lal.curve:Curve",
    "LabellingProject": "lal.labelling.project:LabellingProject",
    "Campaign": "lal.labelling.project:LabellingProject",
    "LalError": "lal.errors:LalError",
}
"""Public names to where they are defined."""

__all__ = ["__version__", *sorted(PUBLIC)]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in PUBLIC:
        raise AttributeError(f"module 'lal' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = import_attribute(PUBLIC[name])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
