"""How small images become and how fast: integer models beside image codecs, in one run.

Sizes are those of real files of all images: each image in a file of its own, and all of them in one, which
is an album, a picture that shows them all, or a stream. Every file is decoded, and every image compared
with what went in. Speeds are of files of one image, on the first few images, all codecs in turn and with
as many threads; compilation is in none. Processor times are user and system time of the process, all its
threads together, so that a machine with others at work measures nearly the same.
"""

import io
from collections.abc import Sequence
from functools import partial

import numpy as np

from benchmarks.codec_figures import CodecBenchmark, ModelFigures
from benchmarks.image_codecs import (
    ImageCodec,
    OnProgress,
    Ways,
    num_dims,
    num_pixels,
    of_each,
)
from benchmarks.image_formats import ALL_FORMATS
from benchmarks.in_turn import measure_in_turn
from pixelrnn.arrays import Images
from pixelrnn.baselines.formats import UnfitFormatError
from pixelrnn.coding import Album, Codec
from pixelrnn.coding.container import Entry, Writer
from pixelrnn.errors import CompressedFileError
from pixelrnn.units import BITS_PER_BYTE

REPEATS = 3
TIMED_PIXELS = 1 << 16  # of the images that are timed, unless threads need more of them
TIMED_IMAGES_PER_THREAD = 4
PIXELS_PER_MEGAPIXEL = 10**6
CPU_SECONDS = {  # of which ways, and by which name
    "images_per_second_encoding": "cpu_seconds_per_megapixel_encoding",
    "images_per_second_decoding": "cpu_seconds_per_megapixel_decoding",
}


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
    found = CodecBenchmark(
        num_images=len(images),
        num_pixels=num_pixels(images),
        num_images_timed=timed,
        num_pixels_timed=num_pixels(images[:timed]),
        threads=threads,
    )
    coders: list[_Model | ImageCodec] = []
    try:
        for codec in codecs:
            model = _Model(codec, images, timed, advance)
            coders.append(model)
            found.models.append(model.figures)
        for image_format in ALL_FORMATS:
            try:
                other = ImageCodec(image_format, images, num_levels, timed, threads, advance)
            except UnfitFormatError as reason:
                found.left_out[image_format.name] = str(reason)
                continue
            coders.append(other)
            found.codecs.append(other.figures)
        of_repetition = num_pixels(images[:timed]) * len(coders)
        _time(coders, found, repeats, lambda _: advance(of_repetition))
    except KeyboardInterrupt:
        found.finished = False
    return found


def pixels_to_do(num_models: int, images: Sequence[Images], threads: int, repeats: int) -> int:
    """Return about how many pixels `benchmark_codecs` says are done, in the end."""
    num_formats = len(ALL_FORMATS)
    sizes = num_pixels(images) * (_Model.PASSES * num_models + ImageCodec.PASSES * num_formats)
    timed = images[: _num_timed(images, threads)]
    return sizes + num_pixels(timed) * repeats * (num_models + num_formats)


def _num_timed(images: Sequence[Images], threads: int) -> int:
    of_one = max(1, num_pixels(images) // len(images))
    enough = max(TIMED_PIXELS // of_one, TIMED_IMAGES_PER_THREAD * threads)
    return min(len(images), enough)


def _check_levels(codecs: Sequence[Codec], images: Sequence[Images]) -> None:
    """Raise an ImageMismatchError at once, and not after others were measured."""
    highest = np.full((1, 1, len(images[0])), max(image.max() for image in images), np.uint8)
    for codec in codecs:
        codec.encode([highest])


def _time(
    coders: Sequence["_Model | ImageCodec"],
    found: CodecBenchmark,
    repeats: int,
    on_progress: OnProgress,
) -> None:
    """Time every way of every coder in turn, and put the medians into their figures."""
    megapixels = found.num_pixels_timed / PIXELS_PER_MEGAPIXEL
    ways = [(coder.figures, name, way) for coder in coders for name, way in coder.ways().items()]
    measured = measure_in_turn([way for _, _, way in ways], repeats, on_progress)
    times = zip(ways, measured.seconds, measured.cpu_seconds, strict=True)
    for (figures, name, _), seconds, cpu_seconds in times:
        is_rate = name.startswith("images_per_second")
        setattr(figures, name, found.num_images_timed / seconds if is_rate else seconds)
        if name in CPU_SECONDS:
            setattr(figures, CPU_SECONDS[name], cpu_seconds / megapixels)
    found.repeats, found.finished = measured.repeats, measured.finished


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
        dims = num_dims(images)
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

        return sum(of_each(bits, len(self.pixels), self.codec.threads))


def _file(codec: Codec, coded: Sequence[tuple[Entry, list[bytes]]]) -> bytes:
    """Return the file of coded images, as `coding.write` writes it."""
    stream = io.BytesIO()
    writer = Writer(stream, codec.header)
    for entry, messages in coded:
        writer.add(entry, messages)
    writer.close()
    return stream.getvalue()
