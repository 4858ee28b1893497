"""LEARNERS: learners by name."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from lal.errors import UsageError
from lal.learners.regression import REGRESSORS, RegressionLearner
from lal.learners.sklearn_learner import SklearnLearner
from lal.registry import Registry, parse_options, require
from lal.task import Learner
from lal.task_kind import CLASSIFICATION, REGRESSION, check_task_kind

LEARNERS: Registry[Callable[..., Learner]] = Registry("learner")


def make_named_learner(learner: Any, classes: Sequence[Any]) -> Learner:
    """Return what `make_learner` does; a classifier is told the caller's labels by code."""
    made = make_learner(learner)
    if isinstance(made, SklearnLearner):
        return SklearnLearner(made.estimator, name=made.name, classes=classes)
    return made


def read_learner(text: str, *, task: str = CLASSIFICATION) -> Learner:
    """Return the learner that a text names: ``"mlp"``, ``"pseudo_labels?base=mlp"``."""
    name, options = parse_options(text)
    return make_learner(name, task=task, **options)


def make_learner(learner: Any, *, task: str = CLASSIFICATION, **options: Any) -> Learner:
    """Return a learner.

    Args:
        learner: A name of the registry, a scikit-learn classifier or pipeline, a class of one, or
            a learner (returned as it is).
        task: ``"regression"`` takes regressors; their names are those of
            `lal.learners.regression.REGRESSORS` (ridge, gp, random_forest, mlp_ensemble).
        **options: Parameters of the estimator, for a name or a class.

    Raises:
        UnknownNameError: No learner of that name; the message has the nearest names.
        UsageError: Not a classifier, a wrong option, or options for a finished object.
    """
    number = check_task_kind(task) == REGRESSION
    wrap = RegressionLearner if number else SklearnLearner
    if isinstance(learner, str):
        named: Learner = _build((REGRESSORS if number else LEARNERS)[learner], learner, options)
        return named
    if isinstance(learner, type):
        return wrap(_build(learner, learner.__name__, options))
    if options:
        raise UsageError(
            f"options {', '.join(options)} were given with a finished {type(learner).__name__}; "
            "set them on the object, or pass its class or name"
        )
    if _is_learner(learner):
        found: Learner = learner
        return found
    return wrap(learner)


def _is_learner(value: Any) -> bool:
    fit = getattr(value, "fit", None)
    return callable(fit) and "n_classes" in inspect.signature(fit).parameters


def _build(make: Callable[..., Any], name: str, options: dict[str, Any]) -> Any:
    try:
        return make(**options)
    except TypeError as error:
        raise UsageError(f"learner {name!r} does not take these options: {error}") from error


def _named(name: str, estimator: Any, options: dict[str, Any]) -> SklearnLearner:
    shown = ", ".join(f"{key}={value!r}" for key, value in sorted(options.items()))
    return SklearnLearner(estimator, name=f"{name}({shown})" if shown else name)


@LEARNERS.register("logistic_regression")
def logistic_regression(**options: Any) -> Learner:
    """Logistic regression, ridge C=1, solved tightly enough to be called exact."""
    from sklearn.linear_model import LogisticRegression

    defaults = {"C": 1.0, "max_iter": 1000, "tol": 1e-6}
    return _named("logistic_regression", LogisticRegression(**(defaults | options)), options)


@LEARNERS.register("random_forest")
def random_forest(**options: Any) -> Learner:
    """Random forest of 50 full-depth trees; its trees are its committee."""
    from sklearn.ensemble import RandomForestClassifier

    return _named(
        "random_forest", RandomForestClassifier(**({"n_estimators": 50} | options)), options
    )


@LEARNERS.register("extra_trees")
def extra_trees(**options: Any) -> Learner:
    """Extremely randomised trees, 50 of them; its trees are its committee."""
    from sklearn.ensemble import ExtraTreesClassifier

    return _named("extra_trees", ExtraTreesClassifier(**({"n_estimators": 50} | options)), options)


