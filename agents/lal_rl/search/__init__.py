"""LAL-RL's game played by a linear policy with class-aware inputs, found by paired search."""
