"""Float, integer and file sizes of the same images: how far apart may they be?

A model in floats claims bits/dim; the same model in integers is what files are written with, and every
file is decoded again. So the integers cannot claim too little, and the floats can: a model that peeks
has a `forward` that sees what no decoder will know. That shows as a gap which rounding cannot explain.
Here, and nowhere else, it is decided what rounding explains.
"""

import math
from dataclasses import dataclass

# Rounding costs trained models up to 0.005 bits/dim, and 0.02 is allowed. An error of the scale of a
# distribution costs in proportion to what a sub-pixel costs: 2 % of that.
GAP_BITS_PER_DIM, GAP_SHARE = 0.02, 0.02
# Rounding moves each sub-pixel to and fro, by up to about this many bits (one standard deviation times
# four): the mean of few has not settled.
GAP_BITS_OF_CHANCE = 1.0
# Integers give no level less than 2^-24, nor a logistic's tail less than 2^-16 of its mixture: what floats
# charge above that, integers need not. Where floats are dearer, it may be that.
FLOOR_BITS, FLOOR_SHARE = 0.1, 0.1
# A message ends on whole bytes, and the range coder cuts its range into 2^24 parts.
MESSAGE_SHARE, MESSAGE_BYTES = 1e-3, 2
# A file has a header, and for each image an entry of the index and a checksum.
FILE_BYTES, FILE_BYTES_PER_IMAGE = 1024, 64
BITS_PER_BYTE = 8


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
    """

    num_images: int
    dims_per_image: int
    float_bits_per_dim: float
    integer_bits_per_dim: float
    message_bits_per_dim: float
    file_bits_per_dim: float


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
    gap = max(GAP_BITS_PER_DIM, GAP_SHARE * floats) + chance
    floor = max(FLOOR_BITS, FLOOR_SHARE * floats) + chance
    a_byte = BITS_PER_BYTE / dims
    whole = MESSAGE_SHARE * integers + MESSAGE_BYTES * sizes.num_images * a_byte
    index = (FILE_BYTES + FILE_BYTES_PER_IMAGE * sizes.num_images) * a_byte
    found = []
    if integers - floats > gap:
        found.append(
            f"{integers:.4f} bits/dim in integers against {floats:.4f} in floats, more than rounding "
            f"explains ({gap:.2g}): the floats know what no decoder knows, and their figure is void"
        )
    if floats - integers > floor:
        found.append(
            f"{floats:.4f} bits/dim in floats against {integers:.4f} in integers, more than rounding "
            f"explains ({floor:.2g}): the integers are of another model"
        )
    if not -whole <= messages - integers <= whole:
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
