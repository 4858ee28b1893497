"""Evaluation: paired runs on held-out data sets, their statistics, and the page that shows them."""

from lal.evaluation.config import EvaluationConfig
from lal.evaluation.evaluate import Evaluation, estimate, evaluate, prepare_shards

__all__ = ["Evaluation", "EvaluationConfig", "estimate", "evaluate", "prepare_shards"]
