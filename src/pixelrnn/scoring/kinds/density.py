"""How far all measurements together are from those of normal images."""

from typing import ClassVar

import numpy as np

from pixelrnn.arrays import Floats
from pixelrnn.scoring.base import BACKGROUND, CODEC, MODEL, Columns, Score, register

RESOLUTION = (
    1e-6  # bits/dim: smaller differences mean nothing, also where normal images are all alike
)


@register("density", "density of measurements", rank=7)
class Density(Score):
    """Mahalanobis distance of the measurements t(x) from normal images', sqrt((t - m)' C^-1 (t - m)).

    t(x) has the bits/dim of the model, of the codec and, if there is one, of the background model; m and C
    are their mean and covariance over normal images. So an image is unusual if it is too simple, too
    complex, or costs another amount than images as complex as it (Morningstar, Ham, Gallagher,
    Lakshminarayanan, Alemi and Dillon 2021, "Density of States Estimation for Out-of-Distribution
    Detection", arXiv 2006.09273, section 3).

    Deviations: a normal density; there a kernel density or a support vector machine, and other statistics.

    Example:
        >>> score = Density()
        >>> score.fit({MODEL: np.array([2.0, 4.0, 2.0, 4.0]), CODEC: np.array([5.0, 5.0, 7.0, 7.0])})
        >>> score({MODEL: np.array([3.0, 5.0]), CODEC: np.array([6.0, 6.0])}).round(3).tolist()
        [0.0, 1.732]
    """

    needs: ClassVar[tuple[str, ...]] = (MODEL, CODEC)
    is_fitted: ClassVar[bool] = True

    def fit(self, normal: Columns) -> None:
        """Take the mean and the covariance of the measurements over normal images."""
        rows = _rows(normal)
        self._mean = rows.mean(axis=0)
        covariance = np.atleast_2d(np.cov(rows, rowvar=False))
        self._precision = np.linalg.inv(covariance + RESOLUTION**2 * np.eye(len(covariance)))

    def __call__(self, measured: Columns) -> Floats:
        """Return the distance of each."""
        apart = _rows(measured) - self._mean
        squares = np.einsum("ni,ij,nj->n", apart, self._precision, apart)
        distance: Floats = np.sqrt(squares.clip(min=0.0))
        return distance


def _rows(columns: Columns) -> Floats:
    """Return all measurements side by side, `(N, 2 or 3)`."""
    names = (name for name in (MODEL, CODEC, BACKGROUND) if name in columns)
    return np.stack([columns[name] for name in names], axis=1)
