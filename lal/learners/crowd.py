"""Learning from a crowd: each answer is one annotator's, and annotators are wrong in places.

A row of X is a question: the columns of an item, a one-hot of the label that is asked about (where
there are several), and a one-hot of the annotator. A row whose annotator columns are zeros asks for
the truth, which is how test rows are written.
"""

import copy
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import expit

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.pool import dense

Expertise = Literal["rows", "constant"]

USUAL = 1.4
"""Log-odds of a right answer by an annotator of whom nothing is known: 80 %."""


class Questions(NamedTuple):
    """Rows of X, taken apart.

    Attributes:
        items: Columns of the item, shape (n, D).
        label: The label that is asked about, shape (n,); 0 with one label.
        annotator: Who is asked, shape (n,); -1 for nobody.
    """

    items: Floats
    label: Ints
    annotator: Ints


@dataclass(frozen=True)
class QuestionColumns:
    """How an item, a label and an annotator make a row.

    Attributes:
        n_annotators: A, at least 1.
        n_labels: M; 1 for the class of an item.
    """

    n_annotators: int
    n_labels: int = 1

    def __post_init__(self) -> None:
        """Refuse numbers below one."""
        if self.n_annotators < 1 or self.n_labels < 1:
            raise UsageError(
                "n_annotators and n_labels must be at least 1, got "
                f"{self.n_annotators} and {self.n_labels}"
            )

    @property
    def n_label_columns(self) -> int:
        """Columns that name the label: none where there is only one."""
        return self.n_labels if self.n_labels > 1 else 0

    def join(self, items: Floats, label: Ints, annotator: Ints) -> Floats:
        """Return rows; annotator -1 asks nobody, for the truth."""
        names = np.eye(self.n_labels)[label][:, : self.n_label_columns]
        who = np.eye(self.n_annotators)[annotator] * (annotator >= 0)[:, None]
        return np.hstack([items, names, who])

    def every(self, items: Floats) -> Floats:
        """Return all questions about some items, shape (n M A, ...): item by item."""
        shape = (len(items), self.n_labels, self.n_annotators)
        item, label, annotator = (axis.ravel() for axis in np.indices(shape))
        return self.join(items[item], label, annotator)

    def truth(self, items: Floats) -> Floats:
        """Return the rows that ask for the truth, shape (n M, ...): item by item."""
        item, label = (axis.ravel() for axis in np.indices((len(items), self.n_labels)))
        return self.join(items[item], label, np.full(len(item), -1))

    def split(self, X: Any) -> Questions:
        """Return what the rows say."""
        rows, width = dense(X), self.n_annotators + self.n_label_columns
        if rows.shape[1] <= width:
            raise UsageError(
                f"expected rows of an item, {self.n_label_columns} label columns and "
                f"{self.n_annotators} annotator columns; got {rows.shape[1]} columns"
            )
        items, who = rows[:, :-width], rows[:, rows.shape[1] - self.n_annotators :]
        names = rows[:, items.shape[1] : items.shape[1] + self.n_label_columns]
        label = names.argmax(axis=1) if self.n_label_columns else np.zeros(len(rows), np.int64)
        annotator = np.where(who.any(axis=1), who.argmax(axis=1), -1)
        return Questions(items, label.astype(np.int64), annotator.astype(np.int64))


