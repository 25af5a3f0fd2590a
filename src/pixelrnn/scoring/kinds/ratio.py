"""What the model needs beyond a background model: the likelihood ratio, one-sided and two-sided."""

from pixelrnn.scoring.base import BACKGROUND, MODEL, Deviation, Difference, register


@register("ratio", "likelihood ratio", rank=5)
class Ratio(Difference):
    """(log2 p_background(x) - log2 p(x)) / D: the model's bits/dim less those of a background model.

    Ren, Liu, Fertig, Snoek, Poplin, DePristo, Dillon and Lakshminarayanan 2019, "Likelihood Ratios for
    Out-of-Distribution Detection", arXiv 1906.02845, equation 2: what both predict alike cancels.

    Deviations: there the background is the same network, trained on images with noise; here it is whatever
    model is given: one of a smaller field, which knows what neighbours look like and nothing of what is
    shown, or one of other images.

    Example:
        >>> import numpy as np
        >>> Ratio()({MODEL: np.array([3.0]), BACKGROUND: np.array([3.5])}).tolist()
        [-0.5]
    """

    needs = (MODEL, BACKGROUND)


@register("ratio_typicality", "likelihood ratio, two-sided", rank=6)
class RatioTypicality(Deviation):
    """How far the likelihood ratio is from its mean over normal images, on either side."""

    needs = Ratio.needs
    of = Ratio
