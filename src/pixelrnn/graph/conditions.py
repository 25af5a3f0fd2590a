"""By which image an image may be given, by kind: how it is made of images, and of a picture.

    grey      its luminance
    small     one pixel of each square of `factor` x `factor`, the top left one (van den Oord et al. 2016,
              arXiv 1601.06759, section 3.6, "Multi-Scale PixelRNN")
    masked    all of it but a hole
    given     any: whoever uses the model makes it

What is known of `small` and of `masked` is a part of the image itself. It is not predicted again, and costs
nothing: p(image | part) is 0 of every image that has other levels there. For that a small image is sampled
from the large one, and not averaged: its pixels are pixels of the large one, so that the bits of both
together are bits of the large one, p(large) = p(small) p(large | small).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Flags, Images
from pixelrnn.registry import Registry

MIN_FACTOR, MAX_FACTOR = 2, 64
RandomBits = npt.NDArray[np.uint64]
# Of 2^16, as Pillow weighs red, green and blue for its mode L (ITU-R 601-2).
LUMINANCE = (19595, 38470, 7471)


@dataclass(frozen=True)
class Condition(ABC):
    """What one kind of given images is.

    Attributes:
        factor: of `small`: how many times smaller its sides are.
        given_channels: of `given`: its colours, if they are not those of the images.
        is_part: whether what is known of it is a part of the image itself.
        has_holes: whether any pixels may be unknown, so that known ones after a hole guide what fills it.
        is_made: whether it is made of images, and not given by who uses the model.
    """

    factor: int = MIN_FACTOR
    given_channels: int | None = None
    is_part: ClassVar[bool] = False
    has_holes: ClassVar[bool] = False
    is_made: ClassVar[bool] = True

    def channels(self, of_image: int) -> int:
        """Return its colours; raises `ValueError` if no image of so many colours is given that way."""
        return of_image

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of the picture that stands for it."""
        return height, width

    @abstractmethod
    def of_images(self, images: Images, random_bits: RandomBits) -> tuple[Images, Flags]:
        """Return what images `(N, C, H, W)` are given by: levels `(N, c, H, W)`, known `(N, 1, H, W)`.

        Args:
            images: the images themselves.
            random_bits: 64 for each, `(N,)`.
        """

    def placed(
        self, picture: Images, known: Flags, height: int, width: int
    ) -> tuple[Images, Flags]:
        """Return a picture `(c, h, w)` of which `(h, w)` is known as a map `(c, H, W)`, and `(H, W)`."""
        return picture, known


CONDITIONS = Registry[type[Condition]]("condition")


def everywhere(images: Images) -> Flags:
    """Return that all pixels are known."""
    return np.ones((len(images), 1, *images.shape[2:]), bool)


@final
@CONDITIONS.register("grey")
class Grey(Condition):
    """The luminance of an image in colour.

    Example:
        >>> red = np.array([255, 0, 0], np.uint8).reshape(1, 3, 1, 1)
        >>> Grey().of_images(red, np.zeros(1, np.uint64))[0].ravel().tolist()
        [76]
    """

    def channels(self, of_image: int) -> int:
        """Return 1; only images in colour can be coloured."""
        if of_image != len(LUMINANCE):
            raise ValueError("grey images are a condition of images in colour (3 channels) only")
        return 1

    def of_images(self, images: Images, random_bits: RandomBits) -> tuple[Images, Flags]:
        """Return the luminance, rounded; see the base class."""
        weights = np.array(LUMINANCE, np.int64)[:, None, None]
        sums = (images.astype(np.int64) * weights).sum(axis=1, keepdims=True)
        return (sums + (1 << 15) >> 16).astype(images.dtype), everywhere(images)


@final
@CONDITIONS.register("small")
class Small(Condition):
    """The top left pixel of each square.

    Example:
        >>> image = np.arange(9, dtype=np.uint8).reshape(1, 1, 3, 3)
        >>> levels, known = Small(2).of_images(image, np.zeros(1, np.uint64))
        >>> levels[known].tolist(), Small(2).size(3, 3)
        ([0, 2, 6, 8], (2, 2))
    """

    is_part: ClassVar[bool] = True

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the sides divided by the factor, rounded up."""
        return -(-height // self.factor), -(-width // self.factor)

    def of_images(self, images: Images, random_bits: RandomBits) -> tuple[Images, Flags]:
        """Return the images, of which the small one is known; see the base class."""
        known = np.zeros((len(images), 1, *images.shape[2:]), bool)
        known[..., :: self.factor, :: self.factor] = True
        return images, known

    def placed(
        self, picture: Images, known: Flags, height: int, width: int
    ) -> tuple[Images, Flags]:
        """Return the small picture, its pixels apart; see the base class."""
        levels = np.zeros((len(picture), height, width), picture.dtype)
        where = np.zeros((height, width), bool)
        levels[:, :: self.factor, :: self.factor] = picture
        where[:: self.factor, :: self.factor] = known
        return levels, where


@final
@CONDITIONS.register("masked")
class Masked(Condition):
    """All of an image but a rectangle: of any height, width and place, each as likely.

    Example:
        >>> image = np.zeros((1, 1, 4, 4), np.uint8)
        >>> int(Masked().of_images(image, np.zeros(1, np.uint64))[1].sum())  # the smallest hole
        15
    """

    is_part: ClassVar[bool] = True
    has_holes: ClassVar[bool] = True

    def of_images(self, images: Images, random_bits: RandomBits) -> tuple[Images, Flags]:
        """Return the images, each with a hole of its own; see the base class."""
        rows = _stretch(images.shape[2], random_bits)
        columns = _stretch(images.shape[3], random_bits >> np.uint64(32))
        return images, ~(rows[:, :, None] & columns[:, None, :])[:, None]


@final
@CONDITIONS.register("given")
class AnyImage(Condition):
    """Whatever is given in Python.

    Example:
        >>> AnyImage().channels(3), AnyImage(given_channels=5).channels(3)
        (3, 5)
    """

    is_made: ClassVar[bool] = False

    def channels(self, of_image: int) -> int:
        """Return its colours, by default those of the images."""
        return self.given_channels or of_image

    def of_images(self, images: Images, random_bits: RandomBits) -> tuple[Images, Flags]:
        """Raise `ValueError`: it is not made of images."""
        raise ValueError("nobody but its user knows what images are given by")


def _stretch(side: int, random_bits: RandomBits) -> Flags:
    """Return `(N, side)`, of which a stretch is true: its length, and then its place, by 32 bits each."""
    length_bits, place_bits = ((random_bits >> np.uint64(n) & np.uint64(0xFFFF)).astype(np.int64)
                               for n in (0, 16))  # fmt: skip
    length = 1 + (length_bits * side >> 16)
    first = place_bits * (side - length + 1) >> 16
    places = np.arange(side)
    return (places >= first[:, None]) & (places < (first + length)[:, None])
