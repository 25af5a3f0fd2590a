"""Do the probabilities sum to one: over the levels of a sub-pixel, and over all images of a small world?"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from pixelrnn.auditing.axes import parse
from pixelrnn.auditing.clock import Clock
from pixelrnn.auditing.findings import FAILS, HOLDS, UNTOLD, Finding
from pixelrnn.auditing.order import Order
from pixelrnn.auditing.subject import Subject
from pixelrnn.errors import SubjectError
from pixelrnn.units import NATS_PER_BIT

CHECK = "normalised"
TOLERANCE = 1e-4  # float32, and summed in it
LARGEST_WORLD = 1 << 16  # images
IMAGES_AT_ONCE = 1024
WORLDS = ((2, 2), (1, 3), (1, 2), (1, 1))
SHARE = 0.3  # of the time that is left


@torch.no_grad()
def look(subject: Subject, order: Order, levels: Tensor, clock: Clock) -> Finding:
    """Sum probabilities up.

    Args:
        subject: what is audited.
        order: of the sub-pixels.
        levels: random images, int64 `(N, C, H, W)`.
        clock: of the audit.
    """
    with subject.under():
        if subject.layout.is_of_images:
            return _over_worlds(subject)
        if subject.layout.is_score:
            return _over_levels(subject, order, levels, clock)
        return _of_logits(subject, levels)


def _of_logits(subject: Subject, levels: Tensor) -> Finding:
    """Look whether logits are normalised over another axis than the levels."""
    output = subject.output(subject.encode(levels)).double().cpu()
    kind = subject.layout.kind
    if kind == "logits" and subject.num_levels > 1:
        axes = parse(subject.layout.pattern)
        sums = {
            n: _is_one(output.exp().sum(dim=n))
            for n in range(1, output.ndim)
            if output.shape[n] > 1
        }
        levels_axis = next(n for n, axis in enumerate(axes) if "K" in axis)
        wrong = [n for n, is_one in sums.items() if is_one and n != levels_axis]
        if wrong and not sums.get(levels_axis, False):
            return Finding(
                CHECK,
                FAILS,
                f"its log-softmax is over axis {wrong[0]} ({'*'.join(axes[wrong[0]])}) of "
                f"{subject.layout.pattern}, not over the levels",
            )
    if kind not in {"logits", "probabilities", "probability"}:
        total = subject.log_pmf(levels[:1]).exp().sum(dim=-1)
        worst = float(total.flatten()[(total - 1).abs().argmax()])
        if not abs(worst - 1) <= TOLERANCE:
            text = f"the levels of a sub-pixel sum to {worst:.6g}"
            return Finding(CHECK, FAILS, text, "every position", {"sum": worst})
        return Finding(CHECK, HOLDS, "the levels of a sub-pixel sum to one", "every position")
    what = {
        "probabilities": "they are probabilities already",
        "probability": "they lie between 0 and 1",
    }
    return Finding(
        CHECK,
        HOLDS,
        "sums to one over the levels by the way it is read"
        + (f": {what[kind]}" if kind in what else ", a softmax" if kind == "logits" else ""),
        "every position",
    )


def _is_one(sums: Tensor) -> bool:
    return bool(((sums - 1).abs() < TOLERANCE).all())


def _over_levels(subject: Subject, order: Order, levels: Tensor, clock: Clock) -> Finding:
    """Give one sub-pixel each of its levels in turn: what it is scored with must sum to one."""
    total = order.positions.size
    steps = torch.randperm(total, generator=torch.Generator().manual_seed(2)).tolist()
    go_on, seen, worst, where = clock.until(SHARE), 0, 1.0, order.place(0)
    bits_worst = 0.0
    for step in steps:
        place = order.place(step)
        images = levels[:1].repeat(subject.num_levels, 1, 1, 1)
        images[:, place.channel, place.row, place.column] = torch.arange(subject.num_levels)
        scores = torch.cat(
            [subject.parameters(some) for some in images.split(IMAGES_AT_ONCE)]
        ).double()
        scores = scores[:, place.channel, 0, place.row, place.column]
        scores = -scores if subject.layout.is_negative else scores
        as_nats, as_bits = float(scores.exp().sum()), float((scores * NATS_PER_BIT).exp().sum())
        bits_worst = max(bits_worst, abs(as_bits - 1))
        if abs(as_nats - 1) > abs(worst - 1):
            worst, where = as_nats, place
        seen += 1
        if not go_on():
            break
    covered = f"all levels at {seen:,} of {total:,} positions"
    if abs(worst - 1) <= TOLERANCE:
        return Finding(CHECK, HOLDS, "the levels of a sub-pixel sum to one", covered)
    found = {"row": where.row, "column": where.column, "colour": where.channel, "sum": worst}
    if bits_worst <= TOLERANCE:
        return Finding(
            CHECK, FAILS, "its numbers are bits, not nats: read so, they sum to one", covered, found
        )
    why = "more than one: it sees its own value, or is no probability" if worst > 1 else (
        "less than one: it sees its own value, or some probability lies at no level"
    )  # fmt: skip
    return Finding(
        CHECK, FAILS, f"the levels of a sub-pixel sum to {worst:.6g}, {why}", covered, found
    )


def _over_worlds(subject: Subject) -> Finding:
    """Score every image of a world that is small enough to list, of the size itself or a smaller one."""
    reasons = []
    for channels, height, width in _worlds(subject):
        small = replace(subject, shape=(channels, height, width))
        try:
            total, in_bits = _total(small)
        except SubjectError as error:
            reasons.append(str(error))
            continue
        count = subject.num_levels ** (channels * height * width)
        covered = f"all {count:,} images of {height} x {width}"
        if abs(total - 1) <= TOLERANCE:
            return Finding(CHECK, HOLDS, "the probabilities of all images sum to one", covered)
        if abs(in_bits - 1) <= TOLERANCE:
            return Finding(
                CHECK, FAILS, "its numbers are bits, not nats: read so, they sum to one", covered
            )
        return Finding(
            CHECK,
            FAILS,
            f"the probabilities of all images sum to {total:.6g}: it sees what it predicts, or it "
            "gives no log-probability",
            covered,
            {"sum": total},
        )
    why = (
        reasons[0]
        if reasons
        else f"with {subject.num_levels} levels even the smallest world is too large"
    )
    return Finding(
        CHECK,
        UNTOLD,
        "one number for an image could be told only by all images of a world of at most "
        f"{LARGEST_WORLD:,}, and {why}: give log-probabilities of sub-pixels, or logits",
    )


def _worlds(subject: Subject) -> Iterator[tuple[int, int, int]]:
    channels, height, width = subject.shape
    for size in ((height, width), *WORLDS):
        if subject.num_levels ** (channels * size[0] * size[1]) <= LARGEST_WORLD:
            yield channels, *size


def _total(subject: Subject) -> tuple[float, float]:
    """Return the sum of the probabilities of all images, the numbers read as nats and as bits."""
    dims = math.prod(subject.shape)
    as_nats = as_bits = 0.0
    every = itertools.product(range(subject.num_levels), repeat=dims)
    while some := list(itertools.islice(every, IMAGES_AT_ONCE)):
        nats = subject.nats(torch.tensor(some).view(-1, *subject.shape))
        as_nats += float((-nats).exp().sum())
        as_bits += float((-nats * NATS_PER_BIT).exp().sum())
    return as_nats, as_bits
