"""Double DQN that scores candidates with shared weights; see README.md."""
