"""Which runs may be compared, and how sure a difference between two of them is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelrnn.report.families import families
from pixelrnn.report.naming import given_labels, names_of
from pixelrnn.report.run_folder import Baseline, RunFolder
from pixelrnn.uncertainty import (
    Pictures,
    SeedDifference,
    count_pictures,
    images_of_pictures,
    over_seeds,
    standard_error,
)


@dataclass(frozen=True)
class Entry:
    """A model with the name that the page gives it and the number of its colour: a run, or several.

    Attributes:
        run: with several, that of the lowest seed, which stands for them in pictures.
        name: what the page calls it.
        colour: its number.
        twins: runs that differ from it in their seed alone; figures are means over all of them.
    """

    run: RunFolder
    name: str
    colour: int
    twins: tuple[RunFolder, ...] = ()

    @property
    def runs(self) -> tuple[RunFolder, ...]:
        """All runs of the model."""
        return (self.run, *self.twins)

    @property
    def seeds(self) -> str:
        """The seeds of the runs, in words; nothing if the recipe names none."""
        return ", ".join(str(run.seed) for run in self.runs if run.seed is not None)

    @property
    def evaluated(self) -> bool:
        """Whether it was measured on the test split."""
        return self.run.test_bits_per_dim is not None

    @property
    def test_bits_per_dim(self) -> float | None:
        """Bits/dim on the test split; `None` if it was not measured."""
        return self.mean("test_bits_per_dim")

    @property
    def test_bits_per_dim_by_seed(self) -> list[float]:
        """Bits/dim of each run on the test split."""
        return [run.result.test_bits_per_dim or 0.0 for run in self.runs if self.evaluated]

    @property
    def per_image(self) -> npt.NDArray[np.float64] | None:
        """Bits/dim of each test image, `(N,)`; `None` if they are not known of every run."""
        known = [run.evaluation.bits_per_dim_per_image for run in self.runs if run.evaluation]
        if len(known) < len(self.runs):
            return None
        mean: npt.NDArray[np.float64] = np.mean(known, axis=0)
        return mean

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


def difference(best: Entry, other: Entry, pictures: Pictures | None = None) -> Difference:
    """Return by how much `other` is above `best`; both must be evaluated on the same images.

    `pictures` says which picture each image was cut from; by default each is one of its own.
    """
    seeds = over_seeds(best.test_bits_per_dim_by_seed, other.test_bits_per_dim_by_seed)
    ours, theirs = best.per_image, other.per_image
    if ours is not None and theirs is not None:
        error = standard_error(theirs - ours, pictures)
        gap = float((theirs - ours).mean())
        return Difference(gap, math.nan if error is None else error, paired=True, seeds=seeds)
    errors = [entry.mean("test_bits_per_dim_standard_error") for entry in (best, other)]
    gap = (other.test_bits_per_dim or 0.0) - (best.test_bits_per_dim or 0.0)
    known = [math.nan if error is None else error for error in errors]
    return Difference(gap, math.hypot(*known), paired=False, seeds=seeds)


@dataclass(frozen=True)
class Group:
    """Models that may be compared: the same test images; the best on test first, unmeasured last."""

    entries: tuple[Entry, ...]

    @property
    def evaluated(self) -> tuple[Entry, ...]:
        """The runs measured on the test split, the best first."""
        return tuple(entry for entry in self.entries if entry.evaluated)

    @property
    def best(self) -> Entry | None:
        """The run with the lowest test bits/dim, if any was measured."""
        return self.evaluated[0] if self.evaluated else None

    @property
    def first(self) -> RunFolder:
        """Any run of the group, for what all have in common."""
        return self.entries[0].run

    @property
    def num_images(self) -> int | None:
        """How many test images were measured."""
        return self.evaluated[0].run.result.num_images if self.evaluated else None

    @property
    def pictures(self) -> Pictures | None:
        """Which picture each test image was cut from, as far as any run says.

        Runs of earlier versions do not, and take the images for independent; so where the runs
        differ, the one that knows of the fewest pictures is right.
        """
        known = [
            run.evaluation.pictures
            for entry in self.evaluated
            for run in entry.runs
            if run.evaluation is not None and run.evaluation.pictures is not None
        ]
        return min(known, key=lambda pictures: len(np.unique(pictures)), default=None)

    @property
    def num_pictures(self) -> int | None:
        """Of how many pictures the test images are: as many, unless they are patches."""
        if self.num_images is None:
            return None
        counts = [run.result.num_pictures for entry in self.evaluated for run in entry.runs]
        known = [count for count in counts if count is not None]
        return min([count_pictures(self.num_images, self.pictures), *known])

    @property
    def images_in_words(self) -> str:
        """How many images were measured, and of how many pictures where these are fewer."""
        count = self.num_images or 0
        return images_of_pictures(count, self.num_pictures or count, self.first.result.split)

    def standard_error(self, entry: Entry) -> float | None:
        """Return the standard error of a model's test bits/dim over images, clustered by picture."""
        values = entry.per_image
        if values is None:
            return entry.mean("test_bits_per_dim_standard_error")
        return standard_error(values, self.pictures)

    def behind(self, entry: Entry) -> Difference:
        """Return by how much a model is above the best one; both must be evaluated."""
        assert self.best is not None
        return difference(self.best, entry, self.pictures)

    def baselines(self) -> tuple[Baseline, ...]:
        """Every line to beat, each once, the lowest first; unmeasured ones last.

        Runs may have fitted a baseline on different training images: where its figures differ,
        each names its run.
        """
        found: dict[str, list[tuple[Entry, Baseline]]] = {}
        for entry in self.entries:
            for baseline in entry.run.result.baselines:
                others = found.setdefault(baseline.name, [])
                if not any(_same(baseline, other) for _, other in others):
                    others.append((entry, baseline))
        lines = [
            baseline
            if len(variants) == 1
            else baseline.model_copy(update={"name": f"{baseline.name} (as in {entry.name})"})
            for variants in found.values()
            for entry, baseline in variants
        ]
        return tuple(sorted(lines, key=lambda line: _or_infinite(line.test_bits_per_dim)))


