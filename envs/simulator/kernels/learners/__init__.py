"""The learners of the simulator, one file each, and the table of their update kernels."""
