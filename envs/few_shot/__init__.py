"""Few-shot selection: which few samples of a small pool to label."""
