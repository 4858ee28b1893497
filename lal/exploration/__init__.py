"""Exploration: an observer walks through rooms, looks at objects from several sides, and learns."""
