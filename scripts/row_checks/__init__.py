"""Checks of the field's list: one file a mechanism, one function ``() -> Outcome`` a row."""
