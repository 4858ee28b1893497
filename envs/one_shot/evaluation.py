"""Playing whole episodes of predict or ask, many at once."""

import numpy as np

from envs.one_shot.episodes import Episodes
from lal.arrays import Ints
from lal.policies.predict_or_ask_policy import PredictOrAskPolicy


def play(policy: PredictOrAskPolicy, episodes: Episodes) -> Ints:
    """Return the best actions, shape (E, T); all episodes are played at once."""
    E, T = episodes.labels.shape
    memory = policy.start({"episodes": E})
    actions = np.empty((E, T), dtype=np.int64)
    for t in range(T):
        item = episodes.items[:, t].astype(np.float64)
        actions[:, t] = policy.act(memory, item)
        asked = actions[:, t] == policy.size("classes")
        memory = policy.update(
            memory, {"item": item, "label": np.where(asked, episodes.labels[:, t], -1)}
        )
    return actions
