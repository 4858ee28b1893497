"""Regression of what one more label gains, on simulated tasks; see README.md."""
