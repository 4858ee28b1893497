"""The lines of ``benchmark deep``: what is run for each row of the field's list, and where."""

from typing import NamedTuple


class Line(NamedTuple):
    """A row of the field's list, with what is run for it.

    Attributes:
        row: Its number; 0 for a strategy that the list does not name.
        strategy: A strategy, or a policy as ``"policy:default"``.
        learner: As `read_learner` takes it.
        on: Where it makes sense: "all", "images", "texts", "two classes" or "many classes".
        condition: What is wrong with the pool, for this line and what it is compared with.
        remedy: A further condition of this line alone.
    """

    row: int
    strategy: str
    learner: str
    on: str = "all"
    condition: str = ""
    remedy: str = ""


LOGISTIC, CNN = "logistic_regression", "small_cnn"

LINES: tuple[Line, ...] = (
    *(Line(row, strategy, LOGISTIC) for row, strategy in (
        (2, "expected_gradient_length"), (2, "density_weighted"),
        (6, "discriminative_batch"), (9, "hierarchical_sampling"), (10, "matrix_partition"),
        (13, "bald"), (16, "coordinated_matching"), (18, "gibbs_error"), (19, "graph_signal"),
        (37, "core_set"), (42, "vaal"), (43, "kmc"), (45, "dal"), (48, "acs_fw"),
        (52, "batch_bald"), (54, "badge"), (58, "fisher_kernel"), (60, "sraal"),
        (62, "minimax"), (65, "surprisal"), (69, "uncertain_gcn"), (69, "core_gcn"),
        (72, "virtual_adversary"), (75, "lada"), (81, "isal"), (83, "geal"),
        (0, "typiclust"), (0, "prob_cover"), (0, "drop_query"), (0, "uncertainty_herding"),
        (0, "policy:default"),
    )),
    # With more classes these try fewer rows in a query than a batch has; the others are drawn.
    *(Line(row, strategy, LOGISTIC, "two classes") for row, strategy in (
        (2, "expected_error_reduction"), (13, "probit_bald"), (35, "mval"),
    )),
    Line(22, "margin", "pseudo_labels"),
    *(Line(row, strategy, "mlp") for row, strategy in (
        (31, "variation_ratio"), (31, "predictive_entropy"), (31, "bald"), (31, "mean_std"),
        (33, "vote_ratio"), (54, "badge"), (64, "consistency"), (84, "cartography"),
    )),
    *(Line(row, strategy, CNN, "images") for row, strategy in (
        (31, "variation_ratio"), (31, "predictive_entropy"), (31, "bald"), (31, "mean_std"),
        (37, "core_set"), (54, "badge"), (0, "typiclust"), (0, "uncertainty_herding"),
        (0, "policy:default"),
    )),
    *(Line(row, strategy, "text_bow", "texts") for row, strategy in (
        (54, "badge"), (0, "typiclust"), (0, "uncertainty_herding"), (0, "policy:default"),
    )),
    Line(64, "consistency", "mlp_consistency"),
    Line(49, "learning_loss", "mlp_loss"),
    Line(70, "ta_vaal", "mlp_loss"),
    Line(51, "margin", "small_cnn?shift=1", "images"),
    Line(61, "margin", "retuned"),
    Line(78, "margin", "represented?by=two_views"),
    Line(82, "margin", "represented?by=autoencoder"),
    Line(46, "margin", LOGISTIC, "all", "redundancy?share=0.43", "without_redundancy?keep=0.7"),
    Line(71, "badge", LOGISTIC, condition="redundancy?copies=4"),
    Line(68, "bald", LOGISTIC, "many classes", "minority"),
    Line(73, "class_mismatch", LOGISTIC, "many classes", "unknown_classes"),
    Line(74, "entropy", LOGISTIC, condition="outliers"),
)  # fmt: skip
"""All lines; a row's note in docs/rows.md says how it differs from its paper."""

ELSEWHERE = {
    1: "a page", 3: "a page", 4: "a page", 87: "a page", 88: "a page of theory",
    8: "sequences", 38: "not here yet", 50: "needs models of other tasks",
}  # fmt: skip
"""Rows of neural learners and deep strategies without a line, and why."""

BASE = {
    "pseudo_labels": LOGISTIC, "retuned": LOGISTIC, "represented?by=two_views": LOGISTIC,
    "represented?by=autoencoder": LOGISTIC, "mlp_consistency": "mlp", "mlp_loss": "mlp",
    "small_cnn?shift=1": CNN,
}  # fmt: skip
"""What random and margin are run with, where that is not the line's own learner."""


def applies(line: Line, dataset: str) -> bool:
    """Return whether a line makes sense on a data set."""
    image = any(name in dataset for name in ("digits", "mnist", "fashion", "omniglot"))
    texts = dataset.endswith(".jsonl.gz")
    two = any(name in dataset for name in ("sms_spam", "breast_cancer"))
    kinds = {"all": True, "images": image, "texts": texts, "two classes": two}
    return kinds.get(line.on, not two)
