"""Numbers of the features that have a kernel, and what each of them needs."""

CANDIDATE_KERNELS = {
    name: number
    for number, name in enumerate(
        (
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
            "committee_spread@1",
            "variance@1",
            "herding@1",
            "herding_rank@1",
            "max_herding@1",
            "max_herding_rank@1",
            "rarity@1",
            "rarity_rank@1",
        )
    )
}
"""Number of every candidate feature that has a kernel."""

CONTEXT_KERNELS = {
    name: number
    for number, name in enumerate(
        (
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
    )
}
"""Number of every context feature that has a kernel."""

NEEDS_LEVERAGE = ("leverage@1", "studentised_margin@1")
NEEDS_COMMITTEE = ("committee_spread@1",)
NEEDS_VARIANCE = ("variance@1",)

MARGIN, MAX_PROBA, ENTROPY, MARGIN_RANK, MARGIN_Z = range(5)
MIN_DISTANCE, MEAN_DISTANCE, MIN_RANK, MEAN_RANK, PREDICTED, OTHER = range(5, 11)
GAP, NEIGHBOUR_ENTROPY, DENSITY, WIDE, DENSITY_RANK, WIDE_RANK = range(11, 17)
UNCOVERED, NOVELTY, LEVERAGE, STUDENTISED, DISAGREEMENT, SCARCITY = range(17, 23)
DENSE_DOUBT, UNCOVERED_DOUBT, SPREAD, VARIANCE = range(23, 27)
HERDING, HERDING_RANK, MAX_HERDING, MAX_HERDING_RANK, RARITY, RARITY_RANK = range(27, 33)

N_LABELLED, PER_CLASS, CLASS_ENTROPY, SMALLEST, N_CLASSES, MARGIN_MEAN, MARGIN_STD = range(7)
ENTROPY_MEAN, PREDICTED_ENTROPY, LOO, NEIGHBOUR_DISAGREEMENT, REACHED, SPACING = range(7, 13)
SPENT, N_COLUMNS, N_REFERENCE = range(13, 16)

KNOWN_SINCE_PROBA = (
    (1 << MARGIN) | (1 << MAX_PROBA) | (1 << ENTROPY) | (1 << MARGIN_RANK) | (1 << MARGIN_Z)
    | (1 << PREDICTED) | (1 << OTHER) | (1 << STUDENTISED) | (1 << DISAGREEMENT)
    | (1 << SCARCITY) | (1 << DENSE_DOUBT) | (1 << UNCOVERED_DOUBT) | (1 << SPREAD)
    | (1 << VARIANCE)
)  # fmt: skip
"""Candidate features that are undefined before two classes are seen."""

CONTEXT_SINCE_PROBA = (
    (1 << MARGIN_MEAN) | (1 << MARGIN_STD) | (1 << ENTROPY_MEAN) | (1 << PREDICTED_ENTROPY)
    | (1 << NEIGHBOUR_DISAGREEMENT)
)  # fmt: skip
"""Context features that are undefined before two classes are seen."""
