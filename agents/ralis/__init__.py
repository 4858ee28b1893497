"""RALIS: double DQN over random candidate regions of images; see README.md."""
