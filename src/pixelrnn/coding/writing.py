"""Files written image by image, from front to back, however many there are."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO, TypeVar

from pixelrnn.arrays import Images
from pixelrnn.coding.codec import Codec
from pixelrnn.coding.container import Entry, Writer

PIXELS_AT_ONCE = 1 << 22  # in memory: a few images of a camera, thousands of small ones
TILES_AT_ONCE = 1 << 14  # likewise, of which something is kept, however small they are
T = TypeVar("T")


def write(
    codec: Codec,
    images: Iterable[tuple[str, Images]],
    stream: BinaryIO,
    *,
    on_progress: Callable[[int], None] | None = None,
    keeps: Callable[[int, Entry], bool] | None = None,
    pixels_at_once: int = PIXELS_AT_ONCE,
) -> list[Entry]:
    """Write a file of images, some at a time; return what its index says.

    Args:
        codec: how.
        images: name, or "", and pixels uint8 `(H, W, bands)` of each.
        stream: where to.
        on_progress: called with the pixels done since its last call, from any thread.
        keeps: whether the image of this number, coded to this entry, goes into the file; by default all do.
        pixels_at_once: how many pixels are worked on at the same time; it changes no byte.

    Raises:
        ImageMismatchError: if an image does not fit the model.
    """
    writer = Writer(stream, codec.header)
    number = itertools.count()

    def pixels_and_tiles(named: tuple[str, Images]) -> tuple[int, int]:
        name, image = named
        codec.check(image, name)
        return image.shape[0] * image.shape[1], 1

    for portion in portions(images, pixels_and_tiles, pixels_at_once):
        coded = codec.encode([image for _, image in portion], on_progress)
        for (name, _), (entry, messages) in zip(portion, coded, strict=True):
            named = replace(entry, name=name)
            if keeps is None or keeps(next(number), named):
                writer.add(named, messages)
    writer.close()
    return writer.entries


def portions(
    items: Iterable[T], size_of: Callable[[T], tuple[int, int]], pixels_at_once: int
) -> Iterator[list[T]]:
    """Yield as many items at a time as are worked on together.

    Args:
        items: images, or what stands for them.
        size_of: returns the pixels and tiles of one.
        pixels_at_once: how many pixels are enough.
    """
    portion: list[T] = []
    pixels = tiles = 0
    for item in items:
        portion.append(item)
        more_pixels, more_tiles = size_of(item)
        pixels, tiles = pixels + more_pixels, tiles + more_tiles
        if pixels >= pixels_at_once or tiles >= TILES_AT_ONCE:
            yield portion
            portion, pixels, tiles = [], 0, 0
    if portion:
        yield portion
