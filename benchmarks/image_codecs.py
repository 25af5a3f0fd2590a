"""Image codecs in the codec benchmark: their files of each image and of all, and how they are timed."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from benchmarks.codec_figures import Figures
from pixelrnn.baselines.base import Pixels
from pixelrnn.baselines.codecs import Codec as ImageFormat
from pixelrnn.baselines.mosaic import as_colour, as_pictures, one_picture
from pixelrnn.stepper.runner import Images, spread
from pixelrnn.units import BITS_PER_BYTE

OnProgress = Callable[[int], None]
Ways = dict[str, Callable[[], object]]
Result = TypeVar("Result")


def num_pixels(images: Sequence[Images]) -> int:
    """Return how many pixels the images have together."""
    return sum(image[0].size for image in images)


def num_dims(images: Sequence[Images]) -> int:
    """Return how many levels the images have together: what bits are divided by."""
    return sum(image.size for image in images)


def of_each(work: Callable[[int], Result], count: int, threads: int) -> list[Result]:
    """Return the results of work 0 .. count - 1, done in threads."""
    results: dict[int, Result] = {}

    def keep(n: int) -> Iterator[None]:
        results[n] = work(n)
        yield

    spread(keep, count, threads)
    return [results[n] for n in range(count)]


class LeftOutError(Exception):
    """An image codec cannot be measured; the message says why."""


class ImageCodec:
    """An image codec, and the files of the images that are timed."""

    PASSES = 2  # the images by themselves, and all in one

    def __init__(
        self,
        image_format: ImageFormat,
        images: Sequence[Images],
        num_levels: int,
        timed: int,
        threads: int,
        advance: OnProgress,
    ) -> None:
        self.format, self.num_levels, self.threads = image_format, num_levels, threads
        if not image_format.available():
            raise LeftOutError("this installation has none")
        if max(max(image.shape[1:]) for image in images) > image_format.max_side:
            raise LeftOutError("the images are too large for it")
        pictures = [as_pictures(image[np.newaxis]) for image in images]
        if not image_format.stores_grey:
            pictures = [as_colour(picture) for picture in pictures]
        self.pictures = [picture[0] for picture in pictures]
        together = self._together()
        # The file of all images takes longest: it is begun first.
        jobs = [*([] if together is None else [together]), *self.pictures]

        def write(n: int) -> bytes:
            data = self._encoded(jobs[n])
            self._check(data, jobs[n])
            is_all = together is not None and n == 0
            advance(num_pixels(images) if is_all else math.prod(jobs[n].shape[:2]))
            return data

        files = of_each(write, len(jobs), threads)
        dims = num_dims(images)
        all_in_one = None if together is None else len(files.pop(0)) * BITS_PER_BYTE / dims
        self.figures = Figures(
            name=image_format.name,
            note=image_format.described(len(images[0]), num_levels),
            bits_per_dim_one_file_each=sum(map(len, files)) * BITS_PER_BYTE / dims,
            bits_per_dim_all_in_one=all_in_one,
            all_in_one="stream" if image_format.is_stream else "picture",
        )
        self.files, self.pictures = files[:timed], self.pictures[:timed]

    def ways(self) -> Ways:
        """Return what is timed, by the name of the figure."""
        files, decode = self.files, self.format.decode
        return {
            "images_per_second_encoding": lambda: of_each(
                lambda n: self._encoded(self.pictures[n]), len(files), self.threads
            ),
            "images_per_second_decoding": lambda: of_each(
                lambda n: decode(files[n]), len(files), self.threads
            ),
        }

    def _together(self) -> Pixels | None:
        """Return all images in one, or None where the format cannot hold that."""
        if self.format.is_stream:
            rest = self.pictures[0].shape[2:]
            return np.concatenate([each.reshape(-1, 1, *rest) for each in self.pictures])
        if len({picture.shape for picture in self.pictures}) > 1:
            return None
        mosaic = one_picture(np.stack(self.pictures))
        if mosaic is None or max(mosaic.shape[:2]) > self.format.max_side:
            return None
        return mosaic

    def _encoded(self, pixels: Pixels) -> bytes:
        return self.format.encode(pixels, self.num_levels)

    def _check(self, data: bytes, pixels: Pixels) -> None:
        expected = pixels.ravel() if self.format.is_stream else pixels
        if not np.array_equal(self.format.decode(data), expected):
            raise LeftOutError("it decodes to other pixels, so it is not lossless")
