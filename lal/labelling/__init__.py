"""Labelling a table on disk: what to ask next, answers that are never lost, progress."""

from lal.labelling.project import Campaign

__all__ = ["Campaign"]
