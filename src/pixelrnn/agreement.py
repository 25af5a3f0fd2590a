"""Float, integer and file sizes of the same images: how far apart may they be?

A model in floats claims bits/dim; the same model in integers is what files are written with, and every
file is decoded again. So the integers cannot claim too little, and the floats can: a model that peeks
has a `forward` that sees what no decoder will know. That shows as a gap which rounding cannot explain.
Here, and nowhere else, it is decided what rounding explains.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixelrnn.units import BITS_PER_BYTE

# Rounding costs trained models up to 0.005 bits/dim, and 0.02 is allowed. An error of the scale of a
# distribution costs in proportion to what a sub-pixel costs: 2 % of that.
GAP_BITS_PER_DIM, GAP_SHARE = 0.02, 0.02
# Rounding moves each sub-pixel to and fro, and the mean of few has not settled: one bit over the square
# root of their number, which is more than was ever seen.
GAP_BITS_OF_CHANCE = 1.0
# Where floats are dearer, nothing is claimed too low: 10 %, for images unlike those of the export. For a
# surprise floats charge without end, and integers, which give each level at least 2^-24 and tails from
# about 2^-12 by a table, do not; and what surprises is clamped. What floats charge above that is told
# apart, and may be lost either way. A model that claims too little is never surprised.
DEARER_BITS_PER_DIM, DEARER_SHARE = 0.1, 0.1
SURPRISE_BITS = 12.0
# A message ends on whole bytes, and the range coder cuts its range into 2^24 parts. One that would be
# larger than the levels is the levels, at 8 bits each, where the integers may say up to 24.
MESSAGE_SHARE, MESSAGE_BYTES = 1e-3, 2
MOST_BITS, LEVEL_BITS = 24, 8
# A file has a header, and for each image an entry of the index and a checksum.
FILE_BYTES, FILE_BYTES_PER_IMAGE = 1024, 64
SAME_BITS_PER_DIM = 1e-3  # summed up twice


@dataclass(frozen=True)
class Sizes:
    """What the same images cost, in bits/dim, by each account.

    Attributes:
        num_images: how many images.
        dims_per_image: sub-pixels of each.
        float_bits_per_dim: minus log2 of the probability that the model gives them, in floats.
        integer_bits_per_dim: the same of its integer program.
        message_bits_per_dim: of the coded messages.
        file_bits_per_dim: of the whole file.
        surprise_bits_per_dim: of the floats, what lies above `SURPRISE_BITS` at single sub-pixels.
    """

    num_images: int
    dims_per_image: int
    float_bits_per_dim: float
    integer_bits_per_dim: float
    message_bits_per_dim: float
    file_bits_per_dim: float
    surprise_bits_per_dim: float = 0.0


def disagreements(sizes: Sizes) -> list[str]:
    """Return, in words, the gaps that rounding cannot explain: none, if all is well.

    Example:
        >>> honest = Sizes(512, 64, 2.081, 2.083, 2.090, 2.31)
        >>> disagreements(honest)
        []
        >>> peeking = Sizes(512, 64, 1.338, 4.92, 4.93, 5.2)
        >>> print(*disagreements(peeking))
        4.9200 bits/dim in integers against 1.3380 in floats, more than rounding explains (0.032): ...
    """
    floats, integers = sizes.float_bits_per_dim, sizes.integer_bits_per_dim
    messages, file = sizes.message_bits_per_dim, sizes.file_bits_per_dim
    if not all(math.isfinite(each) for each in (floats, integers, messages, file)):
        return ["a size that is not a number: float, integer and file sizes cannot be compared"]
    dims = sizes.num_images * sizes.dims_per_image
    chance = GAP_BITS_OF_CHANCE / math.sqrt(dims)
    loose = chance + sizes.surprise_bits_per_dim
    gap = max(GAP_BITS_PER_DIM, GAP_SHARE * floats) + loose
    dearer = max(DEARER_BITS_PER_DIM, DEARER_SHARE * floats) + loose
    a_byte = BITS_PER_BYTE / dims
    whole = MESSAGE_SHARE * integers + MESSAGE_BYTES * sizes.num_images * a_byte
    least = integers * LEVEL_BITS / MOST_BITS - whole
    index = (FILE_BYTES + FILE_BYTES_PER_IMAGE * sizes.num_images) * a_byte
    found = []
    if integers - floats > gap:
        found.append(
            f"{integers:.4f} bits/dim in integers against {floats:.4f} in floats, more than rounding "
            f"explains ({gap:.2g}): the floats know what no decoder knows, or the integers lost the model"
        )
    if floats - integers > dearer:
        found.append(
            f"{floats:.4f} bits/dim in floats against {integers:.4f} in integers, more than rounding "
            f"explains ({dearer:.2g}): the integers are of another model"
        )
    if not least <= messages <= integers + whole:
        found.append(
            f"{messages:.4f} bits/dim as messages against {integers:.4f} in integers, more than whole "
            f"bytes explain ({whole:.2g}): the coder does not code what the model says"
        )
    if not 0 <= file - messages <= index:
        found.append(
            f"{file:.4f} bits/dim as a file against {messages:.4f} as messages, and the index explains "
            f"0 to {index:.2g}: the file holds something else"
        )
    return found


_KEYS = ("float_bits_per_dim", "integer_bits_per_dim", "message_bits_per_dim", "file_bits_per_dim")


def alarms(result: Mapping[str, Any]) -> list[str]:
    """Return the gaps in the figures of a `result.json` that rounding cannot explain.

    Args:
        result: its content; without the sizes of a file nothing can be said.

    Example:
        >>> alarms({"name": "not evaluated yet"})
        []
    """
    count: int | None = result.get("file_num_images")
    figures: dict[str, float] = {key: result[key] for key in _KEYS if result.get(key) is not None}
    if count is None or len(figures) < len(_KEYS):
        return []
    figures["surprise_bits_per_dim"] = result.get("surprise_bits_per_dim") or 0.0
    dims_per_image = math.prod(result["image_shape"])
    found = disagreements(Sizes(num_images=count, dims_per_image=dims_per_image, **figures))
    headline, floats = float(result["test_bits_per_dim"]), figures["float_bits_per_dim"]
    if result["num_images"] == count and not abs(headline - floats) <= SAME_BITS_PER_DIM:
        found.append(f"{headline:.4f} bits/dim and {floats:.4f} in floats, of the same images")
    return found
