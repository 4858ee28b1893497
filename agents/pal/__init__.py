"""PAL: a stream DQN for sequence labelling that is transferred between languages."""
