"""The axes of a tensor, written as people write them: "(B, C*K, H, W)".

B are images, C colours, K levels, H rows, W columns; n stands for any number. In `C*K` the last varies
fastest, as in `view`.
"""

import math
import re
from collections.abc import Mapping

from torch import Tensor

Sizes = Mapping[str, int]


def parse(pattern: str) -> list[list[str]]:
    """Return the axes of a pattern, and of each what it is the product of.

    Raises:
        ValueError: if it is no pattern.

    Example:
        >>> parse("(B, C*K, H, W)")
        [['B'], ['C', 'K'], ['H'], ['W']]
    """
    axes = [axis.strip() for axis in pattern.strip(" ()").split(",") if axis.strip()]
    if not axes or not all(re.fullmatch(r"(\w+)(\s*\*\s*\w+)*", axis) for axis in axes):
        raise ValueError(f"{pattern!r} is no list of axes such as (B, K, C, H, W)")
    found = [re.split(r"\s*\*\s*", axis) for axis in axes]
    names = [name for axis in found for name in axis if not name.isdecimal()]
    if len(set(names)) < len(names) or set(names) - set("BCKHWn"):
        raise ValueError(f"{pattern!r}: an axis is made of B, C, K, H, W, n and numbers, each once")
    return found


def fits(pattern: str, shape: tuple[int, ...], sizes: Sizes) -> bool:
    """Return whether a shape is that of the pattern; every axis of size 1 may be left out of it.

    Example:
        >>> fits("(B, C*K, H, W)", (2, 12, 5, 7), {"B": 2, "C": 3, "K": 4, "H": 5, "W": 7})
        True
    """
    axes = parse(pattern)
    named = {name for axis in axes for name in axis}
    needed = {*"BHW"} if "n" in named else {*"BCHW"}  # n parameters may be of several colours
    if len(axes) != len(shape) or any(sizes[name] > 1 for name in needed - named):
        return False
    return all(_fits(axis, size, sizes) for axis, size in zip(axes, shape, strict=True))


def _fits(axis: list[str], size: int, sizes: Sizes) -> bool:
    known = math.prod(_size(name, sizes) for name in axis if name != "n")
    return size == known if "n" not in axis else size > 0 and size % known == 0


def _size(name: str, sizes: Sizes) -> int:
    return int(name) if name.isdecimal() else sizes[name]


def unfold(tensor: Tensor, pattern: str, sizes: Sizes, axes: str) -> Tensor:
    """Return a tensor of the pattern with the axes asked for, such as "BCKHW"; those not in it are 1.

    All that is not one of `axes`, n and numbers, is what "n" in `axes` stands for.
    """
    names = [name for axis in parse(pattern) for name in axis]
    free = [name for name in names if name == "n" or name.isdecimal()]
    shape: list[int] = []
    for axis, size in zip(parse(pattern), tensor.shape, strict=True):
        known = math.prod(_size(name, sizes) for name in axis if name != "n")
        shape += [size // known if name == "n" else _size(name, sizes) for name in axis]
    wide = tensor.reshape(shape)
    wanted = [[names.index(name)] if name in names else [] for name in axes]
    if "n" in axes:
        wanted[axes.index("n")] = [names.index(name) for name in free]
    elif free:  # written out as 1
        keep = [i for i, name in enumerate(names) if name not in free]
        return unfold(wide.reshape([shape[i] for i in keep]), _joined(names, keep), sizes, axes)
    order = [place for group in wanted for place in group]
    moved = wide.permute(order)
    return moved.reshape([math.prod(shape[i] for i in group) for group in wanted])


def _joined(names: list[str], keep: list[int]) -> str:
    return ", ".join(names[i] for i in keep)


def fold(levels: Tensor, pattern: str) -> Tensor:
    """Return a tensor `(B, C, H, W)` with the axes of the pattern; those left out must be 1."""
    axes = parse(pattern)
    names = [name for axis in axes for name in axis if not name.isdecimal()]
    left_out = [i for i, name in enumerate("BCHW") if name not in names]
    order = ["BCHW".index(name) for name in names] + left_out
    sizes = dict(zip("BCHW", levels.shape, strict=True))
    shape = [math.prod(_size(name, sizes) for name in axis) for axis in axes]
    return levels.permute(order).reshape(shape)
