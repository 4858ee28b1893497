"""The published LAL-RL workload: layout of its arrays, splits, episodes, a linear policy."""
