"""The zoo: every agent in its environments over training seeds, and the search of settings."""
