"""Imitation of look-ahead: gains of single labels, regressed within candidate sets."""
