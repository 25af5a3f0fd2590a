"""Frequencies of levels in whole numbers, as the format says, with numbers of Python that never wrap.

Units and tables are those of `pixelrnn/graph/curves.py`.
"""

import numpy as np

from pixelrnn.graph.given import NOTHING_GIVEN
from pixelrnn.likelihoods import Categorical, LogisticMixture, likelihood_of
from pixelrnn.operations.oracle import parameters_of

TOTAL_BITS = 24
TOTAL = 1 << TOTAL_BITS


def frequencies(program, parameters, image):
    """Return the frequency of each level of an image, nested lists `[channel][row][column]`.

    Args:
        program: of integers.
        parameters: int64 `(groups, maps, H, W)`.
        image: levels `(C, H, W)`.
    """
    likelihood = likelihood_of(program)
    of_pixel = next(each for kind, each in OF_PIXEL.items() if isinstance(likelihood, kind))
    channels, height, width = image.shape
    found = [[[0] * width for _ in range(height)] for _ in range(channels)]
    for row in range(height):
        for column in range(width):
            numbers = parameters[:, :, row, column].tolist()
            levels = image[:, row, column].tolist()
            for channel, one in enumerate(of_pixel(program, numbers, levels)):
                found[channel][row][column] = one
    return found


def assert_steps_and_codes(coder, image, given=NOTHING_GIVEN):
    """Check that a coder's loop does what the oracle does, and that what it codes comes back.

    Args:
        coder: of an integer program.
        image: levels `(C, H, W)`.
        given: what the image is given by.

    Returns:
        The frequencies of the levels, int64 `(C, H, W)`.
    """
    pixels = image.transpose(1, 2, 0)
    expected = frequencies(coder.program, parameters_of(coder.program, image, given), image)
    found = coder.frequencies(pixels, given).transpose(2, 0, 1)
    np.testing.assert_array_equal(found, expected)
    decoded = coder.decode(coder.encode(pixels, given), *pixels.shape, given)
    np.testing.assert_array_equal(decoded, pixels)
    assert decoded.dtype == coder.level_type
    return found


def exponentials(program, logits):
    table, highest = program.curves.exponential.tolist(), max(logits)
    return [table[min(highest - logit, len(table) - 1)] for logit in logits]


def softmax(program, parameters, levels):
    count = program.num_levels
    for logits, level in zip(parameters, levels, strict=True):
        weights = exponentials(program, logits)
        factor = ((TOTAL - count) << TOTAL_BITS) // sum(weights)

        def below(v, weights=weights, factor=factor):
            return TOTAL if v == count else ((sum(weights[:v]) * factor) >> TOTAL_BITS) + v

        yield below(level + 1) - below(level)


def shares(weights):
    others = [(weight << 20) // sum(weights) for weight in weights[1:]]
    return [(1 << 20) - sum(others), *others]


def mixture(program, parameters, levels):
    (numbers,), k, channels = parameters, program.likelihood.components, program.channels
    count, curves = program.num_levels, program.curves
    beyond = max(0, (count - 1).bit_length() - 8)  # bits of a level, beyond a byte
    bits, lowest, scales = max(4, 10 - beyond), -448 - 45 * beyond, 768 + 45 * beyond
    unit, farthest = 1 << bits, 1 << (14 + beyond + bits)
    parts = [numbers[first : first + k] for first in range(0, len(numbers) - channels, k)]
    logits, means, log_scales, couplings = (
        parts[0], parts[1 : 1 + channels], parts[1 + channels : 1 + 2 * channels],
        parts[1 + 2 * channels :],
    )  # fmt: skip
    weights = shares(exponentials(program, logits))
    residuals = []
    for channel, level in enumerate(levels):
        centre = numbers[channel - channels] + (count - 1) * unit // 2
        own = couplings[channel * (channel - 1) // 2 :][:channel]
        centres = []
        for n in range(k):
            total = means[channel][n]
            for before, coupling in enumerate(own):
                factor = int(curves.coupling[min(max(coupling[n], -512), 512) + 512])
                factor += 4096 if before == channel - 1 else 0
                total += (factor * residuals[before]) >> 12
            centres.append(min(max(total + centre, -farthest), farthest))
        inverses = [
            int(curves.inverse_scales[min(max(scale - lowest, 0), scales - 1)])
            for scale in log_scales[channel]
        ]

        def below(v, n, centres=centres, inverses=inverses):
            """The distribution function of component n below level v, of 22 bits."""
            argument = ((v * unit - unit // 2 - centres[n]) * inverses[n]) >> (bits + 4)
            argument = min(max(argument + (16 << 16), 0), (32 << 16) - 1)
            entry, rest = divmod(argument, 1 << 11)
            low, high = (int(each) for each in curves.logistic[entry : entry + 2])
            return low + (((high - low) * rest) >> 11)

        def cumulative(v, below=below, weights=weights):
            if v in (0, count):
                return TOTAL if v else 0
            total = sum(weight * below(v, n) for n, weight in enumerate(weights)) >> 18
            return ((total * (TOTAL - count)) >> TOTAL_BITS) + v

        yield cumulative(level + 1) - cumulative(level)
        residuals.append(level * unit - centre)
        inside = [
            (below(level + 1, n) if level < count - 1 else 1 << 22)
            - (below(level, n) if level else 0)
            + 1
            for n in range(k)
        ]
        weights = shares([weight * one for weight, one in zip(weights, inside, strict=True)])


OF_PIXEL = {Categorical: softmax, LogisticMixture: mixture}
