"""How far the bits/dim are from those of normal images, on either side."""

from pixelrnn.scoring.base import Deviation, register
from pixelrnn.scoring.kinds.bits_per_dim import BitsPerDim


@register("typicality", "typicality", rank=2)
class Typicality(Deviation):
    """|b(x) - mean of b over normal images|, with b the bits/dim: how far x is from the typical set.

    Of a group of M images it is the same of their mean bits/dim (Nalisnick, Matsukawa, Teh and
    Lakshminarayanan 2019, "Detecting Out-of-Distribution Inputs to Deep Generative Models Using
    Typicality", arXiv 1906.02994, equation 5; there M images that the model was trained on give the mean).

    Deviations: the mean is of held-out normal images, which a model that overfits does not flatter.

    Example:
        >>> import numpy as np
        >>> score = Typicality()
        >>> score.fit({"bits_per_dim": np.array([3.0, 5.0])})
        >>> score({"bits_per_dim": np.array([1.0, 4.0, 6.0])}).tolist()
        [3.0, 0.0, 2.0]
    """

    of = BitsPerDim
