"""Compiled learners and features (numba)."""
