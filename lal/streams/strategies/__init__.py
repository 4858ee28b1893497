"""Rules that decide item by item, by name."""

from lal.streams.strategies.base import (
    REJECT,
    STREAM_STRATEGIES,
    Classifies,
    InfersLabels,
    StreamStrategy,
    budget_share,
)
from lal.streams.strategies.uncertainty import RandomStream, UncertaintyStream

__all__ = [
    "REJECT",
    "STREAM_STRATEGIES",
    "Classifies",
    "InfersLabels",
    "RandomStream",
    "StreamStrategy",
    "UncertaintyStream",
    "budget_share",
]
