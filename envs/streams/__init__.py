"""Environments for streams: one item at a time, query or skip."""
