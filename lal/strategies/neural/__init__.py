"""Strategies that train a network of their own (extra ``[neural]``). Loaded lazily."""

from lal.registry import require

require("torch", "neural")
