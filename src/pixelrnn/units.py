"""Nats, bits and bits per dimension: the only place where anything is divided by log(2).

A model's loss is a sum of nats (natural logarithms). The field's headline number is

    bits/dim = nats / (log(2) * number of sub-pixels)

with *both* sums over the same sub-pixels, and one division, here. Dividing a mean by the number of
sub-pixels a second time is the commonest mistake in public code (see `docs/reproducing.md`).
"""

import math

NATS_PER_BIT = math.log(2.0)
BITS_PER_BYTE = 8


def bits(nats: float) -> float:
    """Convert nats to bits.

    Example:
        >>> round(bits(1.0), 6)
        1.442695
    """
    return nats / NATS_PER_BIT


def bits_per_dim(nats: float, num_dims: int) -> float:
    """Return the bits per dimension of `nats` summed over `num_dims` sub-pixels.

    Args:
        nats: negative log-likelihood in nats, summed over all the sub-pixels counted.
        num_dims: how many sub-pixels were summed: images * channels * height * width.

    Raises:
        ValueError: if `num_dims` is not positive.

    Example:
        A uniform distribution over 256 levels costs 8 bits for each sub-pixel.

        >>> bits_per_dim(10 * 3072 * math.log(256), num_dims=10 * 3072)
        8.0
    """
    if num_dims <= 0:
        raise ValueError(f"bits/dim needs at least one sub-pixel, not {num_dims}")
    return nats / (num_dims * NATS_PER_BIT)
