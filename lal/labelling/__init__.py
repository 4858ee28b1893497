"""Labelling a table on disk: which row comes next, answers that are never lost, progress."""

from lal.labelling.project import LabellingProject

Campaign = LabellingProject
"""The name of earlier releases."""

__all__ = ["Campaign", "LabellingProject"]
