"""Reproductions of published evaluations."""