class CrowdLearner:
    """Logistic regression of the truth and of each annotator's accuracy, by EM.

    The truth z of an item and the answer y of annotator t:

        p(z = c | x)  ~  sigmoid(v_c'x),  normalised over the classes
        p(y = z | x, t) = 1 - eta_t(x) = sigmoid(w_t'x);  wrong answers are uniform

    The expectation step finds the probability of every truth from classifier and answers; the
    maximisation step fits v to it and w_t to the probability that t was right. With several labels,
    each has its own v, and annotators are as good at all of them. Source: Yan, Rosales, Fung and Dy
    (2011), "Active learning from crowds"; ours: more than two classes, and penalties that draw
    annotators to 80 % right.

    Args:
        n_annotators: A.
        n_labels: M; with more than one, classes are 0 (absent) and 1.
        expertise: ``"rows"``: accuracy depends on the item; ``"constant"``: it does not.
        abstains: The last class stands for "I do not know"; it teaches only that t abstains.
        penalty: Ridge penalty of the classifier's weights.
        annotator_penalty: The same for annotators.
        n_iterations: Steps of EM.
    """

    def __init__(
        self,
        n_annotators: int = 2,
        n_labels: int = 1,
        *,
        expertise: Expertise = "rows",
        abstains: bool = False,
        penalty: float = 1.0,
        annotator_penalty: float = 3.0,
        n_iterations: int = 6,
    ) -> None:
        if expertise not in ("rows", "constant"):
            raise UsageError(f"expertise must be 'rows' or 'constant', got {expertise!r}")
        self.columns = QuestionColumns(n_annotators, n_labels)
        self.expertise, self.abstains = expertise, abstains
        self.penalty, self.annotator_penalty = penalty, annotator_penalty
        self.n_iterations = n_iterations
        self.name = f"crowd(n_annotators={n_annotators}, n_labels={n_labels})"
        self.scale: tuple[Floats, Floats] | None = None

    def bind(self, X: Any) -> "CrowdLearner":
        """Return the learner that scales items as those of a pool."""
        bound = copy.copy(self)
        bound.scale = _scale(self.columns.split(X).items)
        return bound

    def fit(
        self,
        X: Any,
        y: Ints,
        *,
        n_classes: int,
        sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> "CrowdModel":
        """Return the model of the answers y to the questions X; see `Learner.fit`."""
        asked = self.columns.split(X)
        scale = _scale(asked.items) if self.scale is None else self.scale
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        model = CrowdModel(self, n_classes, scale, asked.items.shape[1])
        real = np.asarray(y) < model.n_truths
        model.seen = np.isin(np.arange(model.n_truths), y)
        model.abstention = _rates(asked.annotator, ~real, self.columns.n_annotators)
        answers = _Answers(
            model.features(asked.items[real]), asked.label[real], asked.annotator[real],
            np.asarray(y)[real], weight[real],
        )  # fmt: skip
        if len(answers.y):
            _expectation_maximisation(model, answers, self)
        return model


@dataclass(frozen=True, eq=False)
class _Answers:
    """Answers to questions, with the features of their items."""

    F: Floats
    label: Ints
    annotator: Ints
    y: Ints
    weight: Floats


class CrowdModel:
    """What `CrowdLearner` fits: one classifier a label, one accuracy an annotator."""

    def __init__(
        self, learner: CrowdLearner, n_classes: int, scale: tuple[Floats, Floats], n_columns: int
    ) -> None:
        self.columns, self.expertise = learner.columns, learner.expertise
        self.n_classes = n_classes
        self.n_truths = max(n_classes - int(learner.abstains), 1)
        self.scale = scale
        width = n_columns + 1
        self.truth_weights = np.zeros((self.columns.n_labels, self.n_truths, width))
        self.annotator_weights = np.zeros((self.columns.n_annotators, width))
        self.annotator_weights[:, 0] = USUAL
        self.abstention = np.zeros(self.columns.n_annotators)
        self.seen = np.zeros(self.n_truths, dtype=np.bool_)

    def features(self, items: Floats) -> Floats:
        """Return scaled items behind a column of ones, shape (n, 1 + D)."""
        mean, spread = self.scale
        return np.hstack([np.ones((len(items), 1)), (items - mean) / spread])

    def truth(self, F: Floats, label: Ints) -> Floats:
        """Return probabilities of the truth, shape (n, truths)."""
        if self.n_truths == 1:
            return np.ones((len(F), 1))
        logits = np.einsum("nd,ncd->nc", F, self.truth_weights[label])
        proba = expit(logits)
        if self.n_truths == 2:  # one classifier and its mirror image
            return np.column_stack([1.0 - proba[:, 1], proba[:, 1]])
        normalised: Floats = proba / np.maximum(proba.sum(axis=1, keepdims=True), 1e-12)
        return normalised

    def right(self, F: Floats, annotator: Ints) -> Floats:
        """Return the probability that an answer is the truth, given that it is one, (n,)."""
        found: Floats = expit(np.einsum("nd,nd->n", F, self.annotator_weights[annotator]))
        return found

    def predict_proba(self, X: Any) -> Floats:
        """Return probabilities of the truth, whoever is asked, (n, C); 0 if never answered."""
        asked = self.columns.split(X)
        proba = np.zeros((len(asked.label), self.n_classes))
        if not self.seen.any():
            proba[:, : self.n_truths] = 1.0 / self.n_truths
            return proba
        truth = self.truth(self.features(asked.items), asked.label) * self.seen
        proba[:, : self.n_truths] = truth / truth.sum(axis=1, keepdims=True)
        return proba

    def predict(self, X: Any) -> Ints:
        """Return the likeliest truth, shape (n,)."""
        codes: Ints = self.predict_proba(X).argmax(axis=1)
        return codes

    def committee_proba(self, X: Any) -> None:
        """Return None: there are no members."""

    def annotator_error(self, X: Any) -> Floats:
        """Return the probability that the answer is wrong or missing; 0 where nobody is asked."""
        asked = self.columns.split(X)
        right = self.right(self.features(asked.items), asked.annotator)
        right = right * (1.0 - self.abstention[asked.annotator])
        return np.where(asked.annotator >= 0, 1.0 - right, 0.0)

    def variance(self, X: Any) -> Floats | None:
        """Return e (1 - e) with e the error of each answer, (n,); None before two classes."""
        if self.seen.sum() < 2:
            return None
        error = self.annotator_error(X)
        return error * (1.0 - error)

    def questions(self, X: Any) -> Questions:
        """Return what each question is about, with scaled items."""
        asked = self.columns.split(X)
        return asked._replace(items=self.features(asked.items)[:, 1:])


def _expectation_maximisation(model: CrowdModel, found: _Answers, learner: CrowdLearner) -> None:
    """Fit the weights of a model to answers."""
    keyed = np.column_stack([found.label, found.F])
    _, first, group = np.unique(keyed, axis=0, return_index=True, return_inverse=True)
    group = group.ravel()
    F, label = found.F[first], found.label[first]
    own = found.F if learner.expertise == "rows" else found.F[:, :1]
    pull = learner.annotator_penalty
    truth = np.full((len(first), model.n_truths), 1.0 / model.n_truths)
    for _ in range(learner.n_iterations):
        truth = _expected_truth(model, found, group, truth)
        for one in np.unique(label):
            _fit_truth(model, F[label == one], truth[label == one], int(one), learner.penalty)
        right = truth[group, found.y]
        for who in np.unique(found.annotator[found.annotator >= 0]):
            rows = found.annotator == who
            weights = model.annotator_weights[who, : own.shape[1]]
            model.annotator_weights[who, : own.shape[1]] = soft_logistic(
                own[rows], right[rows], found.weight[rows], weights,
                centre=USUAL, penalty=pull, intercept_penalty=pull,
            )  # fmt: skip
        truth = model.truth(F, label)


def _expected_truth(model: CrowdModel, found: _Answers, group: Ints, prior: Floats) -> Floats:
    """Return the probability of every truth given the classifier and the answers, (G, truths)."""
    right = np.where(found.annotator >= 0, model.right(found.F, found.annotator), 1.0 - 1e-6)
    right = np.clip(right, 1e-6, 1.0 - 1e-6)
    others = max(model.n_truths - 1, 1)
    said = np.eye(model.n_truths)[found.y]
    evidence = np.where(said > 0, np.log(right)[:, None], np.log((1.0 - right) / others)[:, None])
    log = np.log(np.maximum(prior, 1e-12))
    np.add.at(log, group, found.weight[:, None] * evidence)
    log -= log.max(axis=1, keepdims=True)
    odds = np.exp(log)
    truth: Floats = odds / odds.sum(axis=1, keepdims=True)
    return truth


def _fit_truth(model: CrowdModel, F: Floats, truth: Floats, label: int, penalty: float) -> None:
    """Fit one against the rest; two classes need one classifier."""
    weight = np.ones(len(F))
    for code in range(1, 2) if model.n_truths == 2 else range(model.n_truths):
        model.truth_weights[label, code] = soft_logistic(
            F, truth[:, code], weight, model.truth_weights[label, code],
            centre=0.0, penalty=penalty, intercept_penalty=0.01,
        )  # fmt: skip


def soft_logistic(
    F: Floats,
    target: Floats,
    weight: Floats,
    start: Floats,
    *,
    centre: float,
    penalty: float,
    intercept_penalty: float,
    n_steps: int = 4,
) -> Floats:
    """Return the weights of a ridge logistic regression to targets between 0 and 1, by Newton.

    Args:
        F: Features, the first a column of ones, shape (n, d).
        target: Probability of a one, shape (n,).
        weight: Of the rows, shape (n,).
        start: First weights, shape (d,).
        centre: What the intercept is drawn to.
        penalty: Of the other weights.
        intercept_penalty: Of the intercept.
        n_steps: Newton steps.
    """
    pull = np.full(F.shape[1], penalty)
    pull[0] = intercept_penalty
    middle = np.zeros(F.shape[1])
    middle[0] = centre
    w = start.copy()
    for _ in range(n_steps):
        p = expit(F @ w)
        gradient = F.T @ (weight * (p - target)) + pull * (w - middle)
        curvature = (F * (weight * np.maximum(p * (1.0 - p), 1e-4))[:, None]).T @ F
        w = w - np.linalg.solve(curvature + np.diag(pull), gradient)
    found: Floats = w
    return found


def _scale(items: Floats) -> tuple[Floats, Floats]:
    if not len(items):
        return np.zeros(items.shape[1]), np.ones(items.shape[1])
    spread = items.std(axis=0)
    return items.mean(axis=0), np.where(spread > 1e-12, spread, 1.0)


def _rates(annotator: Ints, event: Any, n_annotators: int) -> Floats:
    """Return how often each annotator abstained, drawn to 0 by two answers."""
    asked = np.bincount(annotator[annotator >= 0], minlength=n_annotators)
    abstained = np.bincount(annotator[(annotator >= 0) & event], minlength=n_annotators)
    rates: Floats = abstained / (asked + 2.0)
    return rates
