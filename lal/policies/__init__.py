"""Learned strategies: a feature list and a scorer program in numpy."""
