"""Image formats in the codec benchmark: their files of each image and of all, and how they are timed."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from benchmarks.codec_figures import Figures
from benchmarks.image_formats import Stream
from pixelrnn.arrays import Images
from pixelrnn.baselines.formats import ImageFormat
from pixelrnn.stepper.spreading import spread
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


class ImageCodec:
    """A format's files of all images, and what it takes to write and read those that are timed."""

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
        self.pictures = image_format.pictures(images)
        together = image_format.all_in_one(self.pictures)
        # The file of all images takes longest: it is started first.
        jobs = [*([] if together is None else [together]), *self.pictures]

        def write(n: int) -> bytes:
            data = image_format.checked_file(jobs[n], num_levels)
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
            all_in_one="stream" if isinstance(image_format, Stream) else "picture",
        )
        self.files, self.pictures = files[:timed], self.pictures[:timed]

    def ways(self) -> Ways:
        """Return what is timed, by the name of the figure."""
        files, encode, decode = self.files, self.format.encode, self.format.decode
        return {
            "images_per_second_encoding": lambda: of_each(
                lambda n: encode(self.pictures[n], self.num_levels), len(files), self.threads
            ),
            "images_per_second_decoding": lambda: of_each(
                lambda n: decode(files[n]), len(files), self.threads
            ),
        }
