"""Several sets of images as one: training images together, validation images together, test images too."""

from collections.abc import Sequence

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.patches import Uncut
from pixelrnn.data.splits import SPLITS, Part, join
from pixelrnn.errors import DataError
from pixelrnn.wording import colours


def mixed(sets: Sequence[DataSet]) -> DataSet:
    """Return sets of images as one; in every split those of the first come first.

    Images are where they were: what one set holds out is held out of the whole. Each set's pictures stay
    its own, and an image that was no patch is a picture of its own. Labels, which mean something else in
    each set, are not among it.

    Raises:
        DataError: if their images differ in size, channels or levels.

    Example:
        >>> dark = DataSet.from_array(np.zeros((20, 8, 8), np.uint8), name="dark")
        >>> light = DataSet.from_array(np.full((10, 8, 8), 255, np.uint8), name="light")
        >>> mixed([dark, light])
        DataSet('dark + light', train=24, validation=3, test=3, shape=(1, 8, 8), num_levels=256)
    """
    first = sets[0]
    for other in sets[1:]:
        if _kind(other) != _kind(first):
            raise DataError(
                f"images that are mixed must be of one kind: those of {first.name} are {_kind(first)}, "
                f"those of {other.name} {_kind(other)}; data.patch_size and data.num_levels change "
                "how they are read"
            )
    parts: dict[str, list[Part]] = {split: [] for split in SPLITS}
    num_pictures = 0
    for each in sets:
        own = each.pictures_of("all")
        numbers = num_pictures + (np.arange(each.count("all")) if own is None else own)
        num_pictures = 1 + int(numbers.max(initial=num_pictures - 1))
        ends = np.cumsum(list(map(each.count, SPLITS)))
        for split, of_split in zip(SPLITS, np.split(numbers, ends[:-1]), strict=True):
            parts[split].append(Part(each.parts[split].images, pictures=of_split))
    return DataSet(
        name=" + ".join(each.name for each in sets),
        num_levels=first.num_levels,
        parts={split: join(of_sets) for split, of_sets in parts.items()},
        source="; ".join(f"{each.name}: {each.source}" for each in sets),
        licence="; ".join(f"{each.name}: {each.licence}" for each in sets),
        notes=tuple(f"{each.name}: {note}" for each in sets for note in each.notes),
        split_rule=" | ".join(f"{each.name}: {each.split_rule}" for each in sets),
        uncut=_uncut(sets),
        sets=tuple((each.name, tuple(map(each.count, SPLITS))) for each in sets),
    )


def parts_of(data: DataSet, split: str) -> list[tuple[str, slice]]:
    """Return the sets of a mixture that have images in a split, and which of its images these are."""
    counts = [of_splits[SPLITS.index(split)] for _, of_splits in data.sets]
    ends = np.cumsum(counts, dtype=int).tolist()
    each = zip(data.sets, counts, ends, strict=True)
    return [(name, slice(end - count, end)) for (name, _), count, end in each if count]


def _kind(data: DataSet) -> str:
    return f"{data.height}x{data.width}, {colours(data.channels)}, of {data.num_levels} levels"


def _uncut(sets: Sequence[DataSet]) -> Uncut | None:
    pictures: list[Images] = []
    numbers = []
    for each in sets:
        own = each.uncut or Uncut((), np.full(each.count("train"), -1))
        numbers.append(np.where(own.numbers < 0, -1, own.numbers + len(pictures)))
        pictures += own.pictures
    return Uncut(tuple(pictures), np.concatenate(numbers)) if pictures else None
