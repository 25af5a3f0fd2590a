"""From a model to its program: `trace` is called with traced maps, on some images too."""

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from pixelrnn.arrays import Floats
from pixelrnn.errors import ExportError, ImageMismatchError
from pixelrnn.graph.program import Program
from pixelrnn.graph.simplify import simplify
from pixelrnn.graph.traced import Traced
from pixelrnn.layers.masks import feature_groups
from pixelrnn.models.given import Conditions, Given
from pixelrnn.models.given_images import AnyImages, as_tensor
from pixelrnn.models.symbols import SYMBOLS, SymbolTables
from pixelrnn.operations.export import export
from pixelrnn.stepper.asked import any_images
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.drawing import sample
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
    count = config.input_features
    image = program.new_map(count + model.reads_border)
    program.image = image.part(0, count)
    program.border = image.part(count, 1) if model.reads_border else None
    if config.has_symbols:
        program.symbols, program.image = True, program.new_map(config.channels)
        tables = cast(SymbolTables, model.get_submodule(SYMBOLS))
        tables.trace(program, program.image, image.part(0, count))
    groups = np.append(feature_groups(count, likelihood.groups).numpy(), 0)
    values = None if images is None else model.inputs(images)
    given = _given(model, program, None if images is None else model.conditions(images))
    try:
        parameters = model.trace(Traced(program, image, groups[: image.count], values), given)
    except TypeError as error:  # of an operation that is one of tensors alone
        raise NotImplementedError(f"{type(model).__name__} cannot be traced: {error}") from error
    program.likelihood = likelihood.lower(config.likelihood.kind, parameters.features)
    simplify(program)
    return program


def _given(
    model: "AutoregressiveModel", program: Program, values: Conditions[Tensor] | None
) -> Conditions[Traced]:
    """Return what the images may be given by as traced maps, and tell the program of it."""
    config, labels, image = model.config, None, None
    if config.num_labels:
        number = program.new_map(1)
        program.given = replace(program.given, label=number, num_labels=config.num_labels + 1)
        labels = Traced(program, number, np.zeros(1, np.int64), values.labels if values else None)
    if config.condition:
        count = config.given_channels
        both = program.new_map(count + 1)
        program.given = replace(
            program.given,
            image=both.part(0, count),
            known=both.part(count, 1),
            is_part=config.given_is_part,
        )
        groups = np.zeros(count + 1, np.int64)
        image = Traced(program, both, groups, values.image if values else None, section="given")
    return Conditions(labels, image)


def largest_results(model: "AutoregressiveModel", images: AnyImages) -> Floats:
    """Return how large the results of a model's operations become on 128 of some images, evenly spread.

    Raises:
        ImageMismatchError: if there are no images, or others than the model is of.
        ExportError: if one is not finite.
    """
    if not len(images):
        raise ImageMismatchError(
            "how large a model's values become is measured on images: give some"
        )
    model.given_by.require(len(images), images.shape[2:])
    chosen = evenly_spread(len(images), CALIBRATION_IMAGES)
    some = model.check_images(images[chosen])
    at_once = max(1, CALIBRATION_PIXELS // some[0, 0].numel())
    found = []
    for batch, indices in zip(
        some.split(at_once), torch.as_tensor(chosen).split(at_once), strict=True
    ):
        found.append(write_down(model.of_images(indices), batch).largest())
    largest: Floats = np.max(found, axis=0)
    if not np.isfinite(largest).all():
        raise ExportError(
            "the weights of this model fit no integers: its values on such images are not finite"
        )
    return largest


def lower_by_stand_ins(model: "AutoregressiveModel") -> Program:
    """Return the program of a model, scaled by images in place of the training images.

    They are any, and what is sampled with their scales; given by any labels, and any images in part.
    """
    config = model.config
    images = any_images(config.channels, config.num_levels)
    stand_in, count = copy.copy(model), len(images)
    labels = image = known = None
    if config.num_labels:
        labels = torch.arange(count, device=model.device) % (config.num_labels + 1)
    if config.condition:
        image = as_tensor(any_images(config.given_channels, config.num_levels), model.device)
        known = torch.ones_like(image[:, :1], dtype=torch.bool)
        known[::2, :, ::2, ::2] = False
        image, known = image.to(model.device), known.to(model.device)
    stand_in.given_by = Given(labels, image, known)
    coder = Coder(export(stand_in.lower(images)))
    given = [stand_in.given_by.levels(n, config.num_labels) for n in range(count)]
    sampled = sample(coder, count, images.shape[2:], given=given)
    twice = torch.arange(count).repeat(2)
    return stand_in.of_images(twice).lower(np.concatenate([images, sampled]))
