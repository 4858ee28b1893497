"""Torch networks as scorer programs."""
