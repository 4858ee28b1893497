"""Variants of the look-ahead imitation: losses, teachers, rounds, sets, distilling, fall-back."""
