"""Data sets, suites, families, splits, the one view and the synthetic prior."""
