"""Likelihoods in the compiled loop: the score of a level, and a level drawn, from the same numbers.

They are computed in float64 whatever the precision of the network, by the formulas of
`likelihoods/categorical.py` and `likelihoods/logistic_mixture.py`, which the tests hold them to.
"""

import math

import numpy as np
from numba import njit

from pixelrnn.graph.program import CATEGORICAL
from pixelrnn.kernels.elementary import exponential
from pixelrnn.stepper.philox import uniforms
from pixelrnn.stepper.tables import (
    SPEC_CHANNELS,
    SPEC_COMPONENTS,
    SPEC_GROUPS,
    SPEC_KIND,
    SPEC_LEVELS,
)

MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0, 20.0
MEAN_UNIT = 0.1


@njit(fastmath={"contract"}, error_model="numpy")
def exponentials(logits: np.ndarray, temperature: float, out: np.ndarray) -> tuple[float, float]:
    """Write exp((logit - highest) / temperature) to `out`; return the highest and the sum."""
    highest = logits[0]
    for logit in logits:
        highest = max(highest, logit)
    shift, factor = float(highest), min(1.0 / temperature, 1e300)  # no infinity
    for level in range(len(logits)):
        out[level] = exponential((logits[level] - shift) * factor)
    total = 0.0
    for level in range(len(logits)):
        total += out[level]
    return shift, total


@njit(error_model="numpy")
def categorical_draw(
    logits: np.ndarray, temperature: float, uniform: float, work: np.ndarray
) -> int:
    """Return a level drawn from softmax(logits / temperature) by inverting its sum.

    `work` is memory for as many numbers as there are logits.
    """
    _, total = exponentials(logits, temperature, work)
    left = uniform * total
    for level in range(len(logits) - 1):
        left -= work[level]
        if left < 0:
            return level
    return len(logits) - 1


@njit(error_model="numpy")
def categorical_nats(logits: np.ndarray, level: int, work: np.ndarray) -> float:
    """Return the log-probability of a level in nats."""
    highest, total = exponentials(logits, 1.0, work)
    return float(logits[level]) - highest - math.log(total)


@njit(error_model="numpy")
def normalise(log_weights: np.ndarray) -> float:
    """Subtract log sum exp from log-weights, in place, and return it."""
    highest = -math.inf
    for weight in log_weights:
        highest = max(highest, weight)
    total = 0.0
    for weight in log_weights:
        total += math.exp(weight - highest)
    nats = highest + math.log(total)
    for k in range(len(log_weights)):
        log_weights[k] -= nats
    return nats


@njit(inline="always")
def _log_sigmoid(x: float) -> float:
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))


@njit(error_model="numpy")
def mixture_component(
    parameters: np.ndarray,
    residuals: np.ndarray,
    channels: int,
    components: int,
    channel: int,
    k: int,
) -> tuple[float, float]:
    """Return mean, of the residual, and log-scale of component k of a colour.

    Args:
        parameters: those of the pixel, in the order of `likelihoods.LogisticMixture`.
        residuals: value minus prediction of the colours before, `(C,)`.
        channels: colours of a pixel.
        components: logistics in the mixture.
        channel: the colour.
        k: the component.
    """
    mean = MEAN_UNIT * float(parameters[components * (1 + channel) + k])
    log_scale = float(parameters[components * (1 + channels + channel) + k])
    couplings = components * (1 + 2 * channels) + k
    if channel == 1:
        mean += (1 + math.tanh(float(parameters[couplings]))) * residuals[0]
    if channel == 2:
        mean += math.tanh(float(parameters[couplings + components])) * residuals[0]
        mean += (1 + math.tanh(float(parameters[couplings + 2 * components]))) * residuals[1]
    return mean, min(max(log_scale, MIN_LOG_SCALE), MAX_LOG_SCALE)


@njit(error_model="numpy")
def log_bin(centred: float, log_scale: float, level: int, levels: int) -> float:
    """Return the log-probability of the bin of `level`, whose middle is `centred` off the mean."""
    half_bin = 1.0 / (levels - 1)
    inverse_scale = math.exp(-log_scale)
    below_upper = _log_sigmoid(inverse_scale * (centred + half_bin))
    above_lower = _log_sigmoid(-inverse_scale * (centred - half_bin))
    if level == 0:
        return below_upper
    if level == levels - 1:
        return above_lower
    return below_upper + above_lower + math.log(-math.expm1(-2 * half_bin * inverse_scale))


