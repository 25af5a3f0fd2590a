"""Which runs are one model: they differ in their seed alone, and were measured on the same test images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelrnn.runs import Run


def by_model(runs: Sequence[Run], labels: Mapping[Path, str]) -> list[tuple[Run, ...]]:
    """Return the runs by model, in the order given; the runs of one by their seeds, the lowest first.

    Runs of one model differ in their seed alone, and were measured on the same test images. Those that
    the user calls differently, by `labels`, are kept apart; those that were not measured stand alone.
    """
    alike: dict[Any, list[Run]] = {}
    for run in runs:
        result = run.result
        data = (result.data_sha256.model_dump_json(), result.num_levels, result.split)
        kind = (labels.get(run.path), result.label, run.recipe_but_seed, data, result.num_images)
        alone = id(run) if result.test_bits_per_dim is None else None
        alike.setdefault((*kind, result.finished, alone), []).append(run)
    places = {id(run): place for place, run in enumerate(runs)}
    found = [family for members in alike.values() for family in _by_seed(members)]
    return sorted(found, key=lambda family: min(places[id(run)] for run in family))


def _by_seed(members: Sequence[Run]) -> list[tuple[Run, ...]]:
    """Return them as one, if each has a seed of its own."""
    if len({run.seed for run in members} - {None}) < len(members):
        return [(run,) for run in members]
    return [tuple(sorted(members, key=lambda run: run.seed or 0))]
