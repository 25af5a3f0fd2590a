"""What an image is given by, beside its own earlier pixels: for whoever steps through a program."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images


@dataclass(frozen=True)
class GivenLevels:
    """What one image is given by.

    Attributes:
        label: the number of its class; None if it is not said.
        image: levels `(H, W, C)` of a map of its size.
        known: bool `(H, W)`, where they are known; by default everywhere.
    """

    label: int | None = None
    image: Images | None = None
    known: npt.NDArray[np.bool_] | None = None


NOTHING_GIVEN = GivenLevels()
