"""Held-out data: the partition of data sets and the log of test-set access."""
