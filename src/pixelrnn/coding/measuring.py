"""How large images become: by the integer model's own probabilities, and in a real file."""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.coding.album import Album
from pixelrnn.coding.codec import Codec
from pixelrnn.coding.program_file import CodingModel
from pixelrnn.coding.writing import write
from pixelrnn.errors import CompressedFileError
from pixelrnn.stepper.spreading import spread
from pixelrnn.units import BITS_PER_BYTE


@dataclass(frozen=True)
class FileSizes:
    """What images need.

    Attributes:
        num_images: how many images.
        num_dims: levels of all of them.
        ideal_bits: minus log2 of the probability that the integer model gives them.
        message_bytes: of all messages together.
        file_bytes: of the file: messages, checksums, index, header.
        seconds: for writing it, on all threads.
    """

    num_images: int
    num_dims: int
    ideal_bits: float
    message_bytes: int
    file_bytes: int
    seconds: float

    @property
    def ideal_bits_per_dim(self) -> float:
        """By the integer model's probabilities."""
        return self.ideal_bits / self.num_dims

    @property
    def message_bits_per_dim(self) -> float:
        """Of the messages alone."""
        return self.message_bytes * BITS_PER_BYTE / self.num_dims

    @property
    def file_bits_per_dim(self) -> float:
        """Of the whole file."""
        return self.file_bytes * BITS_PER_BYTE / self.num_dims


def measure_files(
    model: CodingModel, images: Images, *, threads: int | None = None, tile: int = 0
) -> FileSizes:
    """Compress images into one file in memory, and compare it with what the model thinks of them.

    The file is decoded again, and every pixel compared.

    Args:
        model: the integer model.
        images: uint8 `(N, C, H, W)`.
        threads: tiles at the same time; by default one for each usable core.
        tile: side of the tiles, or 0 for whole images.

    Raises:
        CompressedFileError: if other pixels come back.
    """
    codec = Codec(model, tile=tile, threads=threads)
    codec.make_ready()
    pixels = [np.ascontiguousarray(image.transpose(1, 2, 0)) for image in images]
    stream, began = io.BytesIO(), time.perf_counter()
    entries = write(codec, (("", image) for image in pixels), stream)
    seconds = time.perf_counter() - began
    album = Album(stream, threads=codec.threads, needs_model=False, coding_model=model)
    for given, decoded in zip(pixels, album.in_turn(), strict=True):
        if not np.array_equal(given, decoded):
            raise CompressedFileError("other pixels come back than went in: a fault of pixelrnn")
    ideal_bits = np.zeros(len(pixels))

    def work(n: int) -> Iterator[None]:
        ideal_bits[n] = codec.ideal_bits(pixels[n])
        yield

    spread(work, len(pixels), codec.threads)
    return FileSizes(
        num_images=len(images),
        num_dims=images.size,
        ideal_bits=float(ideal_bits.sum()),
        message_bytes=sum(entry.size for entry in entries),
        file_bytes=len(stream.getvalue()),
        seconds=seconds,
    )
