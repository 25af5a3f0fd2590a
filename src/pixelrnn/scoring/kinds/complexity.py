"""What the model needs beyond a lossless image codec: input complexity, one-sided and two-sided."""

from pixelrnn.scoring.base import CODEC, MODEL, Deviation, Difference, register


@register("complexity", "input complexity", rank=3)
class Complexity(Difference):
    """b(x) - L(x) / D: the model's bits/dim less those of the image as a file of its own.

    Serra, Alvarez, Gomez, Slizovskaia, Nunez and Luque 2020, "Input Complexity and Out-of-distribution
    Detection with Likelihood-based Generative Models", arXiv 1909.11480, equation 1: the codec takes the
    place of a background model, so that simple images are not usual because they are simple.

    Deviations: one codec, PNG unless another is asked for; there the smallest of three files counts.

    Example:
        >>> import numpy as np
        >>> Complexity()({MODEL: np.array([3.0, 0.5]), CODEC: np.array([5.5, 0.25])}).tolist()
        [-2.5, 0.25]
    """

    needs = (MODEL, CODEC)


@register("complexity_typicality", "input complexity, two-sided", rank=4)
class ComplexityTypicality(Deviation):
    """How far the input complexity score is from its mean over normal images, on either side."""

    needs = Complexity.needs
    of = Complexity
