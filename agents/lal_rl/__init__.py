"""The published LAL-RL agent at the speed of the simulator: double DQN in compiled kernels."""
