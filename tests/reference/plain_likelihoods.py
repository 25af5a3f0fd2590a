"""The likelihoods in plain Python: one pixel, one level at a time, as their equations read.

Each takes the parameters of one pixel and its levels, and returns the log-probability of each colour
given the ones before it.
"""

import math


def scaled(level, num_levels):
    return 2 * level / (num_levels - 1) - 1


def categorical(logits, levels):
    """`logits[colour][level]`."""
    result = []
    for of_colour, level in zip(logits, levels, strict=True):
        total = sum(math.exp(logit) for logit in of_colour)
        result.append(float(of_colour[level]) - math.log(total))
    return result


def logistic_mixture(parameters, levels, num_levels, components):
    """`parameters` in the order logits, means, log-scales, couplings, predictions."""
    channels = len(levels)
    numbers = iter([float(value) for value in parameters])
    logits = [next(numbers) for _ in range(components)]
    means = [[next(numbers) for _ in range(components)] for _ in range(channels)]
    log_scales = [[next(numbers) for _ in range(components)] for _ in range(channels)]
    pairs = channels * (channels - 1) // 2
    couplings = [[next(numbers) for _ in range(components)] for _ in range(pairs)]
    predictions = [next(numbers) for _ in range(channels)]
    assert next(numbers, None) is None
    values = [scaled(level, num_levels) for level in levels]
    residuals = [value - q for value, q in zip(values, predictions, strict=True)]
    total = sum(math.exp(logit) for logit in logits)
    so_far = [0.0] * channels  # p(red), p(red, green), p(red, green, blue)
    for k in range(components):
        probability = math.exp(logits[k]) / total
        for c in range(channels):
            mean = predictions[c] + 0.1 * means[c][k]
            own = couplings[sum(range(c)) :][
                :c
            ]  # from each colour before, the last of which it repeats
            for before, coupling in enumerate(own):
                mean += (math.tanh(coupling[k]) + (before == c - 1)) * residuals[before]
            lowest = -(448 + 45 * max(0, (num_levels - 1).bit_length() - 8)) / 64
            scale = math.exp(max(log_scales[c][k], lowest))
            probability *= bin_probability(levels[c], values[c], mean, scale, num_levels)
            so_far[c] += probability
    before = [1.0, *so_far[:-1]]
    return [math.log(now / then) for now, then in zip(so_far, before, strict=True)]


def bin_probability(level, value, mean, scale, num_levels):
    """Return the mass of a logistic between the edges of a level, the end bins being open."""
    half_bin = 1 / (num_levels - 1)
    upper = math.inf if level == num_levels - 1 else (value - mean + half_bin) / scale
    lower = -math.inf if level == 0 else (value - mean - half_bin) / scale
    if lower + upper > 0:  # the mirror image has the same mass, and no cancellation near 1
        lower, upper = -upper, -lower
    return distribution(upper) - distribution(lower)


def distribution(x):
    if x < 0:
        return math.exp(x) / (1 + math.exp(x))
    return 1 / (1 + math.exp(-x))
