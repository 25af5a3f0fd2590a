"""Colour groups and masks: which feature may see which, at the pixel itself.

Every layer splits its features into as many groups as there are colours to keep apart, in order
(van den Oord et al. 2016, section 3.4 and figure 2, right):

               red   green  blue                 red   green  blue
    red         .      .     .         red        x      .     .
    green       x      .     .         green      x      x     .
    blue        x      x     .         blue       x      x     x
            mask A (first layer)                mask B (all others)

a row is a group of outputs, a column a group of inputs, x a connection *at the pixel itself*. All
connections to earlier pixels are allowed, none to later ones. A likelihood that couples the colours
itself needs one group only; mask A then hides the whole pixel.

Two masks more are those of a stack of layers that knows the rows above a pixel, and nothing of its own row
(van den Oord et al. 2016, arXiv 1606.05328, section 2.3): `above` lets its first layer read all of the rows
above, `vertical` lets the others read, in maps of such layers, all of their own row too.

    x x x x x                x x x x x
    x x x x x                x x x x x
    . . . . .                x x x x x
      above                  vertical

Deviation: the paper does not say how 128 features make three groups. Here the groups are contiguous
and as equal as can be, the first ones taking the remainder: 128 = 43 + 43 + 42.
"""

from typing import Literal

import torch
from torch import Tensor

MaskType = Literal["A", "B", "above", "vertical"]
OF_ROWS_ABOVE: tuple[MaskType, ...] = ("above", "vertical")


def feature_groups(features: int, groups: int) -> Tensor:
    """Return the colour group of every feature, int64 `(features,)`, ascending.

    Example:
        >>> feature_groups(7, 3).tolist()
        [0, 0, 0, 1, 1, 2, 2]
    """
    smallest, remainder = divmod(features, groups)
    sizes = [smallest + (group < remainder) for group in range(groups)]
    return torch.repeat_interleave(torch.arange(groups), torch.tensor(sizes))


def connections(in_groups: Tensor, out_groups: Tensor, mask_type: MaskType) -> Tensor:
    """Return which inputs each output may see at the pixel itself, bool `(out, in)`.

    Example:
        >>> connections(torch.arange(3), torch.arange(3), "A").int().tolist()
        [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    """
    before = in_groups[None, :] < out_groups[:, None]
    return before if mask_type == "A" else before | (in_groups[None, :] == out_groups[:, None])
