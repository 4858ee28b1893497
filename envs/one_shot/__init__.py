"""Predict or ask: short episodes of classes never seen, with labels in a random order."""
