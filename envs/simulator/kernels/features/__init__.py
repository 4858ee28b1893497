"""Compiled twins of the features of `lal.features`."""
