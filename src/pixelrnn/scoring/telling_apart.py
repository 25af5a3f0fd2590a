"""How well scores tell two sources of images apart."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pixelrnn.arrays import Floats
from pixelrnn.errors import DataError
from pixelrnn.scoring.job import measure
from pixelrnn.scoring.scorer import Scorer
from pixelrnn.scoring.separation import Separation, separation
from pixelrnn.scoring.sources import Fit, Source
from pixelrnn.uncertainty import Pictures
from pixelrnn.wording import counted

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Sets:
    """Images to tell apart.

    Args:
        reference: held-out normal images that scores are distances from.
        normal: others like them.
        unusual: those to be found.
    """

    reference: Source
    normal: Source
    unusual: Source

    @classmethod
    def with_reference_from(cls, normal: Source, unusual: Source) -> "Sets":
        """Return sets whose reference is every second normal image, from the first on."""
        numbers = np.arange(len(normal))
        return cls(normal.take(numbers[::2]), normal.take(numbers[1::2]), unusual)

    @property
    def num_images(self) -> int:
        """How many images are measured."""
        return len(self.reference) + len(self.normal) + len(self.unusual)


def tell_apart(
    scorer: Scorer,
    sets: Sets,
    fit: Fit,
    *,
    group: int = 1,
    seed: int = 0,
    on_progress: Progress = lambda _: None,
) -> dict[str, Separation]:
    """Return how well each score tells unusual images from normal ones.

    Args:
        scorer: which is fitted to the reference.
        sets: the images.
        fit: what they must be like.
        group: score so many images together, chosen at random; see `Score`.
        seed: of these choices and of the intervals.
        on_progress: called with the images done since its last call.

    Raises:
        DataError: if there are too few images, or one cannot be scored.
    """
    for each in (sets.normal, sets.unusual):
        if len(each) < 2 * group:
            raise DataError(
                f"{counted(len(each), 'image')} of {each.name}: two groups of {counted(group, 'image')} "
                f"need {2 * group} or more"
            )
    scorer.fit_measured(measure(scorer, sets.reference, fit, on_progress))
    normal, normal_pictures = _scored(scorer, sets.normal, fit, group, seed, on_progress)
    unusual, unusual_pictures = _scored(scorer, sets.unusual, fit, group, seed, on_progress)
    return {
        kind: separation(
            normal[kind],
            unusual[kind],
            normal_pictures=normal_pictures,
            unusual_pictures=unusual_pictures,
            seed=seed,
        )
        for kind in normal
    }


def _scored(
    scorer: Scorer, source: Source, fit: Fit, group: int, seed: int, on_progress: Progress
) -> tuple[dict[str, Floats], Pictures | None]:
    """Return all scores of the groups of a source, and which picture each is of."""
    columns = measure(scorer, source, fit, on_progress)
    if group == 1:
        return scorer.values(columns), source.pictures
    count = len(source) // group
    chosen = np.random.default_rng(seed).permutation(len(source))[: count * group]
    means = {
        name: each[chosen].reshape(count, group).mean(axis=1) for name, each in columns.items()
    }
    return scorer.values(means), None
