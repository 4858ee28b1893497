"""Metrics, statistics and control tests over finished runs."""
