"""What `codecs.py` measures."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Figures:
    """What was measured of one codec; speeds are None where Ctrl-C came before.

    Attributes:
        name: as shown in tables.
        note: in words, with which settings.
        bits_per_dim_one_file_each: of a file for each image.
        bits_per_dim_all_in_one: of one file of all images; None if the format cannot hold it.
        all_in_one: what that file is: "album", "picture" or "stream".
        images_per_second_encoding: files of one image, on all threads.
        images_per_second_decoding: likewise.
        cpu_seconds_per_megapixel_encoding: user and system time, all threads together, of the same.
        cpu_seconds_per_megapixel_decoding: likewise.
    """

    name: str
    note: str
    bits_per_dim_one_file_each: float
    bits_per_dim_all_in_one: float | None
    all_in_one: str
    images_per_second_encoding: float | None = None
    images_per_second_decoding: float | None = None
    cpu_seconds_per_megapixel_encoding: float | None = None
    cpu_seconds_per_megapixel_decoding: float | None = None


@dataclass(kw_only=True)
class ModelFigures(Figures):
    """What was measured of one integer model.

    Attributes:
        program_hash: of the model.
        ideal_bits_per_dim: by the model's own probabilities.
        messages_bits_per_dim: of the messages alone, without headers, index and checksums.
        images_per_second_encoding_1_thread: as on all threads.
        images_per_second_decoding_1_thread: as on all threads.
        seconds_to_decode_one_image: the first one, alone, its tiles on all threads.
    """

    program_hash: str
    ideal_bits_per_dim: float
    messages_bits_per_dim: float
    images_per_second_encoding_1_thread: float | None = None
    images_per_second_decoding_1_thread: float | None = None
    seconds_to_decode_one_image: float | None = None


@dataclass
class CodecBenchmark:
    """What was measured of all.

    Attributes:
        models: in the order given.
        codecs: in the order of `ALL_FORMATS`.
        left_out: why a codec is not measured, by name.
        num_images: whose sizes were measured.
        num_pixels: of these.
        num_images_timed: the first ones, whose speeds were measured.
        num_pixels_timed: of these.
        threads: images coded at the same time.
        repeats: how often each was timed; 0 if Ctrl-C came before.
        finished: False after Ctrl-C.
    """

    models: list[ModelFigures] = field(default_factory=list)
    codecs: list[Figures] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    num_images: int = 0
    num_pixels: int = 0
    num_images_timed: int = 0
    num_pixels_timed: int = 0
    threads: int = 1
    repeats: int = 0
    finished: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return asdict(self)
