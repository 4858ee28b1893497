"""Group-relative policy optimisation on the compiled ``lal/Pool-v0``."""