@LEARNERS.register("hist_gradient_boosting")
def hist_gradient_boosting(**options: Any) -> Learner:
    """Gradient boosting that works with few labels.

    At its defaults it is one constant probability below 40 labels, because a leaf needs 20 rows.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    defaults = {
        "min_samples_leaf": 3,
        "max_iter": 50,
        "max_leaf_nodes": 8,
        "early_stopping": False,
    }
    return _named(
        "hist_gradient_boosting", HistGradientBoostingClassifier(**(defaults | options)), options
    )


@LEARNERS.register("knn")
def knn(**options: Any) -> Learner:
    """Five nearest neighbours; fewer while there are fewer labels."""
    from sklearn.neighbors import KNeighborsClassifier

    return _named("knn", KNeighborsClassifier(**options), options)


@LEARNERS.register("gaussian_nb")
def gaussian_nb(**options: Any) -> Learner:
    """Gaussian naive Bayes."""
    from sklearn.naive_bayes import GaussianNB

    return _named("gaussian_nb", GaussianNB(**options), options)


@LEARNERS.register("rbf_svm_lu")
def rbf_svm_lu(**options: Any) -> Learner:
    """The SVM of the literature bridge: C=1, gamma ``1 / D`` (Lu, Li & Lin, 2023)."""
    from sklearn.svm import SVC

    return _named("rbf_svm_lu", SVC(**({"C": 1.0, "gamma": "auto"} | options)), options)


@LEARNERS.register("rbf_svm")
def rbf_svm(**options: Any) -> Learner:
    """RBF-kernel SVM, one class against the rest, probabilities through a fixed logistic."""
    from lal.learners.svm import OneVsRestSVC

    return _named("rbf_svm", OneVsRestSVC(**options), options)


@LEARNERS.register("ridge")
def ridge(**options: Any) -> Learner:
    """Ridge classification, alpha 1, probabilities through a fixed logistic."""
    from sklearn.linear_model import RidgeClassifier

    return _named("ridge", RidgeClassifier(**options), options)


@LEARNERS.register("gp")
def gp(**options: Any) -> Learner:
    """Gaussian-process regression on one-hot targets; it knows its predictive variance."""
    from lal.learners.gp import GPClassifier

    return _named("gp", GPClassifier(**options), options)


@LEARNERS.register("mlp")
def mlp(**options: Any) -> Learner:
    """Two dense hidden layers with dropout, for tables and small drawings (extra ``[neural]``)."""
    return _neural("mlp", options)


@LEARNERS.register("small_cnn")
def small_cnn(**options: Any) -> Learner:
    """Two strided convolutions and a dense layer with dropout (extra ``[neural]``)."""
    return _neural("small_cnn", {"hidden": (64,), "image": "square"} | options)


@LEARNERS.register("mlp_loss")
def mlp_loss(**options: Any) -> Learner:
    """`mlp` with a head that predicts its loss (extra ``[neural]``)."""
    return _neural("mlp_loss", {"loss_weight": 1.0} | options)


@LEARNERS.register("mlp_consistency")
def mlp_consistency(**options: Any) -> Learner:
    """`mlp` that is to predict rows of the pool alike under noise (extra ``[neural]``)."""
    defaults = {"consistency": 1.0, "noise": 0.3, "stop_loss": 0.0}
    return _neural("mlp_consistency", defaults | options)


@LEARNERS.register("text_bow")
def text_bow(**options: Any) -> Learner:
    """A network on hashed words and pairs of words of texts (extra ``[neural]``)."""
    from lal.learners.texts import TextLearner

    network = _neural("text_bow", {"hidden": (64,), "columns_alike": True} | options)
    return TextLearner(network, name="text_bow")


@LEARNERS.register("pseudo_labels")
def pseudo_labels(base: Any = "logistic_regression", **options: Any) -> Learner:
    """A learner that also trains on its own confident predictions of the pool."""
    from lal.learners.pool_aware import PseudoLabels

    return PseudoLabels(make_learner(base), **options)


@LEARNERS.register("label_spreading")
def label_spreading(**options: Any) -> Learner:
    """Labels that spread along a graph of nearest neighbours over the rows of the pool."""
    from lal.learners.label_spreading import LabelSpreadingLearner

    return LabelSpreadingLearner(**options)


@LEARNERS.register("with_source")
def with_source(base: Any = "logistic_regression", **options: Any) -> Learner:
    """A learner that is also given labelled rows of another domain."""
    from lal.learners.with_source import WithSource

    return WithSource(make_learner(base), **options)


@LEARNERS.register("represented")
def represented(base: Any = "logistic_regression", **options: Any) -> Learner:
    """A learner on a representation of the pool that is learned without labels."""
    from lal.learners.represented import Represented

    return Represented(make_learner(base), **options)


@LEARNERS.register("retuned")
def retuned(base: str = "logistic_regression", **options: Any) -> Learner:
    """A learner whose parameters are tuned at every fit, by cross-validation on the labels."""
    from lal.learners.retuned import Retuned

    return Retuned(base, **options)


@LEARNERS.register("crowd")
def crowd(**options: Any) -> Learner:
    """Logistic regression from answers of several annotators, by EM; rows are questions."""
    from lal.learners.crowd import CrowdLearner

    return CrowdLearner(**options)


@LEARNERS.register("segmentation")
def segmentation(base: Any = "logistic_regression", **options: Any) -> Learner:
    """A learner of pixels on regions of images; rows are regions."""
    from lal.learners.segmentation import SegmentationLearner

    return SegmentationLearner(make_learner(base), **options)


def _neural(name: str, options: dict[str, Any]) -> Learner:
    require("torch", "neural")
    from lal.learners.neural.learner import NeuralLearner

    return NeuralLearner(name, **options)
