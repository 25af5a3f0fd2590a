"""How large images become: by the integer model's own probabilities, and in a real file."""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images
from pixelrnn.coding.album import Album
from pixelrnn.coding.codec import Codec
from pixelrnn.coding.given import ImageGiven
from pixelrnn.coding.program_file import CodingModel
from pixelrnn.coding.writing import write
from pixelrnn.errors import CompressedFileError
from pixelrnn.stepper.spreading import spread
from pixelrnn.units import BITS_PER_BYTE


@dataclass(frozen=True)
class FileSizes:
    """What images need.

    Attributes:
        ideal_bits_per_dim: minus log2 of the probability that the integer model gives them.
        message_bits_per_dim: of the messages alone.
        file_bits_per_dim: of the whole file: messages, checksums, index, header.
        file_bytes: likewise.
        seconds: for writing it, on all threads.
    """

    ideal_bits_per_dim: float
    message_bits_per_dim: float
    file_bits_per_dim: float
    file_bytes: int
    seconds: float


def measure_files(
    model: CodingModel, images: Images, labels: npt.NDArray[np.int64] | None = None
) -> FileSizes:
    """Compress images into one file in memory, and compare it with what the model thinks of them.

    The file is decoded again, and every pixel compared.

    Args:
        model: the integer model.
        images: uint8 `(N, C, H, W)`, which are not cut into tiles.
        labels: the class of each that the model is given, if any.

    Raises:
        CompressedFileError: if other pixels come back.
    """
    codec = Codec(model, tile=0)
    codec.make_ready()
    pixels = [np.ascontiguousarray(image.transpose(1, 2, 0)) for image in images]
    given = [ImageGiven()] * len(pixels) if labels is None else [ImageGiven(int(n)) for n in labels]
    in_turn = iter(given)
    label_of = None if labels is None else lambda _: next(in_turn).label
    stream, began = io.BytesIO(), time.perf_counter()
    entries = write(codec, (("", image) for image in pixels), stream, label_of=label_of)
    seconds = time.perf_counter() - began
    album = Album(stream, threads=codec.threads, needs_model=False, coding_model=model)
    for image, decoded in zip(pixels, album.in_turn(), strict=True):
        if not np.array_equal(image, decoded):
            raise CompressedFileError("other pixels come back than went in: a fault of pixelrnn")
    ideal_bits = np.zeros(len(pixels))

    def work(n: int) -> Iterator[None]:
        ideal_bits[n] = codec.ideal_bits(pixels[n], given[n])
        yield

    spread(work, len(pixels), codec.threads)
    message_bits = BITS_PER_BYTE * sum(entry.size for entry in entries)
    file_bytes = len(stream.getvalue())
    return FileSizes(
        float(ideal_bits.sum()) / images.size,
        message_bits / images.size,
        BITS_PER_BYTE * file_bytes / images.size,
        file_bytes,
        seconds,
    )
