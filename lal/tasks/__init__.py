"""What an episode is made of: splits, task sampling, rewards, slates and termination rules."""
