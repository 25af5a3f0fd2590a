"""Likelihoods: from the parameters that a network gives to exact log-probabilities of levels.

To add one: a file in this folder, whose configuration is registered under its kind (`register`).
"""

from typing import TYPE_CHECKING, Annotated, TypeAlias, Union

from pydantic import Field

from pixelrnn.likelihoods.base import (
    LIKELIHOODS,
    Likelihood,
    LikelihoodConfig,
    likelihood_of,
    scale_levels,
)
from pixelrnn.likelihoods.categorical import Categorical, CategoricalConfig
from pixelrnn.likelihoods.logistic_mixture import LogisticMixture, LogisticMixtureConfig
from pixelrnn.registry import import_all

import_all(__name__, __path__, leave=["compiled_mixture"])  # which needs torch

if TYPE_CHECKING:
    AnyLikelihoodConfig: TypeAlias = LikelihoodConfig
else:
    AnyLikelihoodConfig = Annotated[
        Union[tuple(LIKELIHOODS.values())],  # noqa: UP007 - of as many as there are
        Field(discriminator="kind"),
    ]

__all__ = [
    "LIKELIHOODS",
    "AnyLikelihoodConfig",
    "Categorical",
    "CategoricalConfig",
    "Likelihood",
    "LikelihoodConfig",
    "LogisticMixture",
    "LogisticMixtureConfig",
    "likelihood_of",
    "scale_levels",
]
