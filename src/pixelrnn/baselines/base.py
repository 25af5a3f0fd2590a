"""What a baseline is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Baseline:
    """One line to beat.

    Attributes:
        name: as shown in tables: "uniform", "histogram", "PNG", "PNG, one picture", ...
        test_bits_per_dim: bits for each sub-pixel of the test images.
        note: in words, how it was measured.
        standard_error: of `test_bits_per_dim` over the test images, clustered by picture; `None` where
            it is not a mean over images.
    """

    name: str
    test_bits_per_dim: float
    note: str
    standard_error: float | None = None