@njit(error_model="numpy")
def mixture_draw(
    log_weights: np.ndarray,
    means: np.ndarray,
    log_scales: np.ndarray,
    prediction: float,
    levels: int,
    temperature: float,
    choice: float,
    uniform: float,
    work: np.ndarray,
) -> int:
    """Return a level: a component is chosen, its logistic inverted and rounded to the nearest level.

    Rounding and clamping give each level just the probability of its bin. A temperature T divides the
    log-weights by T and multiplies the scales by it.
    """
    chosen = categorical_draw(log_weights, temperature, choice, work)
    noise = math.log(uniform) - math.log1p(-uniform)
    value = prediction + means[chosen] + temperature * math.exp(log_scales[chosen]) * noise
    # Clamped as a float: what is far outside fits no integer. Positive, so int() rounds down.
    return int(min(max((value + 1) * 0.5 * (levels - 1) + 0.5, 0.0), levels - 1.0))


@njit(error_model="numpy")
def settle_floats(
    row: int,
    column: int,
    group: int,
    spec: np.ndarray,
    parameters: np.ndarray,
    pixel: np.ndarray,
    image: np.ndarray,
    known: np.ndarray,
    seed: np.uint64,
    index: np.uint64,
    temperature: float,
    nats: np.ndarray,
    work: np.ndarray,
) -> None:
    """Find the value of each colour of a group: given by the image, or drawn; and its score.

    Args:
        row: of the pixel; with `column` and `group` it says what is due.
        column: of the pixel.
        group: the colour group whose operations have just run.
        spec: see `tables.py`.
        parameters: of the likelihood, for this group.
        pixel: where the scaled values of the pixel's colours go.
        image: uint8 `(H, W, C)`.
        known: bool `(H, W, C)`: which sub-pixels the image gives.
        seed: of the random numbers.
        index: of the image.
        temperature: 1 for the model's own distribution.
        nats: float64 `(H, W, C)` for the scores, or empty.
        work: memory `(5, max(K, C, levels))`: log-weights, means, log-scales, residuals, exponentials.
    """
    channels, levels = spec[SPEC_CHANNELS], spec[SPEC_LEVELS]
    is_categorical, components = spec[SPEC_KIND] == CATEGORICAL, spec[SPEC_COMPONENTS]
    log_weights, means, log_scales = (
        work[0, :components],
        work[1, :components],
        work[2, :components],
    )
    residuals, exponents = work[3, :channels], work[4]
    if not is_categorical:
        log_weights[:] = parameters[:components]
        normalise(log_weights)
    for channel in range(group, group + 1 if spec[SPEC_GROUPS] > 1 else channels):
        level = int(image[row, column, channel])
        draw = not known[row, column, channel]
        choice, uniform, score = 0.0, 0.0, 0.0
        if draw:
            position = (row * image.shape[1] + column) * channels + channel
            choice, uniform = uniforms(seed, index, np.uint64(position))
        if is_categorical:
            if draw:
                level = categorical_draw(parameters, temperature, uniform, exponents)
            if nats.size:
                score = categorical_nats(parameters, level, exponents)
            pixel[channel] = level * (2.0 / (levels - 1)) - 1.0
        else:
            prediction = float(parameters[len(parameters) - channels + channel])
            for k in range(components):
                means[k], log_scales[k] = mixture_component(
                    parameters, residuals, channels, components, channel, k
                )
            if draw:
                level = mixture_draw(
                    log_weights,
                    means,
                    log_scales,
                    prediction,
                    levels,
                    temperature,
                    choice,
                    uniform,
                    exponents,
                )
            value = level * (2.0 / (levels - 1)) - 1.0
            pixel[channel] = value
            residuals[channel] = value - prediction
            if nats.size or channel < channels - 1:  # the next colour needs the weights, too
                for k in range(components):
                    log_weights[k] += log_bin(
                        residuals[channel] - means[k], log_scales[k], level, levels
                    )
                score = normalise(log_weights)
        image[row, column, channel] = level
        if nats.size:
            nats[row, column, channel] = score
