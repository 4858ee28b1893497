"""RefineConfig: everything that decides the training of a second stage."""

from dataclasses import dataclass
from typing import Any

from agents.imitation.config import SMOKE, WIDE, ImitationConfig
from agents.registry import Agent
from agents.training.config import check_at_least
from lal.errors import UsageError
from lal.policies.two_stage_policy import LONGEST


@dataclass(frozen=True, kw_only=True)
class RefineConfig(ImitationConfig):
    """A second stage that re-ranks what a policy puts first, by what-if features."""

    first: str = "default"
    """Policy (shipped name or file) that makes the shortlists; it stays as it is."""

    shortlist: int = 32
    """Rows that are looked at again."""

    n_candidates: int = 200
    """Rows, half of them the most uncertain, that a shortlist is chosen from in training."""

    n_dev_tasks: int = 0
    """Whole pools are not compared with slates: a slate is no shortlist."""

    def __post_init__(self) -> None:
        """Check ranges, and refuse what a second stage does not have."""
        super().__post_init__()
        check_at_least(self, shortlist=2)
        if self.shortlist > min(LONGEST, self.n_candidates):
            raise UsageError(
                f"shortlist must be at most {LONGEST} and at most n_candidates "
                f"({self.n_candidates}), got {self.shortlist}"
            )
        plain = ImitationConfig()
        for name in (
            "rounds", "teacher_steps", "margin_prior", "fallback", "network", "distil",
            "check_tasks", "n_dev_tasks",
        ):  # fmt: skip
            wanted = 0 if name == "n_dev_tasks" else getattr(plain, name)
            if getattr(self, name) != wanted:
                raise UsageError(f"a second stage has no {name}; leave it at {wanted!r}")


SMALL: dict[str, Any] = {
    "n_blocks": 2, "block_tasks": 6, "n_candidates": 12, "shortlist": 6, "learners": SMOKE.learners,
    "sizes": SMOKE.sizes, "budget": SMOKE.budget, "max_pool": SMOKE.max_pool, "rows": SMOKE.rows,
    "columns": SMOKE.columns, "n_epochs": 1, "net_arch": (8, 8), "n_members": 2, "batch_size": 2,
    "n_jobs": 1, "share_tried": 1.0,
}  # fmt: skip

PRESETS = {
    "full": RefineConfig(**WIDE, n_blocks=24, shortlist=24),
    "demo": RefineConfig(n_blocks=4, block_tasks=24, n_members=2, rows=(2_000, 3_000)),
    "smoke": RefineConfig(**SMALL),
}
"""full: rare classes, overlap, warm starts. demo: minutes. smoke: seconds, learns nothing."""

AGENT = Agent(
    name="refine",
    summary="a second stage on a policy: its shortlist, re-ranked by what-if features",
    config_type=RefineConfig,
    presets=PRESETS,
    learner="agents.imitation.refine_learner:RefineLearner",
)
