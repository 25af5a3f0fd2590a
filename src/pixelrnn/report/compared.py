"""A model on the page, of one run or of several seeds, and how far two of them are apart."""

import math
from dataclasses import dataclass

import numpy as np

from pixelrnn.arrays import Floats
from pixelrnn.runs import Run
from pixelrnn.uncertainty import Pictures, SeedDifference, over_seeds, standard_error


@dataclass(frozen=True)
class ComparedModel:
    """A model with the name that the page gives it and the number of its colour: a run, or several.

    Attributes:
        run: with several, that of the lowest seed, which stands for them in pictures.
        name: what the page calls it.
        colour: its number.
        twins: runs that differ from it in their seed alone; figures are means over all of them.
    """

    run: Run
    name: str
    colour: int
    twins: tuple[Run, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs of the model."""
        return (self.run, *self.twins)

    @property
    def seeds(self) -> str:
        """The seeds of the runs, in words; nothing if the recipe names none."""
        return ", ".join(str(run.seed) for run in self.runs if run.seed is not None)

    @property
    def evaluated(self) -> bool:
        """Whether it was measured on the test split."""
        return self.run.result.test_bits_per_dim is not None

    @property
    def test_bits_per_dim(self) -> float | None:
        """Bits/dim on the test split; `None` if it was not measured."""
        return self.mean("test_bits_per_dim")

    @property
    def test_bits_per_dim_by_seed(self) -> list[float]:
        """Bits/dim of each run on the test split."""
        return [run.result.test_bits_per_dim or 0.0 for run in self.runs if self.evaluated]

    @property
    def per_image(self) -> Floats | None:
        """Bits/dim of each test image, `(N,)`; `None` if they are not known of every run."""
        known = [run.evaluation.bits_per_dim_per_image for run in self.runs if run.evaluation]
        return None if len(known) < len(self.runs) else np.asarray(np.mean(known, axis=0))

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the test bits/dim over seeds; `None` with fewer than two."""
        return float(np.std(self.test_bits_per_dim_by_seed, ddof=1)) if self.twins else None

    def mean(self, key: str) -> float | None:
        """Return the mean of a figure of `result.json` over the runs, if all have it."""
        values = [getattr(run.result, key) for run in self.runs]
        return None if None in values else float(np.mean(values))


@dataclass(frozen=True)
class Difference:
    """Mean bits/dim by which one model is above another on the same test images.

    `standard_error` is that of the mean over images, clustered by picture: of the differences image
    by image if `paired`, else of two independent means, which is larger. It is NaN where it cannot be
    known. `seeds` says what seeds make of it; it is `None` unless both models have several.
    """

    mean: float
    standard_error: float
    paired: bool
    seeds: SeedDifference | None = None

    @property
    def distinguishable(self) -> bool:
        """Whether the difference is at least two standard errors.

        Example:
            >>> Difference(0.02, 0.004, paired=True).distinguishable
            True
            >>> Difference(0.02, 0.011, paired=True).distinguishable
            False
        """
        # False for NaN, and for two runs that are equal image by image.
        return self.mean != 0 and abs(self.mean) >= 2 * self.standard_error

    @property
    def survives(self) -> bool:
        """Whether it is distinguishable, and seeds, as far as they were tried, do not undo it."""
        return self.distinguishable and (self.seeds is None or self.seeds.survives)

    @property
    def standard_errors(self) -> float:
        """How many standard errors the mean is away from zero."""
        return abs(self.mean) / self.standard_error if self.standard_error else math.inf


def difference(
    best: ComparedModel, other: ComparedModel, pictures: Pictures | None = None
) -> Difference:
    """Return by how much `other` is above `best`; both must be evaluated on the same images.

    `pictures` says which picture each image was cut from; by default each is one of its own.
    """
    seeds = over_seeds(best.test_bits_per_dim_by_seed, other.test_bits_per_dim_by_seed)
    ours, theirs = best.per_image, other.per_image
    if ours is not None and theirs is not None:
        error = standard_error(theirs - ours, pictures)
        gap = float((theirs - ours).mean())
        return Difference(gap, math.nan if error is None else error, paired=True, seeds=seeds)
    errors = [model.mean("test_bits_per_dim_standard_error") for model in (best, other)]
    gap = (other.test_bits_per_dim or 0.0) - (best.test_bits_per_dim or 0.0)
    known = [math.nan if error is None else error for error in errors]
    return Difference(gap, math.hypot(*known), paired=False, seeds=seeds)


@dataclass(frozen=True)
class Pair:
    """Two models, the lower first, and by how much the other is above it.

    `survives_images` is `None` where there are too few pictures to tell.
    """

    lower: ComparedModel
    higher: ComparedModel
    gap: Difference
    seeds: SeedDifference
    survives_images: bool | None
