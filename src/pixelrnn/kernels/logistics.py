"""What the mixture of logistics is made of, a row of pixels at a time: bins, weights, slopes of means."""

import numpy as np
from numba import njit

from pixelrnn.kernels.elementary import exponential, logarithm, tanh

_TERMS = 14  # of the series of 1 - exp(-d) for d up to 1/2, enough for float64

# No reordering: the exponential rounds by adding and taking away.
_FUSED = {"contract"}


@njit(fastmath=_FUSED, error_model="numpy")
def set_residuals(
    residuals: np.ndarray, levels: np.ndarray, prediction: np.ndarray, scale: float
) -> None:
    """Set e = u - q of one colour, u being the level scaled to [-1, 1]."""
    one, factor = residuals.dtype.type(1), residuals.dtype.type(scale)
    for p in range(residuals.size):
        residuals[p] = levels[p] * factor - one - prediction[p]


@njit(fastmath=_FUSED, error_model="numpy")
def set_log_bins(
    log_bins: np.ndarray, of_centred: np.ndarray, of_log_scale: np.ndarray,
    centred: np.ndarray, log_scales: np.ndarray, levels: np.ndarray,
    half_bin: float, highest: int, lowest_log_scale: float, highest_log_scale: float,
) -> None:  # fmt: skip
    """Set log P of the bins of one colour and component, and its gradients.

    Args:
        log_bins: gets log P.
        of_centred: gets the derivative by `centred`.
        of_log_scale: gets the derivative by the log-scale.
        centred: values minus means.
        log_scales: before they are clamped.
        levels: of the pixels.
        half_bin: half the width of a bin.
        highest: level.
        lowest_log_scale: to clamp to.
        highest_log_scale: to clamp to.
    """
    number = log_bins.dtype.type
    zero, one, half, two = number(0), number(1), number(0.5), number(2)
    width, low, high = number(half_bin), number(lowest_log_scale), number(highest_log_scale)
    for p in range(log_bins.size):
        log_scale = min(max(log_scales[p], low), high)
        inverse = exponential(-log_scale)
        upper, lower = inverse * (centred[p] + width), inverse * (centred[p] - width)
        # log sigmoid(upper), log sigmoid(-lower), and what they lack of 1
        t = exponential(-abs(upper))
        below_upper = min(upper, zero) - logarithm(one + t)
        above_upper = (one if upper < zero else t) / (one + t)
        t = exponential(-abs(lower))
        above_lower = min(-lower, zero) - logarithm(one + t)
        below_lower = (one if lower > zero else t) / (one + t)
        # 1 - exp(-d): a series where the difference would lose all digits
        d = two * width * inverse
        series = one
        for n in range(_TERMS, 1, -1):
            series = one - series * d / number(n)
        inside = d * series if d < half else one - exponential(-d)
        outside = one - inside
        between = below_upper + above_lower + logarithm(inside)
        is_lowest, is_highest = levels[p] == 0, levels[p] == highest
        log_bins[p] = below_upper if is_lowest else above_lower if is_highest else between
        from_upper = zero if is_highest else above_upper
        from_lower = zero if is_lowest else below_lower
        from_width = zero if is_lowest or is_highest else d * outside / inside
        of_centred[p] = inverse * (from_upper - from_lower)
        slope = from_lower * lower - from_upper * upper - from_width
        of_log_scale[p] = slope if low <= log_scales[p] <= high else zero


@njit(fastmath=_FUSED, error_model="numpy")
def normalise(
    sums: np.ndarray, softmax: np.ndarray, highest: np.ndarray, total: np.ndarray
) -> None:
    """Subtract the logsumexp over components from `sums`, and set their softmax.

    The largest is subtracted first: sums of about -1e6 would else lose what makes them add up to one.

    Args:
        sums: a row for each component.
        softmax: as `sums`.
        highest: gets the largest of the sums.
        total: gets what the logsumexp is larger by.
    """
    components, count = sums.shape
    one = highest.dtype.type(1)
    highest[:] = sums[0]
    total[:] = 0
    for k in range(1, components):
        row = sums[k]
        for p in range(count):
            highest[p] = max(highest[p], row[p])
    for k in range(components):
        row, weights = sums[k], softmax[k]
        for p in range(count):
            row[p] -= highest[p]
            weights[p] = exponential(row[p])
            total[p] += weights[p]
    for k in range(components):
        weights = softmax[k]
        for p in range(count):
            weights[p] *= one / total[p]
    for p in range(count):
        total[p] = logarithm(total[p])
    for k in range(components):
        row = sums[k]
        for p in range(count):
            row[p] -= total[p]


@njit(fastmath=_FUSED, error_model="numpy")
def set_slope(slope: np.ndarray, couplings: np.ndarray, neighbours: bool) -> None:
    """Set how a mean follows a residual: a colour starts by repeating the one before it."""
    start = slope.dtype.type(1 if neighbours else 0)
    for p in range(slope.size):
        slope[p] = start + tanh(couplings[p])
