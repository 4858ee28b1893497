"""Deep adaptive design."""
