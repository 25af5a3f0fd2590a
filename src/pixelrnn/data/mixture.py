"""Several sets of images as one: training images together, validation images together, test images too."""

from collections.abc import Sequence

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.patches import Uncut
from pixelrnn.data.splits import SPLITS, Three, in_split_order, number_pictures
from pixelrnn.errors import DataError
from pixelrnn.uncertainty import Pictures


def mixed(sets: Sequence[DataSet]) -> DataSet:
    """Return sets of images as one; in every split those of the first come first.

    Images are where they were: what one set holds out is held out of the whole. Each set's pictures stay
    its own, and an image that was no patch is a picture of its own.

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
    return DataSet(
        name=" + ".join(each.name for each in sets),
        num_levels=first.num_levels,
        train=np.concatenate([each.train for each in sets]),
        validation=np.concatenate([each.validation for each in sets]),
        test=np.concatenate([each.test for each in sets]),
        source="; ".join(f"{each.name}: {each.source}" for each in sets),
        licence="; ".join(f"{each.name}: {each.licence}" for each in sets),
        notes=tuple(f"{each.name}: {note}" for each in sets for note in each.notes),
        split_rule=" | ".join(f"{each.name}: {each.split_rule}" for each in sets),
        pictures=_pictures(sets),
        uncut=_uncut(sets),
        parts=tuple((each.name, tuple(map(each.count, SPLITS))) for each in sets),
    )


def parts_of(data: DataSet, split: str) -> list[tuple[str, slice]]:
    """Return the sets of a mixture that have images in a split, and which of its images these are."""
    counts = [of_splits[SPLITS.index(split)] for _, of_splits in data.parts]
    ends = np.cumsum(counts, dtype=int).tolist()
    each = zip(data.parts, counts, ends, strict=True)
    return [(name, slice(end - count, end)) for (name, _), count, end in each if count]


def _kind(data: DataSet) -> str:
    colours = {1: "grey", 3: "RGB"}[data.channels]
    return f"{data.height}x{data.width}, {colours}, of {data.num_levels} levels"


def _pictures(sets: Sequence[DataSet]) -> Three[Pictures] | None:
    """Return which picture each image is from, counted on from set to set."""
    if all(each.pictures is None for each in sets):
        return None
    parts: dict[str, list[Pictures]] = {split: [] for split in SPLITS}
    begin = 0
    for each in sets:
        single = {split: [(split, n) for n in range(each.count(split))] for split in SPLITS}
        numbers = each.pictures or number_pictures(single)
        for split, of_split in zip(SPLITS, numbers, strict=True):
            parts[split].append(of_split + begin)
        begin += 1 + max(int(of_split.max(initial=-1)) for of_split in numbers)
    return in_split_order({split: np.concatenate(part) for split, part in parts.items()})


def _uncut(sets: Sequence[DataSet]) -> Uncut | None:
    if all(each.uncut is None for each in sets):
        return None
    pictures: list[Images] = []
    numbers = []
    for each in sets:
        if each.uncut is None:
            numbers.append(np.full(each.count("train"), -1))
            continue
        numbers.append(each.uncut.numbers + len(pictures) * (each.uncut.numbers >= 0))
        pictures += each.uncut.pictures
    return Uncut(tuple(pictures), np.concatenate(numbers))
