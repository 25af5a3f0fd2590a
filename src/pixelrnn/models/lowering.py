"""From a model to its program: `trace` is called with traced maps, on some images too."""

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from pixelrnn.arrays import Floats
from pixelrnn.errors import ExportError
from pixelrnn.graph.program import Program
from pixelrnn.graph.simplify import simplify
from pixelrnn.graph.traced import Traced
from pixelrnn.layers.masks import feature_groups
from pixelrnn.models.given_images import AnyImages
from pixelrnn.uncertainty import evenly_spread

if TYPE_CHECKING:
    from pixelrnn.models.base import AutoregressiveModel

CALIBRATION_IMAGES = 128
CALIBRATION_PIXELS = 1 << 15  # at a time


def write_down(model: "AutoregressiveModel", images: Tensor | None = None) -> Program:
    """Return the program of a model; with images, it knows how large its results became on them.

    Raises:
        NotImplementedError: if `trace` is not written, or does what only tensors can.
    """
    config, likelihood = model.config, model.likelihood
    program = Program(config.channels, config.num_levels, likelihood.groups)
    image = program.new_map(config.channels + model.reads_border)
    program.image = image.part(0, config.channels)
    program.border = image.part(config.channels, 1) if model.reads_border else None
    groups = np.append(feature_groups(config.channels, likelihood.groups).numpy(), 0)
    values = None if images is None else model.inputs(images)
    try:
        parameters = model.trace(Traced(program, image, groups[: image.count], values))
    except TypeError as error:  # of an operation that is one of tensors alone
        raise NotImplementedError(f"{type(model).__name__} cannot be traced: {error}") from error
    program.likelihood = likelihood.lower(config.likelihood.kind, parameters.features)
    simplify(program)
    return program


def largest_results(model: "AutoregressiveModel", images: AnyImages) -> Floats:
    """Return how large the results of a model's operations become on 128 of some images, evenly spread.

    Raises:
        ExportError: if one is not finite.
    """
    some = model.check_images(images[evenly_spread(len(images), CALIBRATION_IMAGES)])
    at_once = max(1, CALIBRATION_PIXELS // some[0, 0].numel())
    found = [write_down(model, batch).largest() for batch in some.split(at_once)]
    largest: Floats = np.max(found, axis=0)
    if not np.isfinite(largest).all():
        raise ExportError(
            "the weights of this model fit no integers: its values on such images are not finite"
        )
    return largest
