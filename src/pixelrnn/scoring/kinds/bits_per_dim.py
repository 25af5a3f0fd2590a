"""The model's own bits/dim."""

from pixelrnn.arrays import Floats
from pixelrnn.scoring.base import MODEL, Columns, Score, register


@register("bits_per_dim", "bits/dim", rank=1)
class BitsPerDim(Score):
    """-log2 p(x) / D: what an image costs the model, for each of its D sub-pixels.

    It ranks smooth images below those that the model was trained on, however strange they are (Nalisnick,
    Matsukawa, Teh, Gorur and Lakshminarayanan 2019, "Do Deep Generative Models Know What They Don't Know?",
    arXiv 1810.09136).

    Example:
        >>> import numpy as np
        >>> BitsPerDim()({MODEL: np.array([3.0, 4.0])}).tolist()
        [3.0, 4.0]
    """

    def __call__(self, measured: Columns) -> Floats:
        """Return the bits/dim."""
        return measured[MODEL]
