"""Which runs may be compared, and how sure a difference between two of them is."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from pixelrnn.report.compared import ComparedModel, Difference, Pair, difference
from pixelrnn.report.naming import by_model, given_labels, names_of
from pixelrnn.runs import Baseline, Run
from pixelrnn.uncertainty import (
    Pictures,
    count_pictures,
    images_of_pictures,
    no_verdict,
    standard_error,
)

GUESSES = ("uniform", "histogram")  # lines to beat that write no file


class Rank(NamedTuple):
    """A model, or a line to beat, among the others."""

    name: str
    bits_per_dim: float | None
    standard_error: float | None
    note: str
    model: ComparedModel | None = None


@dataclass(frozen=True)
class Group:
    """Models that may be compared: the same test images; the best on test first, unmeasured last."""

    models: tuple[ComparedModel, ...]

    @property
    def evaluated(self) -> tuple[ComparedModel, ...]:
        """The models measured on the test split, the best first."""
        return tuple(model for model in self.models if model.evaluated)

    @property
    def best(self) -> ComparedModel | None:
        """The model with the lowest test bits/dim, if any was measured."""
        return self.evaluated[0] if self.evaluated else None

    @property
    def first(self) -> Run:
        """Any run of the group, for what all have in common."""
        return self.models[0].run

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
        evaluations = [run.evaluation for model in self.evaluated for run in model.runs]
        known = [each.pictures for each in evaluations if each and each.pictures is not None]
        return min(known, key=lambda pictures: len(np.unique(pictures)), default=None)

    @property
    def num_pictures(self) -> int | None:
        """Of how many pictures the test images are: as many, unless they are patches."""
        if self.num_images is None:
            return None
        counts = [run.result.num_pictures for model in self.evaluated for run in model.runs]
        known = [count for count in counts if count is not None]
        return min([count_pictures(self.num_images, self.pictures), *known])

    @property
    def no_verdict(self) -> str:
        """Why nothing can be concluded from so few pictures; "" if there are enough."""
        return no_verdict(self.num_pictures or 0)

    @property
    def images_in_words(self) -> str:
        """How many images were measured, and of how many pictures where these are fewer."""
        count = self.num_images or 0
        return images_of_pictures(count, self.num_pictures or count, self.first.result.split)

    def standard_error(self, model: ComparedModel) -> float | None:
        """Return the standard error of a model's test bits/dim over images, clustered by picture."""
        values = model.per_image
        if values is None:
            return model.mean("test_bits_per_dim_standard_error")
        return standard_error(values, self.pictures)

    def behind(self, model: ComparedModel) -> Difference | None:
        """Return by how much a model is above the best one; nothing of the best, or if not evaluated."""
        if self.best is None or model is self.best or not model.evaluated:
            return None
        return difference(self.best, model, self.pictures)

    @property
    def gaps(self) -> list[tuple[ComparedModel, Difference]]:
        """The models behind the best, and by how much."""
        behind = [(model, self.behind(model)) for model in self.evaluated]
        return [(model, gap) for model, gap in behind if gap is not None]

    def differ(self, key: str) -> bool:
        """Return whether a field of the results, such as "data_sha256.train", is not the same in all."""
        return len({attrgetter(key)(model.run.result) for model in self.models}) > 1

    @property
    def pairs(self) -> list[Pair]:
        """Every two models that both have several seeds, the best first."""
        found = []
        several = [model for model in self.evaluated if model.twins]
        for lower, higher in itertools.combinations(several, 2):
            gap = difference(lower, higher, self.pictures)
            assert gap.seeds is not None
            survives = None if self.no_verdict else gap.distinguishable
            found.append(Pair(lower, higher, gap, gap.seeds, survives))
        return found

    @property
    def baselines(self) -> list[Baseline]:
        """Every line to beat, each once, the lowest first; unmeasured ones last.

        Runs may have fitted a baseline on different training images: where its figures differ,
        each names its run.
        """
        found: dict[str, list[tuple[ComparedModel, Baseline]]] = {}
        for model in self.models:
            for line in model.run.result.baselines:
                others = found.setdefault(line.name, [])
                if not any(_same(line, other) for _, other in others):
                    others.append((model, line))
        lines = [
            line if len(variants) == 1 else replace(line, name=f"{line.name} (as in {model.name})")
            for variants in found.values()
            for model, line in variants
        ]
        return sorted(lines, key=lambda line: _or_infinite(line.test_bits_per_dim))

    @property
    def measured_baselines(self) -> list[tuple[Baseline, float]]:
        """The lines to beat that were measured, with their bits/dim."""
        lines = self.baselines
        return [
            (each, each.test_bits_per_dim) for each in lines if each.test_bits_per_dim is not None
        ]

    @property
    def ranking(self) -> list[Rank]:
        """Models and lines to beat in one order, the lowest bits/dim first."""
        ranks = [
            Rank(model.name, model.test_bits_per_dim, self.standard_error(model), "", model)
            for model in self.evaluated
        ]
        ranks += [
            Rank(line.name, line.test_bits_per_dim, line.standard_error, line.note)
            for line in self.baselines
        ]
        return sorted(ranks, key=lambda rank: _or_infinite(rank.bits_per_dim))

    @property
    def codecs(self) -> list[Baseline]:
        """The lines to beat that are real files."""
        return [line for line in self.baselines if not line.name.startswith(GUESSES)]


def group_by_data(runs: Sequence[Run], labels: Sequence[str] = ()) -> tuple[Group, ...]:
    """Split runs into groups that were measured on the same test images, in the order given.

    Two runs are comparable if test images, number of levels, split and number of images measured
    are all the same. A run that is not evaluated joins the first group whose data it has. Runs that differ
    in their seed alone are one model. `labels` are those that the user gives, see `naming.given_labels`.

    Example:
        >>> group_by_data([])
        ()
    """
    given = given_labels(runs, labels)
    together = by_model(runs, given)
    names = names_of([family[0] for family in together], given)
    models = [
        ComparedModel(family[0], name, colour, family[1:])
        for colour, (family, name) in enumerate(zip(together, names, strict=True))
    ]
    groups: dict[tuple[str, int, str, int | None], list[ComparedModel]] = {}
    # Evaluated runs first, so that each of the others finds the group of its data.
    for model in sorted(models, key=lambda model: not model.evaluated):
        result = model.run.result
        data = (result.data_sha256.test, result.num_levels, result.split)
        key = (*data, result.num_images if model.evaluated else None)
        if not model.evaluated:
            key = next((other for other in groups if other[:3] == data), key)
        groups.setdefault(key, []).append(model)
    ranked = [Group(tuple(sorted(members, key=_rank))) for members in groups.values()]
    return tuple(sorted(ranked, key=lambda group: min(model.colour for model in group.models)))


def _rank(model: ComparedModel) -> tuple[float, float, int]:
    validation = model.mean("validation_bits_per_dim")
    return _or_infinite(model.test_bits_per_dim), _or_infinite(validation), model.colour


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None or math.isnan(value) else value


def _same(one: Baseline, other: Baseline) -> bool:
    first, second = one.test_bits_per_dim, other.test_bits_per_dim
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=0, abs_tol=1e-6)
