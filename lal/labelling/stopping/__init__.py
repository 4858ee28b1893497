"""STOPPING_RULES: when labelling may stop, by name; one file a kind of rule."""

from lal.labelling.stopping.base import (
    STOPPING_RULES,
    Advice,
    Checkpoints,
    StoppingRule,
    make_rule,
)
from lal.labelling.stopping.stabilising import StabilisingPredictions, Stability, kappa

for _name, _where in {
    "stabilising_predictions": "stabilising:stabilising_predictions",
    "overall_uncertainty": "confidence:OverallUncertainty",
    "minimum_expected_error": "confidence:MinimumExpectedError",
    "performance_convergence": "confidence:PerformanceConvergence",
    "committee_agreement": "committee:CommitteeAgreement",
    "budget": "budget:Budget",
}.items():
    STOPPING_RULES.add_lazy(_name, f"{__name__}.{_where}")

__all__ = [
    "STOPPING_RULES",
    "Advice",
    "Checkpoints",
    "StabilisingPredictions",
    "Stability",
    "StoppingRule",
    "kappa",
    "make_rule",
]
