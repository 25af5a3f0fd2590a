"""A first layer that reads pixels decorrelated.

Neighbouring pixels are nearly equal, and so are the colours of a pixel: what tells them apart is a small
part of what a kernel reads. With x the pixels under the kernel and C their covariance,

    y = b + W C^(-1/2) x

so that what W multiplies is uncorrelated and of one size (ZCA: Bell and Sejnowski 1997, "The 'independent
components' of natural scenes are edge filters"). The layer can do no more than before; but differences
between pixels no longer wait for weights to become large, and an optimiser whose steps have one size for
all weights, as Adam's have, no longer moves the response to the mean of the pixels with each of them.

C is not measured, but that of a simple model of photographs, for levels scaled to [-1, 1]:

    C = variance * colour^[c != c'] * neighbour^distance

What else there is beside the colours, the ones that tell pixels from padding, stays as it is. C^(-1/2) is
computed when a model is made, by the library at hand: from one to another the last bits of a model in
floats may differ, those of its integer program do not.
"""

import torch
from torch import Tensor

from pixelrnn.layers.masked_conv import MaskedConv2d
from pixelrnn.layers.masks import MaskType

VARIANCE = 0.25
NEIGHBOUR = 0.95  # correlation of two pixels side by side
COLOUR = 0.9  # correlation of two colours of a pixel


class DecorrelatedConv2d(MaskedConv2d):
    """A masked convolution whose weights are those of decorrelated pixels.

    Args:
        colours: how many of the input maps, the first ones, are colours.
        in_groups: as of `MaskedConv2d`, and so are the rest; `out_groups` is in ascending order.

    Example:
        >>> group = torch.zeros(4).long()
        >>> conv = DecorrelatedConv2d(3, group, group, (5, 5), "A")
        >>> conv.weights().shape == conv.weight.shape == (4 * 4 * 12,)
        True
    """

    def __init__(
        self,
        colours: int,
        in_groups: Tensor,
        out_groups: Tensor,
        kernel_size: tuple[int, int],
        mask_type: MaskType,
    ) -> None:
        super().__init__(in_groups, out_groups, kernel_size, mask_type)
        self._lengths: list[
            int
        ] = []  # how many weights the outputs of each group have: side by side
        for group in range(int(out_groups.max()) + 1):
            of_group = self.mask[out_groups == group]
            self.register_buffer(
                f"_mixing_{group}", _mixing(of_group[0], colours), persistent=False
            )
            self._lengths.append(int(of_group.sum()))

    def weights(self) -> Tensor:
        """Return the weights of the pixels themselves, in the order of `weight`.

        Also under mixed precision in that of `weight`: they are large, and nearly cancel.
        """
        result = []
        with torch.autocast(self.weight.device.type, enabled=False):
            for group, weight in enumerate(self.weight.split(self._lengths)):
                mixing = self.get_buffer(f"_mixing_{group}")
                result.append((weight.view(-1, len(mixing)) @ mixing).flatten())
        return torch.cat(result)


def _mixing(reads: Tensor, colours: int) -> Tensor:
    """Return C^(-1/2) of what a mask `(in, rows, columns)` lets through, in the order of its weights."""
    source, *place = (at.double() for at in reads.nonzero(as_tuple=True))
    rows, columns = (at[:, None] - at for at in place)
    covariance = VARIANCE * NEIGHBOUR ** torch.hypot(rows, columns)
    covariance *= torch.where(source[:, None] == source, 1.0, COLOUR)
    plain = source >= colours
    covariance[plain, :] = covariance[:, plain] = 0
    covariance.diagonal()[plain] = 1
    variances, directions = torch.linalg.eigh(covariance)
    mixing: Tensor = directions / variances.sqrt() @ directions.T
    return mixing.to(torch.get_default_dtype())
