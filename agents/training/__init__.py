"""What all agents share while they train: run folders, tasks, segments, checks."""
