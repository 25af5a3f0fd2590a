"""What images there is room for: their levels and bands, their size, and the memory that it takes."""

import math
from collections.abc import Sequence

import numpy as np

from pixelrnn.arrays import MAX_PIXELS, Images
from pixelrnn.coding.container import MAX_BANDS, MAX_SIDE
from pixelrnn.coding.limits import MAX_MESSAGES_OF_IMAGE, MEMORY_BYTES, memory_of, threads_within
from pixelrnn.coding.program_file import CodingModel
from pixelrnn.coding.tiles import DEFAULT_TILE, Tiling
from pixelrnn.errors import ImageMismatchError
from pixelrnn.shipped import DEFAULT_MODELS, PHOTOGRAPHS
from pixelrnn.stepper.coder import Coder


class Room:
    """What a codec can encode, and anybody read again.

    Args:
        model: the model.
        coder: of its program.
        tiling: of images.
    """

    def __init__(self, model: CodingModel, coder: Coder, tiling: Tiling) -> None:
        self._model, self._coder, self._tiling = model, coder, tiling
        self._levels = coder.level_type

    @property
    def level_bytes(self) -> int:
        """Bytes of a level that is not coded."""
        return np.dtype(self._levels).itemsize

    def check(self, image: Images, name: str = "") -> None:
        """Raise `ImageMismatchError`, naming the image, unless it can be encoded; see `Codec.encode`."""
        which = f"{name}: " if name else ""
        program = self._model.program
        if image.dtype not in (np.uint8, np.uint16) or image.ndim != 3:
            raise ImageMismatchError(
                f"{which}an image to compress is uint8 or uint16 (H, W, bands), not {image.dtype} "
                f"{image.shape}"
            )
        height, width, bands = image.shape
        if bands > MAX_BANDS or not self._tiling.count(1, 1, bands):
            raise ImageMismatchError(
                f"{which}{self._model.name} is a model of images with {program.channels} channels, and "
                f"this one has {bands}: take another --model"
            )
        if image.dtype != self._levels:
            raise ImageMismatchError(
                f"{which}{self._model.name} is a model of {program.num_levels:,} levels, and this is an "
                f"image of {8 * image.itemsize} bits: take another --model"
            )
        self.check_size(height, width, bands, name)
        levels = self._model.program.num_levels
        if int(image.max()) >= levels:
            fitting = (
                f"such as {DEFAULT_MODELS[PHOTOGRAPHS]}" if image.dtype == np.uint8 else "of more"
            )
            raise ImageMismatchError(
                f"{which}{self._model.name} is a model of images with {levels} levels, and a pixel here is "
                f"{int(image.max())}: take another --model, {fitting}"
            )

    def check_size(self, height: int, width: int, bands: int, name: str = "") -> None:
        """Raise `ImageMismatchError`, naming the image, if one of this size is too large to be read."""
        which = f"{name}: " if name else ""
        if not height * width or max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
            raise ImageMismatchError(
                f"{which}an image of {height} x {width} pixels cannot be compressed: it has 1 to "
                f"{MAX_PIXELS:,} pixels, and no side is longer than {MAX_SIDE:,}"
            )
        trouble = self.too_large(height, width, bands)
        if trouble:
            side = self._tiling.side
            raise ImageMismatchError(
                f"{which}an image of {height} x {width} pixels cannot be compressed in "
                f"{f'tiles of {side} pixels' if side else 'one piece'}: {trouble}, and nobody "
                f"could read it; cut it into tiles of another size (--tile {DEFAULT_TILE}), or into images"
            )

    def working_bytes(self, height: int, width: int) -> int:
        """Return the bytes of the maps of one thread for images of this size."""
        return self._coder.working_bytes(
            min(height, self._tiling.side or height), min(width, self._tiling.side or width)
        )

    def num_tiles(self, height: int, width: int, bands: int) -> int:
        """Return how many messages an image of this size has."""
        return self._tiling.count(height, width, bands)

    def threads(self, shapes: Sequence[tuple[int, int, int]], wanted: int) -> int:
        """Return how many tiles of images `(height, width, bands)` can be decoded at the same time."""
        return threads_within(*self._needs(shapes), wanted)

    def _needs(self, shapes: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
        """Return what `memory_of` adds up, of images `(height, width, bands)` decoded together."""
        levels = self.level_bytes * sum(math.prod(shape) for shape in shapes)
        tile = self.level_bytes * max(self._tiling.most_levels(*shape) for shape in shapes)
        heights, widths, _ = zip(*shapes, strict=True)
        return levels, tile, self.working_bytes(max(heights), max(widths))

    def too_large(self, height: int, width: int, bands: int) -> str:
        """Say what is too much of an image that is not read; nothing if it is."""
        needed = memory_of(*self._needs([(height, width, bands)]))
        if needed > MEMORY_BYTES:
            return f"it needs {needed >> 20:,} MB of memory, more than {MEMORY_BYTES >> 20} MB"
        count = self._tiling.count(height, width, bands)
        if count > MAX_MESSAGES_OF_IMAGE:
            return f"it has {count:,} tiles, more than {MAX_MESSAGES_OF_IMAGE:,}"
        return ""
