"""LAL-RL's game run by a linear policy with class-aware inputs, found by paired search."""
