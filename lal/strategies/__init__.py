"""Hand-written query rules by name."""
