"""Labelling a table on disk: what to ask next, answers that are never lost, progress."""

from lal.campaign.campaign import Campaign

__all__ = ["Campaign"]
