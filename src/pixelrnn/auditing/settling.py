"""Which of several layouts and forms of inputs it is: by causality, and by what images cost."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from pixelrnn.auditing.clock import Clock
from pixelrnn.auditing.findings import HOLDS, UNTOLD, Finding, Verdict
from pixelrnn.auditing.layouts import Layout
from pixelrnn.auditing.order import Order
from pixelrnn.auditing.probing import Probe
from pixelrnn.auditing.subject import Subject
from pixelrnn.wording import joined

TRIED, SHARE = 64, 0.03  # positions, and of the time that is left
SCORED = 16  # images
TOLD = ("only so is it causal", "by which the images cost least")
CLEARLY = 0.98  # of the cost: less is another reading of a trained model, not chance


def settled(
    subject: Subject, order: Order, levels: Tensor, images: Tensor | None, clock: Clock
) -> tuple[Subject, Finding]:
    """Return the subject with one layout and form of inputs, and how these were found.

    Args:
        subject: what was found by its shapes.
        order: of the sub-pixels.
        levels: random images, int64 `(N, C, H, W)`.
        images: real ones, if there are any.
        clock: of the audit.
    """
    remarks: list[str] = []
    verdict: Verdict = HOLDS
    layouts = (subject.layout, *subject.other_layouts)
    if len(layouts) > 1:
        leaks = {each: _num_leaking(subject, each, order, levels, clock) for each in layouts}
        layout, remark = _chosen(subject, leaks, images)
        verdict = HOLDS if remark.startswith(TOLD) else UNTOLD
        subject = replace(subject, layout=layout)
        remarks.append(remark)
    if subject.other_forms:
        subject, remark = _with_form(subject, images)
        remarks.append(remark)
    text = f"given {subject.form}, read as {subject.layout}"
    return subject, Finding("inputs and outputs", verdict, "; ".join([text, *remarks]))


def _num_leaking(
    subject: Subject, layout: Layout, order: Order, levels: Tensor, clock: Clock
) -> int:
    """Return how often outputs would leak if they had a layout, with a few positions changed."""
    total = order.positions.size
    generator = torch.Generator().manual_seed(5)
    steps = torch.randperm(total, generator=generator)[:TRIED].tolist()
    with subject.under(), torch.no_grad():
        moves = Probe(replace(subject, layout=layout), order, levels).later(
            steps, levels[0], clock.until(SHARE)
        )
    return moves.num_leaks


def _chosen(
    subject: Subject, leaks: Mapping[Layout, int], images: Tensor | None
) -> tuple[Layout, str]:
    """Return the layout, of those that fit, and why; `leaks` says how often each would leak."""
    layouts = list(leaks)
    causal = [each for each in layouts if not leaks[each]]
    shown = joined([str(each) for each in layouts])
    if len(causal) == 1:
        others = joined([str(each) for each in layouts if each != causal[0]])
        return causal[0], f"{TOLD[0]}: if what you train with reads {others}, it is not"
    if not causal:
        least = min(layouts, key=leaks.__getitem__)
        return least, f"its outputs fit {shown}, and in none it is causal; layout says which it is"
    if images is not None:
        costs = {each: cost(replace(subject, layout=each), images) for each in causal}
        best = min(causal, key=costs.__getitem__)
        if costs[best] < CLEARLY * min(costs[each] for each in causal if each != best):
            return best, f"{TOLD[1]}, of {shown}"
    return causal[0], (
        f"its outputs fit {joined([str(each) for each in causal])}, and it is causal in each, so that no "
        "verdict hangs on it but that on bits/dim; layout says which it is"
    )


def _with_form(subject: Subject, images: Tensor | None) -> tuple[Subject, str]:
    others = joined([str(each).partition(" (")[0] for each in subject.other_forms])
    if images is not None:
        forms = (subject.form, *subject.other_forms)
        costs = {each: cost(replace(subject, form=each), images) for each in forms}
        best = min(forms, key=costs.__getitem__)
        if best != subject.form and costs[best] < CLEARLY * costs[subject.form]:
            return replace(subject, form=best), TOLD[1]
    return subject, f"it takes {others}, too: inputs says what it was trained with"


def cost(subject: Subject, images: Tensor) -> float:
    """Return what a few images cost, in nats: infinity where there is no number."""
    with subject.under(), torch.no_grad():
        nats = float(subject.nats(images[:SCORED]).sum())
    return nats if math.isfinite(nats) else math.inf
