"""What `pixelrnn score` is asked, however many models it is asked of."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pixelrnn.cli import inputs

if TYPE_CHECKING:
    from pixelrnn.scoring import Scorer
    from pixelrnn.scoring.opening import Opening

REFERENCE_IMAGES = 1000
NONE = "none"


class Asked(NamedTuple):
    """How images are opened and scored, for one model or two."""

    background: Path | None
    codec: str
    by: str | None
    settings: list[str]
    seed: int
    batch_size: int
    device: str


def opened(model: Path, asked: Asked, count: int | None) -> "tuple[Scorer, Opening]":
    """Return what scores by a model, and what opens images for it."""
    from pixelrnn.scoring import Scorer
    from pixelrnn.scoring.opening import Opening
    from pixelrnn.scoring.sources import Fit

    scorer = Scorer(
        model, background=asked.background, codec=asked.codec, by=asked.by, device=asked.device,
        batch_size=asked.batch_size,
    )  # fmt: skip
    config = scorer.measure.model.config
    size = inputs.data_options({}, asked.settings).size or config.image_size
    opening = Opening(
        Fit(config.channels, config.num_levels),
        size,
        load=partial(inputs.images_for, model, settings=asked.settings),
        own=inputs.recorded(model).get("source"),
        as_they_are=not asked.settings,
        count=count,
        seed=asked.seed,
    )
    return scorer, opening
