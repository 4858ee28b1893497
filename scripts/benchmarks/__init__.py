"""Benchmarks and reproductions, run as `python -m scripts.benchmark NAME`."""
