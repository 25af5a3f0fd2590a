"""A mixture of discretised logistics in the layout of PixelCNN++ (Salimans et al. 2017, arXiv 1701.05517).

Of the parameters of a pixel the first n are the logits of the components. The rest are, for each colour, n
means, n logarithms of scales and, in images of three colours, n couplings: 10 n for RGB, 3 n for grey.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_LOG_SCALE = -7.0
PER_COMPONENT = {1: 3, 3: 10}


def log_pmf(parameters: Tensor, levels: Tensor, num_levels: int) -> Tensor:
    """Return the log-probability of every level of every sub-pixel, given the colours before it.

    Args:
        parameters: `(B, 3 n or 10 n, H, W)`.
        levels: int64 `(B, C, H, W)`.
        num_levels: K.

    Returns:
        `(B, C, H, W, K)` nats, in float64.
    """
    channels = levels.shape[1]
    count = parameters.shape[1] // PER_COMPONENT[channels]
    parameters = parameters.double()
    weights = parameters[:, :count].log_softmax(dim=1)  # (B, n, H, W)
    rest = parameters[:, count:].unflatten(1, (channels, -1))
    means, log_scales = rest[:, :, :count], rest[:, :, count : 2 * count].clamp(min=MIN_LOG_SCALE)
    values = levels.double() * (2 / (num_levels - 1)) - 1  # (B, C, H, W)
    means = _coupled(means, rest[:, :, 2 * count :].tanh(), values)
    grid = torch.arange(num_levels, device=parameters.device).double() * (2 / (num_levels - 1)) - 1
    pmf = []
    for channel in range(channels):
        bins = _log_bins(grid, means[:, channel], log_scales[:, channel])  # (B, n, H, W, K)
        pmf.append((weights[..., None] + bins).logsumexp(dim=1))
        own = levels[:, channel, None, :, :, None].expand(-1, count, -1, -1, -1)
        weights = (weights + bins.gather(-1, own)[..., 0]).log_softmax(dim=1)
    return torch.stack(pmf, dim=1)


def _coupled(means: Tensor, couplings: Tensor, values: Tensor) -> Tensor:
    """Add to the means of green and blue their linear dependence on the colours before them."""
    if means.shape[1] == 1:
        return means
    red, green = values[:, 0, None], values[:, 1, None]
    return torch.stack(
        [
            means[:, 0],
            means[:, 1] + couplings[:, 0] * red,
            means[:, 2] + couplings[:, 1] * red + couplings[:, 2] * green,
        ],
        dim=1,
    )


def _log_bins(grid: Tensor, means: Tensor, log_scales: Tensor) -> Tensor:
    """Return the logarithm of what each logistic gives to each level, `(B, n, H, W, K)`."""
    half = 1 / (len(grid) - 1)
    inverse = (-log_scales).exp()[..., None]
    centred = grid - means[..., None]
    below, above = (
        F.logsigmoid(inverse * (centred + half)),
        F.logsigmoid(-inverse * (centred - half)),
    )
    inside = below + above + (-(-2 * half * inverse).expm1()).log()
    inside[..., 0], inside[..., -1] = below[..., 0], above[..., -1]
    return inside
