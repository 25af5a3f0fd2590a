"""Models of this package as subjects: what they give are the parameters of their likelihood."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixelrnn.auditing.axes import Sizes
from pixelrnn.auditing.forms import Form
from pixelrnn.auditing.layouts import Layout
from pixelrnn.auditing.subject import Subject
from pixelrnn.likelihoods import Likelihood
from pixelrnn.models import AutoregressiveModel
from pixelrnn.models.given_images import as_levels


@dataclass(frozen=True)
class OwnLayout(Layout):
    """The parameters of a likelihood of this package, `(B, groups, maps, H, W)`."""

    likelihood: Any = None

    def fits(self, output: Tensor, sizes: Sizes) -> bool:
        """Return whether these are as many."""
        likelihood: Likelihood = self.likelihood
        groups, maps = likelihood.groups, likelihood.num_parameters
        return tuple(output.shape) == (sizes["B"], groups, maps, sizes["H"], sizes["W"])

    def parameters(self, output: Tensor, sizes: Sizes) -> Tensor:
        """Return them as they are."""
        return output

    def log_pmf(self, parameters: Tensor, levels: Tensor, num_levels: int) -> Tensor:
        """Return the log-probability of every level, `(B, C, H, W, K)` nats."""
        values, images = parameters.double(), as_levels(levels, num_levels)
        of_colours = [
            self.likelihood.log_pmf(values, images, channel) for channel in range(levels.shape[1])
        ]
        return torch.stack(of_colours, dim=1).movedim(2, -1)


def subject_of(model: AutoregressiveModel, size: tuple[int, int], name: str = "") -> Subject:
    """Return a model of this package as a subject, for images of a size (height, width)."""
    return Subject(
        model,
        name or type(model).__name__,
        (model.config.channels, *size),
        model.config.num_levels,
        (model,),
        Form("bytes" if model.config.num_levels <= 256 else "levels"),
        OwnLayout(
            str(model.config.likelihood.kind), "of this package", likelihood=model.likelihood
        ),
    )
