"""Random numbers as a function of (seed, image, position): Philox 4x32-10.

Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.4. The
key is the seed, the counter is the position of the sub-pixel and the index of the image. The same
image thus comes out whatever the batch, the threads, and the order of the work.
"""

import numpy as np
from numba import njit

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32, _6 = np.uint64(32), np.uint64(6)


@njit(inline="always")
def philox(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return four random 32-bit words, each in a uint64, of a counter and a key of 32-bit words."""
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@njit(error_model="numpy")
def uniforms(seed: np.uint64, image: np.uint64, position: np.uint64) -> tuple[float, float]:
    """Return two numbers strictly between 0 and 1, of 52 bits each, in the middle of their steps.

    With 53 bits the highest would be rounded to 1.
    """
    w0, w1, w2, w3 = philox(
        position & _LOW, position >> _32, image & _LOW, image >> _32, seed & _LOW, seed >> _32
    )
    first = float(w0 >> _6) * 2.0**26 + float(w1 >> _6) + 0.5
    second = float(w2 >> _6) * 2.0**26 + float(w3 >> _6) + 0.5
    return first * 2.0**-52, second * 2.0**-52
