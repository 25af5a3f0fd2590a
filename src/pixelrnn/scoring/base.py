"""What a score is: measured bits/dim in, how unusual images are out; and which scores there are."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar, final

from pixelrnn.arrays import Floats
from pixelrnn.registry import Registry

MODEL, CODEC, BACKGROUND = "bits_per_dim", "codec_bits_per_dim", "background_bits_per_dim"
Columns = Mapping[str, Floats]
"""What N images cost, in bits/dim, each `(N,)`: by the model, and where they are asked by the others."""


class Score(ABC):
    """How unusual images are; higher is always more unusual.

    Measurements of a group of images, averaged, give the score of the group.

    Attributes:
        kind: its name, of columns too.
        label: for tables.
        needs: which measurements it is made of.
        is_fitted: whether it is a distance from normal images, which `fit` is given first.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = (MODEL,)
    is_fitted: ClassVar[bool] = False

    def fit(self, normal: Columns) -> None:  # noqa: B027 - most need not
        """Learn what normal images cost."""

    @abstractmethod
    def __call__(self, measured: Columns) -> Floats:
        """Return the score of each of N images, or groups, `(N,)`."""


class Difference(Score):
    """What the model needs beyond something else: the first of what it is made of, less the second."""

    @final
    def __call__(self, measured: Columns) -> Floats:
        """Return the difference."""
        model, other = (measured[name] for name in self.needs)
        return model - other


class Deviation(Score):
    """How far a one-sided score is from its mean over normal images: two-sided, like a typical set's."""

    of: ClassVar[type[Score]]
    is_fitted: ClassVar[bool] = True
    mean: float

    @final
    def fit(self, normal: Columns) -> None:
        """Take the mean of the score over normal images."""
        self.mean = float(self.of()(normal).mean())

    @final
    def __call__(self, measured: Columns) -> Floats:
        """Return the distance of each from that mean."""
        distance: Floats = abs(self.of()(measured) - self.mean)
        return distance


SCORES = Registry[type[Score]]("score")
_Kind = TypeVar("_Kind", bound=type[Score])


def register(kind: str, label: str, *, rank: int) -> Callable[[_Kind], _Kind]:
    """Return a decorator that registers a score under its kind."""

    def enter(score: _Kind) -> _Kind:
        score.kind, score.label = kind, label
        SCORES.add(kind, score, rank)
        return score

    return enter
