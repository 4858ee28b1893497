"""Agents: who learns. One method, one room; `AGENTS` finds them by name without loading torch."""

from agents.registry import AGENTS, Agent, TrainConfig

__all__ = ["AGENTS", "Agent", "TrainConfig"]
