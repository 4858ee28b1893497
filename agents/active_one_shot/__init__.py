"""Active one-shot learning."""
