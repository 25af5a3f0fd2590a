"""The mixture of discretised logistics, forward and backward; `likelihoods/logistic_mixture.py` has it all.

With S_c[k] = log pi_k + log P_0k + ... + log P_ck and T_c = logsumexp_k S_c[k], the log-probability of
colour c given those before it is T_c - T_(c-1), found as the logsumexp of S_c - T_(c-1). If g_c is its
gradient, r_c the softmax of S_c, and g_C = 0, the gradient of log P_ck is

    q_c[k] = sum over c' >= c of   (g_c' - g_(c'+1)) r_c'[k]

and that of the logits q_0[k] - g_0 pi_k. Loops run over the pixels of a strip, so that they are vectors.
"""

import numpy as np
from numba import njit

from pixelrnn.kernels import FINGERPRINT
from pixelrnn.kernels.compiled import compiled
from pixelrnn.kernels.logistics import normalise, set_log_bins, set_residuals, set_slope

STRIP = 256  # pixels at a time: what is computed of them stays in the cache
# No reordering: the exponential rounds by adding and taking away.
_FUSED = {"contract"}


@njit()
def coupling_number(channel: int, other: int) -> int:
    """Return which coupling leads from colour `other` to a later one: red-green, red-blue, ..."""
    return channel * (channel - 1) // 2 + other


@njit(fastmath=_FUSED, error_model="numpy")
def score(
    channels: int, components: int, num_levels: int,
    mean_unit: float, log_scale_range: tuple[float, float],
    parameters: np.ndarray, levels: np.ndarray, start: int, log_probs: np.ndarray,
    weights: np.ndarray, sums: np.ndarray, posteriors: np.ndarray, residuals: np.ndarray,
    slopes: np.ndarray, of_centred: np.ndarray, of_scale: np.ndarray, rows: np.ndarray,
) -> None:  # fmt: skip
    """Score a strip of pixels, and keep what the gradient needs.

    Args:
        channels: C.
        components: K.
        num_levels: of a sub-pixel.
        mean_unit: what the means are multiplied by.
        log_scale_range: to which log-scales are clamped.
        parameters: of the image, `(maps, pixels)`.
        levels: of the image, `(C, pixels)`.
        start: the first pixel of the strip.
        log_probs: gets the nats, `(C, strip)`.
        weights: gets pi, `(K, strip)`.
        sums: `(K, strip)` to work in.
        posteriors: gets r, `(C K, strip)`.
        residuals: gets e, `(C, strip)`.
        slopes: gets how means follow residuals, `(C (C - 1) / 2 K, strip)`.
        of_centred: gets the derivatives of log P by value minus mean, `(C K, strip)`.
        of_scale: gets those by the log-scale, `(C K, strip)`.
        rows: four rows to work in.
    """
    t = rows.shape[1]
    end = start + t
    centred, log_bins, highest, total = rows[0], rows[1], rows[2], rows[3]
    unit = centred.dtype.type(mean_unit)
    num_couplings = slopes.shape[0]
    mean_map, scale_map = components, components * (1 + channels)
    coupling_map = components * (1 + 2 * channels)
    for k in range(components):
        sums[k, :] = parameters[k, start:end]
    normalise(sums, weights, highest, total)
    for c in range(1, channels):
        for other in range(c):
            for k in range(components):
                n = coupling_number(c, other) * components + k
                set_slope(slopes[n], parameters[coupling_map + n, start:end], c - other == 1)
    for c in range(channels):
        own, residual = levels[c, start:end], residuals[c]
        prediction = parameters[coupling_map + num_couplings + c, start:end]
        set_residuals(residual, own, prediction, 2.0 / (num_levels - 1))
        for k in range(components):
            n = c * components + k
            offsets = parameters[mean_map + n, start:end]
            for p in range(t):
                centred[p] = residual[p] - unit * offsets[p]
            for other in range(c):
                slope = slopes[coupling_number(c, other) * components + k]
                values = residuals[other]
                for p in range(t):
                    centred[p] -= slope[p] * values[p]
            set_log_bins(
                log_bins, of_centred[n], of_scale[n],
                centred, parameters[scale_map + n, start:end], own,
                1.0 / (num_levels - 1), num_levels - 1, log_scale_range[0], log_scale_range[1],
            )  # fmt: skip
            row = sums[k]
            for p in range(t):
                row[p] += log_bins[p]
        normalise(sums, posteriors[c * components : (c + 1) * components], highest, total)
        out = log_probs[c]
        for p in range(t):
            out[p] = highest[p] + total[p]


