"""Does a model give the same for the same images: called twice, in any batch, and with its own weights?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pixelrnn.auditing.findings import FAILS, HOLDS, UNTOLD, Finding
from pixelrnn.auditing.probing import apart
from pixelrnn.auditing.subject import Subject
from pixelrnn.errors import SubjectError
from pixelrnn.wording import joined

BATCH = 4  # images
WITHIN = 1e-3  # of the largest parameter: batches of other sizes are summed in another order
NAMED = 3


@dataclass(frozen=True)
class Steadiness:
    """What was found.

    Attributes:
        findings: of each question one.
        noise: how far parameters move by themselves, with all generators seeded.
        is_alone: whether other images of a batch change what an image gives.
    """

    findings: list[Finding]
    noise: float
    is_alone: bool


@torch.no_grad()
def look(subject: Subject, generator: torch.Generator) -> Steadiness:
    """Call a subject with the same images twice, alone, and beside others."""
    shape = (2 * BATCH, *subject.shape)
    levels = torch.randint(subject.num_levels, shape, generator=generator)
    images, others = levels[:BATCH], levels[BATCH:]
    with subject.under():
        deterministic, noise = _deterministic(subject, images)
    with subject.under():
        is_random = deterministic.verdict != HOLDS
        in_batch, is_alone = _in_any_batch(subject, images, others, noise, is_random=is_random)
    return Steadiness([deterministic, in_batch], noise, is_alone)


def _deterministic(subject: Subject, images: Tensor) -> tuple[Finding, float]:
    check = "deterministic"
    weights = _state(subject)
    first = _compared(subject, images, is_seeded=False)
    changed = _changed(subject, weights)
    weights = _state(subject)
    second = _compared(subject, images, is_seeded=False)
    keeps_changing = _changed(subject, weights)
    noise = float(apart(_compared(subject, images), _compared(subject, images)).max())
    if keeps_changing:
        text = f"each call changes its own {joined(keeps_changing)}, in evaluation mode"
        return Finding(check, FAILS, text), noise
    if (size := float(apart(first, second).max())) > 0:
        if noise:
            scale = float(first.nan_to_num(neginf=0.0).abs().max())
            if size <= WITHIN * scale:
                return Finding(
                    check, UNTOLD, f"two calls differ by {size:.1g}, as rounding does"
                ), noise
            return Finding(
                check, FAILS, f"two calls differ by {size:.2g}, for no seed that is known"
            ), noise
        return Finding(
            check,
            FAILS,
            f"two calls differ by {size:.2g} in evaluation mode: it draws random numbers, such as a "
            "dropout that is never switched off (`F.dropout` without `training=self.training`)",
        ), noise
    text = "two calls give the same, bit for bit"
    if changed:
        text += (
            f"; the first changes its own {joined(changed)} (as a mask that is multiplied into the "
            "weights), which copies of the weights, averaged ones say, do not see"
        )
    return Finding(check, HOLDS, text, f"{len(images)} images"), noise


def _compared(subject: Subject, images: Tensor, *, is_seeded: bool = True) -> Tensor:
    return subject.layout.compared(subject.parameters(images, is_seeded=is_seeded))


def _state(subject: Subject) -> dict[str, Tensor]:
    return {
        name: value.clone()
        for module in subject.modules
        for name, value in [*module.named_parameters(), *module.named_buffers()]
    }


def _changed(subject: Subject, before: dict[str, Tensor]) -> list[str]:
    now = _state(subject)
    return [name for name, value in before.items() if not torch.equal(value, now[name])][:NAMED]


def _in_any_batch(
    subject: Subject, images: Tensor, others: Tensor, noise: float, *, is_random: bool
) -> tuple[Finding, bool]:
    check = "same in any batch"
    together = _compared(subject, images)
    scale = float(together.nan_to_num(neginf=0.0).abs().max())
    for n in (0, BATCH - 1):  # the first and the last of the batch
        beside = others.clone()
        beside[n] = images[n]
        moved = float(apart(together, _compared(subject, beside))[n].max())
        if moved > 8 * noise and moved > 1e-6 * scale:
            return Finding(
                check,
                FAILS,
                f"other images of its batch change what an image gives, by {moved:.2g} where "
                f"{scale:.2g} is the largest: attention, a recurrence or a norm over the axis of images",
                f"{BATCH} images",
                {"image": n, "moves_by": moved},
            ), True
    try:
        alone = torch.cat([_compared(subject, image[None]) for image in images])
    except SubjectError as error:
        return Finding(check, FAILS, f"of one image alone: {error}"), False
    moved = 0.0 if is_random else float(apart(together, alone).max())
    if moved > max(WITHIN * scale, 8 * noise):
        text = (
            f"alone an image gives something else than in a batch, by {moved:.2g} where {scale:.2g} "
            "is the largest"
        )
        return Finding(check, FAILS, text, f"{BATCH} images"), False
    return Finding(
        check, HOLDS, "other images of its batch change nothing", f"{BATCH} images"
    ), False
