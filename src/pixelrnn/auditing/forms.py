"""How levels are given to a model: as integers, or as floats on some scale, with some order of axes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixelrnn.auditing.axes import Sizes, fold, parse, unfold
from pixelrnn.errors import SubjectError
from pixelrnn.wording import joined

MEANINGS = {
    "levels": "levels as int64",
    "unit": "floats in [0, 1]",
    "symmetric": "floats in [-1, 1]",
    "float-levels": "levels as floats",
    "bytes": "levels as uint8",
}
SHAPES = ("(B, C, H, W)", "(B, H, W)", "(B, H, W, C)", "(B, H*W*C)")


@dataclass(frozen=True)
class Form:
    """A form of inputs.

    Attributes:
        kind: a key of `MEANINGS`.
        pattern: the axes, see `axes`.
        as_array: whether they are an array of numpy.
    """

    kind: str
    pattern: str = SHAPES[0]
    as_array: bool = False

    def __str__(self) -> str:
        """Say it in words."""
        return f"{MEANINGS[self.kind]} {self.pattern}{', numpy' if self.as_array else ''}"

    @property
    def is_float(self) -> bool:
        """Whether the numbers are floats, by which can be differentiated."""
        return self.kind in {"unit", "symmetric", "float-levels"}

    def encode(self, levels: Tensor, num_levels: int, dtype: torch.dtype) -> Tensor:
        """Return levels, int64 `(B, C, H, W)`, in this form; floats as `dtype`."""
        folded = fold(levels, self.pattern)
        if not self.is_float:
            # A copy: a function may write into what it is given.
            return folded.to(torch.uint8 if self.kind == "bytes" else torch.int64, copy=True)
        values = folded.to(dtype, copy=True)
        if self.kind == "float-levels":
            return values
        unit = values / (num_levels - 1)
        return unit if self.kind == "unit" else 2 * unit - 1

    def given(self, values: Tensor) -> Any:
        """Return what a function is called with."""
        return values.numpy() if self.as_array else values

    def unfold(self, values: Tensor, sizes: Sizes) -> Tensor:
        """Return numbers that belong to inputs of this form as `(B, C, H, W)`."""
        return unfold(values, self.pattern, sizes, "BCHW")


def candidates(shape: tuple[int, int, int], num_levels: int, text: str = "") -> Iterator[Form]:
    """Yield the forms to try, the likeliest first; only those that a user asks for, if any.

    Raises:
        SubjectError: if what is asked for is none.
    """
    word, bracket, axes = text.partition("(")
    words = word.replace(",", " ").split()
    asked = [each for each in words if each != "numpy"]
    if len(asked) > 1 or set(asked) - set(MEANINGS) or (bracket and not _is_pattern(axes)):
        raise SubjectError(
            f"{text!r} are no inputs: write one of {joined(list(MEANINGS))}, perhaps with axes "
            "such as (B, H, W, C)"
        )
    patterns = [f"({axes}"] if bracket else _patterns(shape)
    for as_array in (True,) if "numpy" in words else (False, True):
        for pattern in patterns:
            for kind in asked or MEANINGS:
                if kind != "bytes" or num_levels <= 256:
                    yield Form(kind, pattern, as_array)


def _patterns(shape: tuple[int, int, int]) -> list[str]:
    return [each for each in SHAPES if "C" in each or shape[0] == 1]


def _is_pattern(axes: str) -> bool:
    try:
        names = {name for axis in parse(axes) for name in axis}
    except ValueError:
        return False
    return names <= {*"BCHW", "1"} and {"B", "H", "W"} <= names
