"""Damaged files, other libraries and strangers' strategies."""
