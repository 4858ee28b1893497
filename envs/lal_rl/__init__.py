"""The published LAL-RL workload as Gymnasium and stable-baselines3 environments."""
