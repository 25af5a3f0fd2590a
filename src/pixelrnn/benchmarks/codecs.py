"""How small images become and how fast: integer models beside image codecs, in one run.

Sizes are those of real files of all images: each image in a file of its own, and all of them in one, which
is an album, a picture that shows them all, or a stream. Every file is decoded, and every image compared
with what went in. Speeds are of files of one image, on the first few images, all codecs in turn and with
as many threads; compilation is in none.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from pixelrnn.baselines.base import Pixels
from pixelrnn.baselines.codecs import CODECS, MORE_CODECS
from pixelrnn.baselines.codecs import Codec as ImageFormat
from pixelrnn.baselines.mosaic import as_colour, as_pictures, one_picture
from pixelrnn.benchmarks.codec_figures import CodecBenchmark, Figures, ModelFigures
from pixelrnn.benchmarks.in_turn import measure_in_turn
from pixelrnn.coding import Album, Codec
from pixelrnn.coding.container import Entry, Writer
from pixelrnn.errors import CompressedFileError
from pixelrnn.stepper.runner import Images, spread
from pixelrnn.units import BITS_PER_BYTE

REPEATS = 3
TIMED_PIXELS = 1 << 16  # of the images that are timed, unless threads need more of them
TIMED_IMAGES_A_THREAD = 4

OnProgress = Callable[[int], None]
Ways = dict[str, Callable[[], object]]
Result = TypeVar("Result")


def benchmark_codecs(
    codecs: Sequence[Codec],
    images: Sequence[Images],
    num_levels: int,
    *,
    threads: int,
    repeats: int = REPEATS,
    on_progress: OnProgress | None = None,
) -> CodecBenchmark:
    """Measure integer models and image codecs; Ctrl-C ends it with what is measured so far.

    Args:
        codecs: of the integer models, with as many threads, made ready.
        images: each uint8 `(C, H, W)`, C 1 or 3, the same for all; sizes may differ.
        num_levels: every value is below.
        threads: images coded at the same time.
        repeats: timings of each, in turn; fewer where they take more than a minute.
        on_progress: called with the pixels done since its last call, of about `pixels_to_do`, from any
            thread.

    Raises:
        ImageMismatchError: if the images do not fit a model.
        CompressedFileError: if a model's file gives other pixels back.
    """
    _check_levels(codecs, images)
    advance = on_progress or (lambda _: None)
    timed = _num_timed(images, threads)
    found = CodecBenchmark(num_images=len(images), num_images_timed=timed, threads=threads)
    coders: list[_Model | _ImageCodec] = []
    try:
        for codec in codecs:
            model = _Model(codec, images, timed, advance)
            coders.append(model)
            found.models.append(model.figures)
        for image_format in CODECS + MORE_CODECS:
            try:
                other = _ImageCodec(image_format, images, num_levels, timed, threads, advance)
            except _LeftOutError as reason:
                found.left_out[image_format.name] = str(reason)
                continue
            coders.append(other)
            found.codecs.append(other.figures)
        of_repetition = _num_pixels(images[:timed]) * len(coders)
        _time(coders, found, repeats, lambda _: advance(of_repetition))
    except KeyboardInterrupt:
        found.finished = False
    return found


def pixels_to_do(num_models: int, images: Sequence[Images], threads: int, repeats: int) -> int:
    """Return about how many pixels `benchmark_codecs` says are done, in the end."""
    num_formats = len(CODECS + MORE_CODECS)
    sizes = _num_pixels(images) * (_Model.PASSES * num_models + _ImageCodec.PASSES * num_formats)
    timed = images[: _num_timed(images, threads)]
    return sizes + _num_pixels(timed) * repeats * (num_models + num_formats)


def _num_pixels(images: Sequence[Images]) -> int:
    """Return how many pixels the images have together."""
    return sum(image[0].size for image in images)


def _num_dims(images: Sequence[Images]) -> int:
    """Return how many levels the images have together: what bits are divided by."""
    return sum(image.size for image in images)


def _num_timed(images: Sequence[Images], threads: int) -> int:
    of_one = max(1, _num_pixels(images) // len(images))
    enough = max(TIMED_PIXELS // of_one, TIMED_IMAGES_A_THREAD * threads)
    return min(len(images), enough)


def _check_levels(codecs: Sequence[Codec], images: Sequence[Images]) -> None:
    """Raise an ImageMismatchError at once, and not after others were measured."""
    highest = np.full((1, 1, len(images[0])), max(image.max() for image in images), np.uint8)
    for codec in codecs:
        codec.encode([highest])


def _time(
    coders: Sequence["_Model | _ImageCodec"],
    found: CodecBenchmark,
    repeats: int,
    on_progress: OnProgress,
) -> None:
    """Time every way of every coder in turn, and put the medians into their figures."""
    ways = [(coder.figures, name, way) for coder in coders for name, way in coder.ways().items()]
    measured = measure_in_turn([way for _, _, way in ways], repeats, on_progress)
    for (figures, name, _), seconds in zip(ways, measured.seconds, strict=True):
        is_rate = name.startswith("images_per_second")
        setattr(figures, name, found.num_images_timed / seconds if is_rate else seconds)
    found.repeats, found.finished = measured.repeats, measured.finished


def _of_each(work: Callable[[int], Result], count: int, threads: int) -> list[Result]:
    """Return the results of work 0 .. count - 1, done in threads."""
    results: dict[int, Result] = {}

    def keep(n: int) -> Iterator[None]:
        results[n] = work(n)
        yield

    spread(keep, count, threads)
    return [results[n] for n in range(count)]


class _Model:
    """An integer model, and the files of the images that are timed."""

    PASSES = 3  # over all images

    def __init__(
        self, codec: Codec, images: Sequence[Images], timed: int, advance: OnProgress
    ) -> None:
        self.codec = codec
        self.pixels = [np.ascontiguousarray(image.transpose(1, 2, 0)) for image in images]
        ideal_bits = self._ideal_bits(advance)
        coded = codec.encode(self.pixels, advance)
        album = _file(codec, coded)
        with Album(io.BytesIO(album), coding_model=codec.model) as opened:
            self.files = [(entry, opened.messages(entry)) for entry in opened.entries]
        self._check(advance)
        each = sum(len(_file(codec, [one])) for one in coded)
        messages = sum(entry.size for entry, _ in coded)
        dims = _num_dims(images)
        self.figures = ModelFigures(
            name=codec.model.name,
            note=f"tiles of {codec.tile} pixels" if codec.tile else "no tiles",
            bits_per_dim_one_file_each=each * BITS_PER_BYTE / dims,
            bits_per_dim_all_in_one=len(album) * BITS_PER_BYTE / dims,
            all_in_one="album",
            program_hash=codec.model.hash.hex(),
            ideal_bits_per_dim=ideal_bits / dims,
            messages_bits_per_dim=messages * BITS_PER_BYTE / dims,
        )
        del self.pixels[timed:], self.files[timed:]

    def ways(self) -> Ways:
        """Return what is timed, by the name of the figure."""
        codec = self.codec
        one = Codec(codec.model, tile=codec.tile, threads=1)
        return {
            "images_per_second_encoding": partial(codec.encode, self.pixels),
            "images_per_second_decoding": partial(self._decode, codec.threads),
            "images_per_second_encoding_1_thread": partial(one.encode, self.pixels),
            "images_per_second_decoding_1_thread": partial(self._decode, 1),
            "seconds_to_decode_one_image": partial(codec.decode, *self.files[0]),
        }

    def _decode(self, threads: int, advance: OnProgress | None = None) -> list[Images]:
        return list(self.codec.decode_many(self.files, threads=threads, on_progress=advance))

    def _check(self, advance: OnProgress) -> None:
        decoded = self._decode(self.codec.threads, advance)
        for n, (image, given) in enumerate(zip(decoded, self.pixels, strict=True)):
            if not np.array_equal(image, given):
                raise CompressedFileError(
                    f"image {n} does not decode to the same pixels by {self.codec.model.name}; this "
                    "is a fault of pixelrnn, or of this machine's memory"
                )

    def _ideal_bits(self, advance: OnProgress) -> float:
        def bits(n: int) -> float:
            found = self.codec.ideal_bits(self.pixels[n])
            advance(self.pixels[n][..., 0].size)
            return found

        return sum(_of_each(bits, len(self.pixels), self.codec.threads))


def _file(codec: Codec, coded: Sequence[tuple[Entry, list[bytes]]]) -> bytes:
    """Return the file of coded images, as `coding.write` writes it."""
    stream = io.BytesIO()
    writer = Writer(stream, codec.header)
    for entry, messages in coded:
        writer.add(entry, messages)
    writer.close()
    return stream.getvalue()


class _LeftOutError(Exception):
    """An image codec cannot be measured; the message says why."""


class _ImageCodec:
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
            raise _LeftOutError("this installation has none")
        if max(max(image.shape[1:]) for image in images) > image_format.max_side:
            raise _LeftOutError("the images are too large for it")
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
            advance(_num_pixels(images) if is_all else math.prod(jobs[n].shape[:2]))
            return data

        files = _of_each(write, len(jobs), threads)
        dims = _num_dims(images)
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
            "images_per_second_encoding": lambda: _of_each(
                lambda n: self._encoded(self.pictures[n]), len(files), self.threads
            ),
            "images_per_second_decoding": lambda: _of_each(
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
            raise _LeftOutError("it decodes to other pixels, so it is not lossless")
