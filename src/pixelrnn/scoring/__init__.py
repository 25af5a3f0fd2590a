"""How unusual images are to a model: scores, p-values, maps; and how well scores tell images apart."""

from pixelrnn.scoring.base import SCORES
from pixelrnn.scoring.scorer import Scorer, Scores, score
from pixelrnn.scoring.separation import Separation, separation

__all__ = ["SCORES", "Scorer", "Scores", "Separation", "score", "separation"]