def group_by_data(runs: Sequence[RunFolder], labels: Sequence[str] = ()) -> tuple[Group, ...]:
    """Split runs into groups that were measured on the same test images, in the order given.

    Two runs are comparable if test images, number of levels, split and number of images measured
    are all the same. A run that is not evaluated joins the first group whose data it has. Runs that differ
    in their seed alone are one model. `labels` are those that the user gives, see `distinct_names`.

    Example:
        >>> group_by_data([])
        ()
    """
    given = given_labels(runs, labels)
    together = families(runs, given)
    names = names_of([family[0] for family in together], given)
    entries = [
        Entry(family[0], name, colour, family[1:])
        for colour, (family, name) in enumerate(zip(together, names, strict=True))
    ]
    groups: dict[tuple[str, int, str, int | None], list[Entry]] = {}
    # Evaluated runs first, so that each of the others finds the group of its data.
    for entry in sorted(entries, key=lambda entry: not entry.evaluated):
        result = entry.run.result
        data = (result.data_sha256.test, result.num_levels, result.split)
        key = (*data, result.num_images if entry.evaluated else None)
        if not entry.evaluated:
            key = next((other for other in groups if other[:3] == data), key)
        groups.setdefault(key, []).append(entry)
    ranked = [Group(tuple(sorted(members, key=_rank))) for members in groups.values()]
    return tuple(sorted(ranked, key=lambda group: min(entry.colour for entry in group.entries)))


def _rank(entry: Entry) -> tuple[float, float, int]:
    return (
        _or_infinite(entry.test_bits_per_dim),
        _or_infinite(entry.mean("validation_bits_per_dim")),
        entry.colour,
    )


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None or math.isnan(value) else value


def _same(one: Baseline, other: Baseline) -> bool:
    first, second = one.test_bits_per_dim, other.test_bits_per_dim
    if first is None or second is None:
        return first is second
    return bool(np.isclose(first, second, rtol=0, atol=1e-6))
