"""Features: what a policy may know of a candidate and of the state. Importing fills FEATURES."""

from lal.features import (
    candidate,
    context,
    coverage,
    forest,
    lal_rl,
    model_doubt,
    regions,
    regression,
    what_if,
)
from lal.features.base import FEATURES, Feature, candidate_matrix, context_vector, define
from lal.task_kind import CLASSIFICATION, REGRESSION, TaskKind

DEFAULT_CANDIDATE_FEATURES = (
    "margin@1",
    "max_proba@1",
    "entropy@1",
    "margin_rank@1",
    "margin_z@1",
    "min_distance@1",
    "mean_distance@1",
    "min_distance_rank@1",
    "mean_distance_rank@1",
    "predicted_distance@1",
    "other_distance@1",
    "distance_margin@1",
    "neighbour_entropy@1",
    "density@1",
    "wide_density@1",
    "density_rank@1",
    "wide_density_rank@1",
    "uncovered@1",
    "novelty@1",
    "leverage@1",
    "studentised_margin@1",
    "nearest_disagreement@1",
    "scarcity@1",
    "dense_doubt@1",
    "uncovered_doubt@1",
)
"""What policies look at unless told otherwise: nothing that only some learners have."""

COVERAGE_CANDIDATE_FEATURES = (
    "herding@1",
    "herding_rank@1",
    "max_herding@1",
    "max_herding_rank@1",
    "rarity@1",
    "rarity_rank@1",
)
"""What uncertainty herding ranks by, and which classes are rare in the pool; for any learner."""

REGRESSION_CANDIDATE_FEATURES = (
    "min_distance@1",
    "mean_distance@1",
    "min_distance_rank@1",
    "mean_distance_rank@1",
    "density@1",
    "wide_density@1",
    "density_rank@1",
    "wide_density_rank@1",
    "uncovered@1",
    "novelty@1",
    "leverage@1",
    "value_distance@1",
    "value_distance_rank@1",
    "greedy_product@1",
    "greedy_product_rank@1",
    "predicted_rank@1",
    "predicted_extreme@1",
    "neighbour_gap@1",
    "neighbour_spread@1",
    "neighbour_residual@1",
    "variance_rank@1",
    "deviation@1",
    "members_rank@1",
    "dense_product@1",
)
"""The same for regression; variances and members take a fixed value where a learner has none."""

DEFAULT_CONTEXT_FEATURES = (
    "n_labelled@1",
    "labels_per_class@1",
    "class_entropy@1",
    "smallest_share@1",
    "n_classes@1",
    "margin_mean@1",
    "margin_std@1",
    "entropy_mean@1",
    "predicted_entropy@1",
    "loo_neighbour_accuracy@1",
    "neighbour_disagreement@1",
    "reached@1",
    "spacing@1",
    "spent_share@1",
    "n_columns@1",
    "n_reference@1",
)

REGRESSION_CONTEXT_FEATURES = (
    "n_labelled@1",
    "reached@1",
    "spacing@1",
    "spent_share@1",
    "n_columns@1",
    "n_reference@1",
    "fit_residual@1",
    "predicted_spread@1",
    "loo_neighbour_error@1",
)

REGION_CANDIDATE_FEATURES = (
    "region_entropy@1",
    "region_margin@1",
    "region_class_entropy@1",
    "region_borders@1",
    "region_rarity@1",
    "region_kl_labelled@1",
    "region_kl_pool@1",
)
"""What policies for regions of images look at: the pixels that the model predicts."""

REGION_CONTEXT_FEATURES = ("n_labelled@1", "spent_share@1", "region_state@1")
"""The same for the state of learning."""


def default_features(kind: TaskKind) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids of the default candidate and context features of a kind of task."""
    return {
        CLASSIFICATION: (DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES),
        REGRESSION: (REGRESSION_CANDIDATE_FEATURES, REGRESSION_CONTEXT_FEATURES),
    }[kind]


__all__ = [
    "COVERAGE_CANDIDATE_FEATURES",
    "DEFAULT_CANDIDATE_FEATURES",
    "DEFAULT_CONTEXT_FEATURES",
    "FEATURES",
    "REGION_CANDIDATE_FEATURES",
    "REGION_CONTEXT_FEATURES",
    "REGRESSION_CANDIDATE_FEATURES",
    "REGRESSION_CONTEXT_FEATURES",
    "Feature",
    "candidate",
    "candidate_matrix",
    "context",
    "context_vector",
    "coverage",
    "default_features",
    "define",
    "forest",
    "lal_rl",
    "model_doubt",
    "regions",
    "regression",
    "what_if",
]
