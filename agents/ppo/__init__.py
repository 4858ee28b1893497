"""MaskablePPO over candidates: the policy gradient."""
