"""What an image is given by, beside its own earlier pixels: the levels, and where a program has them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images
from pixelrnn.graph.operation import Features


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


@dataclass(frozen=True)
class GivenMaps:
    """Where a program finds what an image is given by: the machine writes it before anything runs.

    Attributes:
        label: the number of a class; the last of `num_labels` numbers stands for none.
        num_labels: how many there are.
        image: colours of a map of the image's size, scaled like it, 0 where they are not known.
        known: 1 where they are.
        is_part: whether what is known of it is a part of the image itself, which is not coded then.
    """

    label: Features | None = None
    num_labels: int = 0
    image: Features | None = None
    known: Features | None = None
    is_part: bool = False

    @property
    def maps(self) -> list[Features]:
        """What is of the image's size."""
        return [each for each in (self.image, self.known) if each]

    @property
    def features(self) -> list[Features]:
        """All that is given."""
        return [*([self.label] if self.label else []), *self.maps]

    def moved(self, move: Callable[[Features], Features]) -> "GivenMaps":
        """Return the same in other maps."""
        label, image, known = (
            move(each) if each else None for each in (self.label, self.image, self.known)
        )
        return replace(self, label=label, image=image, known=known)


GIVEN_NOTHING = GivenMaps()
