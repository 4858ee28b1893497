"""SequenceEnv: sentences pass one at a time; asking acquires all their tags, by the token."""

from collections.abc import Sequence

from envs.streams.stream_env import StreamEnv, Worlds
from lal.streams.features import SEQUENCE_FEATURES
from lal.streams.sequence_task import CONTENT_WIDTH, MadeUpLanguages


class SequenceEnv(StreamEnv):
    """The stream environment over sentences and a CRF; see docs/envs/sequence_labelling.md.

    Args:
        worlds: Hands out the streams; None for `MadeUpLanguages`.
        features: Stream features of the observation.
        content_width: Numbers of a sentence's content.
        budget: Share of the stream's tokens that may be labelled.
        reward: As in `StreamEnv`.
        price: As in `StreamEnv`.
        render_mode: ``"ansi"`` or None.
    """

    def __init__(
        self,
        worlds: Worlds | None = None,
        *,
        features: Sequence[str] = SEQUENCE_FEATURES,
        content_width: int = CONTENT_WIDTH,
        budget: float = 0.15,
        reward: str = "quality_gain",
        price: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            MadeUpLanguages() if worlds is None else worlds,
            features=features,
            content_width=content_width,
            budget=budget,
            reward=reward,
            price=price,
            render_mode=render_mode,
        )
