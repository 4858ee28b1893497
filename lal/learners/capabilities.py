"""What a model can give beyond probabilities; a strategy that needs more is refused by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.state import QueryState


class Embeds(Protocol):
    """A model with a representation in front of its last layer."""

    def embed(self, X: Rows) -> Floats | None:
        """Return what the last layer sees, shape (n, h); None without one."""
        ...


class HasHead(Protocol):
    """A model whose last layer can be asked alone."""

    def head_proba(self, embedding: Floats) -> Floats | None:
        """Return the probabilities of points of the embedding, (n, h) to (n, C)."""
        ...


class Samples(Protocol):
    """A model that draws from its posterior."""

    def sample_proba(self, X: Rows, n: int, rng: np.random.Generator) -> Floats | None:
        """Return the probabilities of n draws of the parameters, shape (n, rows, C)."""
        ...


class GradientEmbeds(Protocol):
    """A model that knows the gradient of its loss in the last layer."""

    def gradient_embedding(self, X: Rows) -> Floats | None:
        """Return the gradients for the predicted labels, class by class, shape (n, C h)."""
        ...


@dataclass(frozen=True, eq=False)
class TrainingDiary:
    """What happened while a model was fitted.

    Attributes:
        true_proba: Probability of the true class of every labelled row after each epoch, shape
            (epochs, L).
        correct: Share of the networks that predict it, shape (epochs, L).
    """

    true_proba: Floats
    correct: Floats

    @property
    def confidence(self) -> Floats:
        """Mean over epochs of the probability of the true class, shape (L,)."""
        mean: Floats = self.true_proba.mean(axis=0)
        return mean

    @property
    def variability(self) -> Floats:
        """Standard deviation over epochs of that probability, shape (L,).

        Confidence and variability are the axes of a data map: rows low on both are hard to learn.
        Source: Swayamdipta et al. (2020), "Dataset cartography"; Karamcheti, Krishna, Fei-Fei &
        Manning (2021), "Mind your outliers!", who find that strategies keep asking for them.
        """
        spread: Floats = self.true_proba.std(axis=0)
        return spread


class KeepsDiary(Protocol):
    """A model that was fitted epoch by epoch."""

    @property
    def diary(self) -> TrainingDiary | None:
        """The diary of the fit; None without one."""
        ...


class PredictsLoss(Protocol):
    """A model with a head that predicts its own loss."""

    def predict_loss(self, X: Rows) -> Floats | None:
        """Return the predicted loss of every row, in any unit, shape (n,)."""
        ...


class InputGradients(Protocol):
    """A model whose loss can be differentiated in its input."""

    def input_gradient(self, X: Rows, target: Floats) -> Floats | None:
        """Return the gradient of the cross-entropy of `target` (n, C) in the rows, (n, D)."""
        ...


class KnowsAnnotators(Protocol):
    """A model of answers by several annotators."""

    def annotator_error(self, X: Rows) -> Floats | None:
        """Return the probability that the answer to each question is wrong, shape (n,)."""
        ...

    def questions(self, X: Rows) -> tuple[Floats, Ints, Ints] | None:
        """Return the item (n, D), label (n,) and annotator (n,) of each question."""
        ...


class Segments(Protocol):
    """A model of the pixels of regions."""

    def pixel_proba(self, X: Rows) -> Floats:
        """Return the probabilities of every pixel, shape (n, P, C)."""
        ...

    def pixel_samples(self, X: Rows, n: int, rng: np.random.Generator) -> Floats | None:
        """Return what members or draws say of every pixel, shape (M, n, P, C); None without."""
        ...


class Capability(NamedTuple):
    """A capability in words.

    Attributes:
        gives: What it gives.
        learners: Learners of the registry that have it.
    """

    gives: str
    learners: tuple[str, ...]


NEURAL = ("mlp", "mlp_consistency", "mlp_loss", "small_cnn", "text_bow")
"""Neural learners; they need the extra ``[neural]``."""

LOGISTIC = ("logistic_regression", "pseudo_labels", "represented", "retuned", "with_source")
"""Learners whose models are logistic regressions."""

CAPABILITIES: Mapping[str, Capability] = {
    "embed": Capability(
        "what its last layer sees", ("label_spreading", *LOGISTIC, "ridge", "segmentation", *NEURAL)
    ),
    "head_proba": Capability("its last layer alone", (*LOGISTIC, "ridge", *NEURAL)),
    "gradient_embedding": Capability("gradients of its last layer", (*LOGISTIC, *NEURAL)),
    "variance": Capability("a predictive variance", ("crowd", "gp", "segmentation", *LOGISTIC)),
    "sample_proba": Capability("draws from its posterior", (*LOGISTIC, *NEURAL)),
    "diary": Capability("a diary of its training", NEURAL),
    "predict_loss": Capability("a prediction of its own loss", ("mlp_loss",)),
    "input_gradient": Capability(
        "gradients in its input",
        ("logistic_regression", "pseudo_labels", "retuned", "with_source", *NEURAL[:-1]),
    ),
    "annotator_error": Capability("how often an annotator is wrong", ("crowd",)),
    "questions": Capability("what a question is about", ("crowd",)),
    "pixel_proba": Capability("probabilities of every pixel", ("segmentation",)),
    "pixel_samples": Capability("members or draws for every pixel", ("segmentation",)),
}
"""Capabilities by the method that gives them."""


def last_layer_gradient(proba: Floats, embedding: Floats) -> Floats:
    """Return ``(p - e_y) h'`` with y the likeliest class, flattened, shape (n, C h).

    That is the gradient of the cross-entropy of the predicted label in the weights of a softmax
    layer. Source: Ash et al. (2020), "Deep batch active learning by diverse, uncertain gradient
    lower bounds", equation 1.

    Args:
        proba: Shape (n, C).
        embedding: What the layer sees, shape (n, h).
    """
    error = proba.copy()
    error[np.arange(len(proba)), proba.argmax(axis=1)] -= 1.0
    outer: Floats = error[:, :, None] * embedding[:, None, :]
    return outer.reshape(len(proba), -1)


def find_capability(model: Any, name: str, *arguments: Any) -> Any:
    """Return what a capability gives, or None where the model does not have it.

    Args:
        model: A fitted model.
        name: A name in `CAPABILITIES`.
        *arguments: Passed to the method; nothing for an attribute.
    """
    found = getattr(model, name, None)
    return found(*arguments) if callable(found) else found


def require_capability(state: QueryState, name: str, who: str, *arguments: Any) -> Any:
    """Return what a capability of the state's model gives.

    Args:
        state: A state with a model.
        name: A name in `CAPABILITIES`.
        who: Asks for it, for the message.
        *arguments: Passed to the method after the rows of the pool; in their place for the head.

    Raises:
        UsageError: The model does not have it; the message names learners that do.
    """
    given = arguments if name in ("diary", "head_proba") else (state.X, *arguments)
    found = find_capability(state.model, name, *given)
    if found is None:
        known = ", ".join(repr(learner) for learner in CAPABILITIES[name].learners) or "none here"
        learner = getattr(state.learner, "name", "the classifier that was given")
        raise UsageError(
            f"{who} needs a learner with {name} ({CAPABILITIES[name].gives}), which {learner} "
            f"does not have; learners that have it: {known}"
        )
    return found