@njit(fastmath=_FUSED, error_model="numpy")
def differentiate(
    channels: int, components: int, mean_unit: float,
    grad_log_probs: np.ndarray, start: int, gradient: np.ndarray,
    weights: np.ndarray, posteriors: np.ndarray, residuals: np.ndarray, slopes: np.ndarray,
    of_centred: np.ndarray, of_scale: np.ndarray, of_residuals: np.ndarray, q: np.ndarray,
) -> None:  # fmt: skip
    """Set the gradient of a strip of pixels, from what `score` kept.

    Args:
        channels: C.
        components: K.
        mean_unit: what the means are multiplied by.
        grad_log_probs: of the image, `(C, pixels)`.
        start: the first pixel of the strip.
        gradient: of the image's parameters, `(maps, pixels)`; the strip of it is set.
        weights: see `score`.
        posteriors: see `score`.
        residuals: see `score`.
        slopes: see `score`.
        of_centred: see `score`; written to.
        of_scale: see `score`.
        of_residuals: `(C, strip)` to work in.
        q: a row to work in.
    """
    t = q.size
    end = start + t
    one, unit = q.dtype.type(1), q.dtype.type(mean_unit)
    num_couplings = slopes.shape[0]
    mean_map, scale_map = components, components * (1 + channels)
    coupling_map = components * (1 + 2 * channels)
    of_residuals[:] = 0
    for k in range(components):
        q[:] = 0
        for c in range(channels - 1, -1, -1):
            n = c * components + k
            g, r, d, own = (
                grad_log_probs[c, start:end],
                posteriors[n],
                of_centred[n],
                of_residuals[c],
            )
            for p in range(t):
                q[p] += g[p] * r[p]
            if c + 1 < channels:
                g = grad_log_probs[c + 1, start:end]
                for p in range(t):
                    q[p] -= g[p] * r[p]
            means, scales = gradient[mean_map + n, start:end], gradient[scale_map + n, start:end]
            slope_of_scale = of_scale[n]
            for p in range(t):
                scales[p] = q[p] * slope_of_scale[p]
                d[p] *= q[p]
                means[p] = -unit * d[p]
                own[p] += d[p]
            for other in range(c):
                coupling = coupling_number(c, other) * components + k
                slope, values, theirs = slopes[coupling], residuals[other], of_residuals[other]
                to = gradient[coupling_map + coupling, start:end]
                first = one if c - other == 1 else one - one
                for p in range(t):
                    tangent = slope[p] - first
                    to[p] = -d[p] * values[p] * (one - tangent * tangent)
                    theirs[p] -= d[p] * slope[p]
        g, to, pi = grad_log_probs[0, start:end], gradient[k, start:end], weights[k]
        for p in range(t):
            to[p] = q[p] - g[p] * pi[p]
    for c in range(channels):
        to, own = gradient[coupling_map + num_couplings + c, start:end], of_residuals[c]
        for p in range(t):
            to[p] = -own[p]


@compiled(nogil=True, error_model="numpy")
def run(
    first: int, last: int, components: int, num_levels: int,
    mean_unit: float, log_scale_range: tuple[float, float],
    parameters: np.ndarray, levels: np.ndarray, log_probs: np.ndarray,
    grad_log_probs: np.ndarray, grad_parameters: np.ndarray, work: np.ndarray,
    fingerprint: int = FINGERPRINT,
) -> None:  # fmt: skip
    """Score images first .. last - 1, or find the gradient of their scores.

    Args:
        first: the first image.
        last: the end, exclusive.
        components: K.
        num_levels: of a sub-pixel.
        mean_unit: what the means are multiplied by.
        log_scale_range: to which log-scales are clamped.
        parameters: `(B, maps, pixels)`; see `likelihoods.LogisticMixture`.
        levels: uint8 `(B, C, pixels)`.
        log_probs: gets the nats, as `levels`; empty if the gradient is wanted.
        grad_log_probs: the gradient of these; empty if it is not wanted.
        grad_parameters: gets the gradient of `parameters`; empty if it is not wanted.
        work: memory to work in, `work_size` numbers.
        fingerprint: left out; see `FINGERPRINT`.
    """
    channels, pixels = levels.shape[1], levels.shape[2]
    couplings = channels * (channels - 1) // 2 * components
    each = channels * components
    for image in range(first, last):
        for start in range(0, pixels, STRIP):
            t = min(STRIP, pixels - start)
            rows = work[: num_rows(channels, components) * t].reshape(-1, t)
            weights, sums = rows[:components], rows[components : 2 * components]
            rows = rows[2 * components :]
            posteriors, of_centred = rows[:each], rows[each : 2 * each]
            of_scale, slopes = rows[2 * each : 3 * each], rows[3 * each : 3 * each + couplings]
            rows = rows[3 * each + couplings :]
            residuals, of_residuals = rows[:channels], rows[channels : 2 * channels]
            nats, rows = rows[2 * channels : 3 * channels], rows[3 * channels :]
            score(
                channels, components, num_levels, mean_unit, log_scale_range,
                parameters[image], levels[image], start, nats,
                weights, sums, posteriors, residuals, slopes, of_centred, of_scale, rows,
            )  # fmt: skip
            if grad_parameters.size:
                differentiate(
                    channels, components, mean_unit, grad_log_probs[image], start, grad_parameters[image],
                    weights, posteriors, residuals, slopes, of_centred, of_scale,
                    of_residuals, rows[0],
                )  # fmt: skip
            else:
                log_probs[image, :, start : start + t] = nats


@njit()
def num_rows(channels: int, components: int) -> int:
    """Return the rows of a strip that one thread works in."""
    couplings = channels * (channels - 1) // 2
    return components * (2 + 3 * channels + couplings) + 3 * channels + 4


def work_size(channels: int, components: int) -> int:
    """Return the numbers of memory that one thread works in."""
    return int(num_rows(channels, components)) * STRIP
