"""Features: what a policy may know of a candidate and of the state. Importing fills FEATURES."""

from lal.features import candidate, context, forest, lal_rl, what_if
from lal.features.base import FEATURES, Feature, candidate_matrix, context_vector, define

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

__all__ = [
    "DEFAULT_CANDIDATE_FEATURES",
    "DEFAULT_CONTEXT_FEATURES",
    "FEATURES",
    "Feature",
    "candidate",
    "candidate_matrix",
    "context",
    "context_vector",
    "define",
    "forest",
    "lal_rl",
    "what_if",
]
