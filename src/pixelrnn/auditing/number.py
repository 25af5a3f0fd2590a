"""A reported figure against what the model's own outputs give: right, or by which formula it came about.

A formula is a unit, a way in which batches were averaged, and targets. Those known are listed here; the one
with the fewest mistakes that gives the figure, to the digits it has, is named.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pixelrnn.arrays import Floats
from pixelrnn.auditing.findings import FAILS, HOLDS, Finding, Verdict
from pixelrnn.auditing.judging import normalising
from pixelrnn.auditing.subject import Subject
from pixelrnn.errors import RecipeError
from pixelrnn.units import NATS_PER_BIT, bits, bits_per_dim
from pixelrnn.wording import counted, joined

CHECK = "bits/dim"
AT_ONCE = 1 << 22  # probabilities of a batch
RELATIVE = 2e-5  # sums in float32
LIKELY_BATCHES = (8, 16, 32, 48, 50, 64, 96, 100, 128, 200, 250, 256, 500, 512, 1000, 1024)
MOST_NAMED = 4


@dataclass(frozen=True)
class Reading:
    """A figure that a formula gives.

    Attributes:
        value: the figure.
        mistakes: what is wrong with the formula, in words; none if it is bits/dim.
    """

    value: float
    mistakes: tuple[str, ...] = ()


@dataclass
class Costs:
    """What images cost.

    Attributes:
        nats: of each image, `(N,)`.
        others: the same for targets or modes that are mistakes, by what is wrong with them.
    """

    nats: Floats
    others: dict[str, Floats] = field(default_factory=dict)


def look(
    subject: Subject, images: Tensor, reported: float | str | None, batch_size: int | None
) -> tuple[Finding, float]:
    """Compute bits/dim, and say what a reported figure is.

    Args:
        subject: what is audited.
        images: int64 `(N, C, H, W)`, those that the figure is of.
        reported: the figure, with its digits if it is text; None to compute alone.
        batch_size: with which it was computed, if that is known.

    Returns:
        The finding, and bits/dim.
    """
    costs = _costs(subject, images, batch_size)
    dims = subject.num_positions
    right = bits_per_dim(float(costs.nats.sum()), len(images) * dims)
    covered = counted(len(images), "image")
    if not math.isfinite(right):
        return Finding(
            CHECK, FAILS, "an image has probability zero: its cost is infinite", covered
        ), right
    if reported is None:
        return Finding(CHECK, HOLDS, f"{right:.4f} bits/dim, from its own outputs", covered), right
    figure, within = digits_of(reported)
    fitting = [
        each
        for each in _readings(costs, subject.shape, subject.num_levels, batch_size)
        if abs(each.value - abs(figure)) <= max(within, RELATIVE * abs(figure))
    ]
    return _finding(fitting, figure, right, covered), right


def digits_of(reported: float | str) -> tuple[float, float]:
    """Return a figure and half a unit in its last place; raises `RecipeError` if it is none.

    Example:
        >>> digits_of("2.92"), digits_of(3)
        ((2.92, 0.005), (3.0, 0.5))
    """
    text = str(reported).strip()
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    try:
        figure, within = float(text), 0.5 * 10.0 ** (int(exponent or 0) - decimals)
    except (ValueError, OverflowError):
        figure, within = math.nan, 0.0
    if not math.isfinite(figure):
        raise RecipeError(f"the figure {text!r} is no number: write it as reported, such as 2.92")
    return figure, within


def _finding(fitting: list[Reading], figure: float, right: float, covered: str) -> Finding:
    facts = {"reported": figure, "bits_per_dim": right}
    sign = "; its sign is that of a log-likelihood" if figure < 0 else ""
    if not fitting:
        apart = "less" if abs(figure) < right else "more"
        return Finding(
            CHECK,
            FAILS,
            f"{figure:g} was reported; its outputs give {right:.4f} bits/dim, and no formula that is known "
            f"gives so much {apart}: other images, weights or scaling of the inputs?",
            covered,
            facts,
        )
    least = min(len(each.mistakes) for each in fitting)
    best = list(
        dict.fromkeys(", ".join(each.mistakes) for each in fitting if len(each.mistakes) == least)
    )
    if least == 0 and figure >= 0:
        return Finding(CHECK, HOLDS, f"{figure:g} is right: {right:.6g} bits/dim", covered)
    what = "; or ".join(best[:MOST_NAMED]) or "bits/dim"
    more = f" (and {len(best) - MOST_NAMED} more fit)" if len(best) > MOST_NAMED else ""
    verdict: Verdict = FAILS if least or figure < 0 else HOLDS
    return Finding(
        CHECK,
        verdict,
        f"{figure:g} is {what}{more}{sign}; bits/dim are {right:.4f}",
        covered,
        facts,
    )


def _readings(
    costs: Costs, shape: tuple[int, int, int], num_levels: int, batch_size: int | None
) -> Iterator[Reading]:
    """Yield the figures of all formulas."""
    sizes = (batch_size,) if batch_size else LIKELY_BATCHES
    for wrong, nats in {"": costs.nats, **costs.others}.items():
        for averaged, mean in _averages(nats, sizes, is_known=batch_size is not None):
            for unit, value in _units(mean, shape, num_levels):
                yield Reading(value, tuple(filter(None, (unit, averaged, wrong))))


def _units(
    nats: float, shape: tuple[int, int, int], num_levels: int
) -> Iterator[tuple[str, float]]:
    """Yield what is made of nats of an image: in words, "" for bits/dim, and the value."""
    channels, height, width = shape
    dims, pixels = math.prod(shape), height * width
    yield "", bits(nats) / dims
    yield "nats, not bits, per sub-pixel", nats / dims
    if channels > 1:
        yield f"bits per pixel, {channels} times bits/dim", bits(nats) / pixels
        yield "nats per pixel", nats / pixels
    if dims > 1:
        yield "bits per image", bits(nats)
        yield "nats per image", nats
        yield f"bits/dim divided twice by the {dims:,} dims", bits(nats) / dims**2
        yield f"nats per sub-pixel, divided twice by the {dims:,} dims", nats / dims**2
    yield "nats multiplied by log 2 instead of divided, per sub-pixel", nats * NATS_PER_BIT / dims
    yield "nats multiplied by log 2 instead of divided, per image", nats * NATS_PER_BIT
    offset = math.log2(num_levels)
    yield (
        "a density of values in [0, 1], too low by the log2 of the number of levels",
        bits(nats) / dims - offset,
    )
    yield (
        "a density of values in [-1, 1], too low by the log2 of half the number of levels",
        (bits(nats) / dims - offset + 1),
    )


def _averages(
    nats: Floats, sizes: tuple[int, ...], *, is_known: bool
) -> Iterator[tuple[str, float]]:
    """Yield what is taken for the mean of images: in words, "" for the mean, and nats of an image."""
    count = len(nats)
    yield "", float(nats.mean())
    yield f"summed over the {count:,} images", float(nats.sum())
    for size in sizes:
        if size > count:
            continue
        of_size = "" if is_known else f", batches of {size}"
        means = [float(nats[first : first + size].mean()) for first in range(0, count, size)]
        full = [
            float(nats[first : first + size].mean()) for first in range(0, count - size + 1, size)
        ]
        if len(full) < len(means):
            rest = count - size * len(full)
            yield (
                f"the mean of batch means, the last of {rest} images only{of_size}",
                float(np.mean(means)),
            )
            yield (
                f"without the last batch of {counted(rest, 'image')}{of_size}",
                float(np.mean(full)),
            )
        for some, dropped in {
            len(means): (means, ""),
            len(full): (full, ", the last dropped"),
        }.values():
            total = math.fsum(some)
            tail = dropped if len(full) < len(means) else ""
            if len(some) > 1:
                yield f"divided by one batch too few{tail}{of_size}", total / (len(some) - 1)
            yield f"divided by one batch too many{tail}{of_size}", total / (len(some) + 1)
            yield (
                f"batch means summed, and divided by the number of images{tail}{of_size}",
                total / count,
            )
            if len(some) > 1:
                yield f"batch means summed, and not divided{tail}{of_size}", total


@torch.no_grad()
def _costs(subject: Subject, images: Tensor, batch_size: int | None) -> Costs:
    cells = math.prod(subject.shape) * subject.num_levels
    at_once = max(1, min(64, AT_ONCE // cells))
    wrong = {} if subject.layout.is_score else truncated(images, subject.num_levels)
    found: dict[str, list[Tensor]] = {name: [] for name in ("", *wrong)}
    with subject.under():
        for first in range(0, len(images), at_once):
            here = slice(first, first + at_once)
            parameters = subject.parameters(images[here])
            if not wrong:
                found[""].append(subject.layout.nats(parameters, images[here], subject.num_levels))
                continue
            pmf = subject.layout.log_pmf(parameters, images[here], subject.num_levels)
            for name, targets in {"": images, **wrong}.items():
                taken = pmf.gather(-1, targets[here][..., None])
                found[name].append(-taken.flatten(1).sum(dim=1))
    costs = {name: torch.cat(parts).double().numpy() for name, parts in found.items()}
    others = {name: nats for name, nats in costs.items() if name}
    if (layers := normalising(subject)) and len(images) > 1:
        name = f"in training mode, with the statistics of each batch ({joined(layers)})"
        others[name] = _in_training(subject, images, batch_size or len(images))
    return Costs(costs[""], others)


def _in_training(subject: Subject, images: Tensor, batch_size: int) -> Floats:
    with subject.under(training=True):
        nats: Floats = torch.cat([subject.nats(some) for some in images.split(batch_size)]).numpy()
    return nats


def truncated(images: Tensor, num_levels: int) -> Mapping[str, Tensor]:
    """Return targets that were made from scaled floats by cutting off, where they differ from the levels.

    Example:
        >>> levels = torch.arange(256).view(1, 1, 16, 16)
        >>> next(iter(truncated(levels, 256)))
        'targets cut off from scaled floats, 63 of 256 levels one too low'
    """
    every = torch.arange(num_levels)
    levels, most = every.float(), float(num_levels - 1)
    made = {
        "unit": levels / most * most,
        "symmetric": (levels / most * 2 - 1 + 1) / 2 * most,
        "halved": ((levels / most - 0.5) / 0.5 * 0.5 + 0.5) * most,
        "bins": (levels / num_levels) * most,
        "shifted": (2 * (levels / most) - 1) * (most / 2) + most / 2,
    }
    found = {}
    for table in made.values():
        cut = table.long().clamp(0, num_levels - 1)
        low = int((cut != every).sum())
        name = f"targets cut off from scaled floats, {low} of {num_levels} levels one too low"
        if low and name not in found:
            found[name] = cut[images]
    return found
