"""Likelihoods: from the parameters that a network gives to exact log-probabilities of levels."""

from typing import Annotated

from pydantic import Field

from pixelrnn.likelihoods.base import Likelihood, scale_levels
from pixelrnn.likelihoods.categorical import Categorical, CategoricalConfig
from pixelrnn.likelihoods.logistic_mixture import LogisticMixture, LogisticMixtureConfig

LikelihoodConfig = Annotated[CategoricalConfig | LogisticMixtureConfig, Field(discriminator="kind")]

__all__ = [
    "Categorical",
    "CategoricalConfig",
    "Likelihood",
    "LikelihoodConfig",
    "LogisticMixture",
    "LogisticMixtureConfig",
    "scale_levels",
]
