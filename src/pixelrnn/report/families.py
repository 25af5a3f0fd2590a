"""Which runs are one model: they differ in their seed alone, and were measured on the same test images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelrnn.report.run_folder import RunFolder


def families(
    runs: Sequence[RunFolder], labels: Mapping[Path, str] | None = None
) -> list[tuple[RunFolder, ...]]:
    """Return the runs by model, in the order given; the runs of one by their seeds, the lowest first.

    Args:
        runs: evaluated or not; those that are not stand alone.
        labels: what the user calls some of them; runs that are called differently are kept apart.

    Example:
        >>> families([])
        []
    """
    alike: dict[Any, list[RunFolder]] = {}
    for run in runs:
        alike.setdefault(_kind(run, (labels or {}).get(run.path)), []).append(run)
    places = {id(run): place for place, run in enumerate(runs)}
    found = [family for members in alike.values() for family in _by_seed(members)]
    return sorted(found, key=lambda family: min(places[id(run)] for run in family))


def _kind(run: RunFolder, label: str | None) -> Any:
    """Return what runs of one model have in common."""
    result = run.result
    if result.test_bits_per_dim is None:
        return id(run)
    data = (result.data_sha256.model_dump_json(), result.num_levels, result.split)
    about = (label, result.label, run.recipe_but_seed)
    return about, data, result.num_images, result.finished


def _by_seed(members: Sequence[RunFolder]) -> list[tuple[RunFolder, ...]]:
    """Return them as one, if each has a seed of its own."""
    if len({run.seed for run in members} - {None}) < len(members):
        return [(run,) for run in members]
    return [tuple(sorted(members, key=lambda run: run.seed or 0))]
