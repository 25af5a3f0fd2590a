"""Files written image by image, from front to back, however many there are."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO, NamedTuple, TypeVar

from pixelrnn.arrays import Images
from pixelrnn.coding.codec import Codec
from pixelrnn.coding.container import PLAIN, WITH_GIVEN, Entry, Writer
from pixelrnn.coding.given import ImageGiven, small_of

# Of levels in memory: a few images of a camera, thousands of small ones. With what the largest image that
# is read takes, see `limits.py`, they stay below what a file may take.
BYTES_AT_ONCE = 3 << 23
TILES_AT_ONCE = 1 << 14  # likewise, of which something is kept, however small they are
SMALL = "small"  # the folder in the names of small images
T = TypeVar("T")


def write(
    codec: Codec,
    images: Iterable[tuple[str, Images]],
    stream: BinaryIO,
    *,
    on_progress: Callable[[int], None] | None = None,
    keeps: Callable[[int, Entry], bool] | None = None,
    label_of: Callable[[str], int | None] | None = None,
    factor: int = 0,
    bytes_at_once: int = BYTES_AT_ONCE,
) -> list[Entry]:
    """Write a file of images, some at a time; return what its index says.

    Args:
        codec: how.
        images: name, or "", and pixels uint8 `(H, W, bands)` of each.
        stream: where to.
        on_progress: called with the pixels done since its last call, from any thread.
        keeps: whether the image of this number, coded to this entry, goes into the file; by default all do.
        label_of: the class of an image, by its name, if the model is given classes; it is asked for each
            once, in their order.
        factor: where it is not 0, the top left pixel of each square of this side goes into the file before
            each image, as a small image of its own, which the model is given.
        bytes_at_once: how many bytes of levels are worked on at the same time, unless one image has more;
            it changes no byte of the file.

    Raises:
        ImageMismatchError: if an image does not fit the model.
    """
    version = WITH_GIVEN if label_of or factor else PLAIN
    writer = Writer(stream, replace(codec.header, version=version))
    number = itertools.count()

    def bytes_and_tiles(item: _Item) -> tuple[int, int]:
        codec.room.check(item.image, item.name)
        return item.image.nbytes, codec.room.num_tiles(*item.image.shape)

    for portion in portions(_items(images, label_of, factor), bytes_and_tiles, bytes_at_once):
        given = [item.given for item in portion] if version == WITH_GIVEN else []
        coded = codec.encode([item.image for item in portion], on_progress, given)
        for item, (entry, messages) in zip(portion, coded, strict=True):
            named = replace(entry, name=item.name, label=item.given.label)
            if item.given.small is not None:
                named = replace(named, small=len(writer.entries) - 1, factor=factor)
            if item.is_small or keeps is None or keeps(next(number), named):
                writer.add(named, messages)
    writer.close()
    return writer.entries


class _Item(NamedTuple):
    """An image of a file, what it is given by, and whether it is there for another only."""

    name: str
    image: Images
    given: ImageGiven
    is_small: bool = False


def _items(
    images: Iterable[tuple[str, Images]],
    label_of: Callable[[str], int | None] | None,
    factor: int,
) -> Iterator[_Item]:
    """Yield images, before each its small one, if there are any."""
    for name, image in images:
        label = label_of(name) if label_of else None
        small = small_of(image, factor) if factor else image
        if small.size == image.size:
            yield _Item(name, image, ImageGiven(label))
            continue
        yield _Item(name and f"{SMALL}/{name}", small, ImageGiven(label), is_small=True)
        yield _Item(name, image, ImageGiven(label, small, factor))


def portions(
    items: Iterable[T], size_of: Callable[[T], tuple[int, int]], bytes_at_once: int
) -> Iterator[list[T]]:
    """Yield as many items at a time as are worked on together: one, or more within the limits.

    Args:
        items: images, or what stands for them.
        size_of: returns the bytes of levels, and the tiles, of one.
        bytes_at_once: how many bytes are enough.

    Example:
        >>> list(portions([3, 3, 9, 1], lambda item: (item, 1), 6))
        [[3, 3], [9], [1]]
    """
    portion: list[T] = []
    levels = tiles = 0
    for item in items:
        more_levels, more_tiles = size_of(item)
        if portion and (levels + more_levels > bytes_at_once or tiles + more_tiles > TILES_AT_ONCE):
            yield portion
            portion, levels, tiles = [], 0, 0
        portion.append(item)
        levels, tiles = levels + more_levels, tiles + more_tiles
        if levels >= bytes_at_once or tiles >= TILES_AT_ONCE:  # before another one is read
            yield portion
            portion, levels, tiles = [], 0, 0
    if portion:
        yield portion
