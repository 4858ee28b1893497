"""Tasks as Markov decision processes; importing this package registers the ids `lal/...`."""

from envs.registration import register_envs, registered_ids

__all__ = ["register_envs", "registered_ids"]

register_envs()
