"""Runs of an evaluation: what is run, how, where, and where results are kept."""
