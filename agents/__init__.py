"""Agents learn policies: one method, one package, found by name without loading torch."""

from agents.registry import AGENTS, Agent
from agents.training.config import RunConfig

__all__ = ["AGENTS", "Agent", "RunConfig"]
