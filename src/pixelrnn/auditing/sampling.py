"""Do a sampler's images follow the probabilities that the model gives? By what each level had before it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelrnn.auditing.findings import FAILS, HOLDS, UNTOLD, Finding
from pixelrnn.auditing.outputs import tensor_of
from pixelrnn.auditing.subject import Subject
from pixelrnn.errors import SubjectError
from pixelrnn.wording import counted, told

CHECK = "samples"
BINS = 16
UNLIKELY = 1e-6
AT_ONCE = 16  # images
SURE = 6.0  # standard deviations
GRID = 1e-3  # of the step between two levels


def draw(sample: Any, count: int, subject: Subject) -> Tensor:
    """Return what a sampler gives, floats `(N, C, H, W)`.

    Args:
        sample: called with the number of images; or the images themselves.
        count: how many images to ask for.
        subject: whose images they are.

    Raises:
        SubjectError: if it raises, or gives no such images.
    """
    result = sample
    if callable(sample):
        try:
            with subject.under(), torch.no_grad():
                result = sample(count)
        except (Exception, SystemExit) as error:
            raise SubjectError(
                f"the sampler raised {told(error)}; it is called with the number of images, {count}"
            ) from error
    if isinstance(result, Tensor) and not result.is_floating_point():
        result = result.double()
    if isinstance(result, np.ndarray):
        result = result.astype(np.float64)
    images, _ = tensor_of(result)
    channels, height, width = subject.shape
    if images.ndim == 3 and channels == 1:
        images = images.unsqueeze(1)
    if (
        tuple(images.shape[1:]) == (height, width, channels)
        and tuple(images.shape[1:]) != subject.shape
    ):
        images = images.movedim(-1, 1)
    if images.ndim != 4 or tuple(images.shape[1:]) != subject.shape or not len(images):
        raise SubjectError(
            f"the sampler gave {tuple(images.shape)}: expected images of shape {('N', *subject.shape)}"
        )
    return images.detach().cpu().double()


@torch.no_grad()
def look(subject: Subject, drawn: Tensor) -> Finding:
    """Judge what a sampler drew.

    Args:
        subject: the model that scores it.
        drawn: what `draw` returned.
    """
    covered = counted(len(drawn), "image")
    if subject.layout.is_score:
        why = "only the probability of what is there is known, not of other levels: give logits"
        return Finding(CHECK, UNTOLD, why, covered)
    levels, trouble = _levels(drawn, subject.num_levels)
    if levels is None:
        return Finding(CHECK, FAILS, trouble, covered)
    with subject.under():
        shares, surplus, is_top, tops = _ranks(subject, levels)
    sub_pixels = len(shares)
    covered += f", {counted(sub_pixels, 'sub-pixel')}"
    if bool(is_top.all()) and float((1 - tops).sum()) > SURE**2:
        return Finding(
            CHECK,
            FAILS,
            "every level is the likeliest one (argmax): greedy, and no samples",
            covered,
        )
    counts = torch.histc(shares, BINS, 0.0, 1.0)
    expected = sub_pixels / BINS
    statistic = ((counts - expected) ** 2 / expected).sum()
    likely = float(torch.special.gammaincc(torch.tensor((BINS - 1) / 2).double(), statistic / 2))
    score = float(surplus.sum() / surplus.square().sum().sqrt().clamp(min=1e-30))
    if likely >= UNLIKELY and abs(score) <= SURE:
        return Finding(
            CHECK, HOLDS, f"as often as they are scored (chi-square, p = {likely:.2g})", covered
        )
    sharper = "sharper" if score < 0 else "flatter"
    more = (
        f"; they are {sharper} than what is scored (a temperature?), by "
        f"{abs(float(surplus.mean())):.3g} nats a sub-pixel"
        if abs(score) > SURE
        else ""
    )
    return Finding(
        CHECK,
        FAILS,
        f"not drawn as scored: so uneven by chance with p = {likely:.1g}{more}. A sampler that "
        "feeds back what it "
        "did not round, sees pixels in another order, or scales its inputs otherwise does this",
        covered,
        {"p": likely, "surplus_nats": float(surplus.mean())},
    )


def _levels(drawn: Tensor, num_levels: int) -> tuple[Tensor | None, str]:
    """Return samples as levels, however they are scaled; or None, and what they are."""
    top = num_levels - 1
    low, high = float(drawn.min()), float(drawn.max())
    scales = {"0 to 1": drawn * top, "-1 to 1": (drawn + 1) / 2 * top, "levels": drawn}
    if low < 0:
        names = ["-1 to 1"]
    elif high > 1 or num_levels == 2:
        names = ["levels"]
    else:
        names = ["0 to 1", "levels"] if bool((drawn.round() != drawn).any()) else ["levels"]
    for name in names:
        values = scales[name]
        is_on_grid = bool(((values - values.round()).abs() <= GRID).all())
        if is_on_grid and float(values.round().min()) >= 0 and float(values.round().max()) <= top:
            return values.round().long(), ""
    if low < -1 or high > top + 1 or bool((drawn.round() == drawn).all()):
        return None, f"samples go from {low:g} to {high:g}, and levels from 0 to {top}"
    is_wide = top > 1 and high > 1
    scale = scales["levels" if is_wide else names[0]]
    off = (scale - scale.round()).abs() > GRID
    return None, (
        f"samples lie between levels, {int(off.sum()):,} of {off.numel():,} values: they were not "
        "rounded, so that the model is fed what it was never trained on"
    )


def _ranks(subject: Subject, levels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return of each drawn sub-pixel its share, its nats above the mean, if it is the top one, and that.

    The share, which is uniform, is the probability of all lower levels and a random part of its own.
    """
    generator = torch.Generator().manual_seed(11)
    shares, surplus, is_top, tops = [], [], [], []
    for some in levels.split(AT_ONCE):
        pmf = subject.log_pmf(some)
        p, own = pmf.exp(), some[..., None]
        mine = p.gather(-1, own)[..., 0]
        below = (p.cumsum(dim=-1).gather(-1, own)[..., 0] - mine).clamp(0, 1)
        part = torch.rand(mine.shape, generator=generator, dtype=torch.float64)
        shares.append((below + part * mine).clamp(0, 1).flatten())
        entropy = -(p * pmf.nan_to_num(neginf=0.0)).sum(dim=-1)
        surplus.append((-pmf.gather(-1, own)[..., 0] - entropy).flatten())
        best = p.amax(dim=-1)
        tops.append(best.flatten())
        is_top.append((mine == best).flatten())
    return torch.cat(shares), torch.cat(surplus), torch.cat(is_top), torch.cat(tops)
