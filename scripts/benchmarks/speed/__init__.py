"""How fast, how much memory, and how close to the reference implementation."""
