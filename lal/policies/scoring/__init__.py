"""Scorers: small programs over features, run by one numpy interpreter."""
