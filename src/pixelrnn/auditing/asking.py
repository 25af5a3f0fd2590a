"""`audit`: all checks, one after the other."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelrnn.auditing import (
    causality,
    fields,
    jacobian,
    number,
    plausible,
    sampling,
    steadiness,
    sums,
)
from pixelrnn.auditing.clock import Clock, OnProgress
from pixelrnn.auditing.dependence import Dependence
from pixelrnn.auditing.findings import FAILS, UNTOLD, Audit, Finding
from pixelrnn.auditing.order import RASTER, Order, order_of
from pixelrnn.auditing.own import subject_of
from pixelrnn.auditing.probing import Probe
from pixelrnn.auditing.settling import settled
from pixelrnn.auditing.subject import Subject, find
from pixelrnn.errors import ImageMismatchError, RecipeError
from pixelrnn.models import AutoregressiveModel
from pixelrnn.ordering import Place

FEWEST, MOST, ENOUGH = 64, 1024, 1 << 14  # images asked of a sampler, and their sub-pixels
LARGEST = 1 << 20  # sub-pixels of an image
MINUTES = 2.0


@dataclass(frozen=True)
class Asked:
    """What is asked about a subject beside its shape; see `audit`."""

    order: Order
    images: Tensor | None = None
    reported: float | str | None = None
    batch_size: int | None = None
    data: str = ""
    sample: Any = None
    at: Place | None = None


def audit(
    model: AutoregressiveModel | Callable[..., Any] | None = None,
    *,
    logits: Callable[..., Any] | None = None,
    log_prob: Callable[..., Any] | None = None,
    shape: tuple[int, int, int] | None = None,
    num_levels: int | None = None,
    order: Any = RASTER,
    inputs: str = "",
    layout: str = "",
    images: Any = None,
    reported: float | str | None = None,
    batch_size: int | None = None,
    data: str = "",
    sample: Any = None,
    at: tuple[int, int, int] | None = None,
    minutes: float = MINUTES,
    name: str = "",
    on_progress: OnProgress = lambda share: None,
) -> Audit:
    """Audit an autoregressive model of images: is it causal, normalised, and its figure right?

    Give one of `model`, `logits` and `log_prob`. Weights, modes and random states are given back as they
    were.

    Args:
        model: one of this package; anything else is taken for `logits`.
        logits: a module or function: images in, the parameters of the distribution of every sub-pixel out,
            in any layout of docs/audit.md.
        log_prob: likewise, log-probabilities in nats out: `(B,)`, or of each sub-pixel.
        shape: of an image, (channels, height, width).
        num_levels: of a sub-pixel, 2 to 65,536.
        order: "raster"; or the position of each pixel `(H, W)`, or sub-pixel `(C, H, W)`, as an array or
            the name of an `.npy` file.
        inputs: how images are given to it, such as "levels", "unit" (floats in [0, 1]) or "symmetric" (in
            [-1, 1]), perhaps with axes such as "(B, H, W, C)"; by default what it takes.
        layout: of its outputs, such as "(B, K*C, H, W)"; by default what fits.
        images: some to compute bits/dim of, integers `(N, C, H, W)`.
        reported: the figure that was reported for them, best as text, which says its digits.
        batch_size: with which it was computed.
        data: name of the data set, to compare the figure with what was published.
        sample: called with a number of images, gives these; or images that were sampled.
        at: (row, column, colour) of the position to draw; by default one that leaks.
        minutes: how long it may take, about.
        name: what to call it.
        on_progress: called with the share done since its last call.

    Raises:
        SubjectError: if it raises, or gives no answer that can be read.
        ImageMismatchError: if images are not of that shape and levels.
        DataError: if the order is none.
        RecipeError: if an argument is out of range.

    Example:
        >>> uniform = lambda images: torch.zeros(len(images), 4, 3, 3)
        >>> found = audit(logits=uniform, shape=(1, 3, 3), num_levels=4)
        >>> found["normalised"].verdict
        'holds'
    """
    given = [each for each in (model, logits, log_prob) if each is not None]
    own = next((each for each in (model, logits) if isinstance(each, AutoregressiveModel)), None)
    if len(given) != 1:
        raise RecipeError(
            f"give one of model, logits and log_prob: {len(given)} of them were given"
        )
    if batch_size is not None and batch_size < 1:
        raise RecipeError(f"batch_size must be 1 or more, not {batch_size}")
    if reported is not None:
        number.digits_of(reported)
    if not minutes > 0:
        raise RecipeError(f"minutes must be positive, not {minutes}")
    if own is not None:
        size = shape[1:] if shape else own.config.image_size or (8, 8)
        shape, num_levels = (own.config.channels, *size), own.config.num_levels
    if shape is None or num_levels is None:
        raise RecipeError("shape, such as (3, 8, 8), and num_levels, such as 256, must be given")
    shape = _checked(shape, num_levels)
    asked = Asked(
        order_of(order, shape),
        None if images is None else levels_of(images, shape, num_levels),
        reported,
        batch_size,
        data,
        sample,
        None if at is None else _place(at, shape),
    )
    clock = Clock(60 * minutes, on_progress)
    with (
        contextlib.redirect_stdout(sys.stderr),
        torch.no_grad(),
    ):  # what a user's function prints is no result
        if own is not None:
            subject = subject_of(own, shape[1:], name)
        else:
            scores = log_prob is not None
            subject = find(
                given[0], shape, num_levels, scores=scores, inputs=inputs, layout=layout, name=name
            )
        return _ask(subject, asked, clock)


def _ask(subject: Subject, asked: Asked, clock: Clock) -> Audit:
    generator = torch.Generator().manual_seed(1)
    levels = torch.randint(subject.num_levels, (2, *subject.shape), generator=generator)
    subject, about = settled(subject, asked.order, levels, asked.images, clock)
    steady = steadiness.look(subject, generator)
    findings = [about, *steady.findings]
    dependence: Dependence | None = None
    if subject.layout.is_of_images:
        findings.append(_one_number())
    else:
        if asked.images is not None:
            levels[1] = asked.images[0]
        with subject.under():
            probe = Probe(subject, asked.order, levels, steady.noise, is_alone=steady.is_alone)
        looked = causality.look(probe, clock, generator)
        dependence = looked.dependence
        findings += looked.findings
        causal = all(each.verdict != FAILS for each in looked.findings)
        findings.append(jacobian.look(probe, generator, causal=causal))
        findings.append(fields.look(dependence, coupled=probe.groups < subject.shape[0]))
    findings.append(sums.look(subject, asked.order, levels, clock))
    findings += _of_figures(subject, asked, findings)
    picture = None
    if dependence is not None:
        picture = dependence.picture(asked.at or dependence.place_to_show())
    return Audit(
        subject.name, subject.shape, subject.num_levels, asked.order.name, findings, picture
    )


def _of_figures(subject: Subject, asked: Asked, so_far: list[Finding]) -> list[Finding]:
    """Judge a figure, and what a sampler draws, where there are any."""
    found: list[Finding] = []
    figure = None
    if asked.images is not None:
        finding, figure = number.look(subject, asked.images, asked.reported, asked.batch_size)
        found.append(finding)
    elif asked.reported is not None:
        figure = number.digits_of(asked.reported)[0]
        found.append(
            Finding(
                number.CHECK,
                UNTOLD,
                f"{figure:g} was reported; images would tell whether it is right",
            )
        )
    if asked.data and figure is not None:
        causal = next(each.verdict for each in so_far if each.check == "causal")
        found.append(plausible.look(asked.data, figure, causal))
    if asked.sample is not None:
        count = min(MOST, max(FEWEST, ENOUGH // subject.num_positions))
        found.append(sampling.look(subject, sampling.draw(asked.sample, count, subject)))
    return found


def _one_number() -> Finding:
    return Finding(
        "causal",
        UNTOLD,
        "one number for an image shows no order: any that is normalised is a likelihood; give logits, or "
        "log-probabilities of sub-pixels, to see what uses what",
    )


def _checked(shape: Any, num_levels: int) -> tuple[int, int, int]:
    try:
        channels, height, width = (int(size) for size in shape)
    except (TypeError, ValueError):
        raise RecipeError(f"shape is {shape!r}: write (channels, height, width)") from None
    if min(channels, height, width) < 1 or channels * height * width > LARGEST:
        raise RecipeError(f"shape is {shape!r}: an image has 1 to {LARGEST:,} sub-pixels")
    if not 2 <= num_levels <= 1 << 16:
        raise RecipeError(f"num_levels is {num_levels}: a sub-pixel has 2 to 65,536 levels")
    return channels, height, width


def _place(at: tuple[int, int, int], shape: tuple[int, int, int]) -> Place:
    row, column, channel = at
    if not (0 <= channel < shape[0] and 0 <= row < shape[1] and 0 <= column < shape[2]):
        raise RecipeError(f"there is no row {row}, column {column}, colour {channel} in {shape}")
    return Place(row, column, channel)


def levels_of(images: Any, shape: tuple[int, int, int], num_levels: int) -> Tensor:
    """Return images as levels, int64 `(N, C, H, W)`.

    Raises:
        ImageMismatchError: if they are not integers of that shape and range.
    """
    array = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
    if (
        array.dtype.kind not in "iu"
        or array.ndim != 4
        or array.shape[1:] != shape
        or not len(array)
    ):
        raise ImageMismatchError(
            f"the images are {array.dtype} {array.shape}: expected are levels, integers of shape "
            f"{('N', *shape)}"
        )
    if array.min() < 0 or array.max() >= num_levels:
        raise ImageMismatchError(
            f"the images have values {array.min()} to {array.max()}: expected are levels 0 to "
            f"{num_levels - 1}"
        )
    return torch.from_numpy(array.astype(np.int64))
