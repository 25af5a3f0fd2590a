"""The derivative of outputs by inputs: exactly zero for all that comes later, where there is one."""

from dataclasses import replace

import torch
from torch import Tensor

from pixelrnn.auditing.findings import FAILS, HOLDS, UNTOLD, Finding
from pixelrnn.auditing.layouts import LOGITS
from pixelrnn.auditing.probing import Probe
from pixelrnn.auditing.subject import Subject
from pixelrnn.errors import SubjectError
from pixelrnn.wording import counted

CHECK = "Jacobian"
POSITIONS = 16
NO_GRADIENT = "no gradient comes back to its inputs, which it may turn into integers"
ROUNDING = 1024.0  # units in the last place of the largest derivative


def look(probe: Probe, generator: torch.Generator, *, causal: bool) -> Finding:
    """Differentiate outputs at some positions by all inputs, in float64 where that runs.

    Args:
        probe: the subject and an image.
        generator: chooses the positions, and how their outputs are added up.
        causal: whether nothing leaked by changes.
    """
    forms = [form for form in (probe.subject.form, *probe.subject.other_forms) if form.is_float]
    if probe.subject.layout.is_score or not forms or forms[0].as_array:
        return Finding(CHECK, UNTOLD, f"there is no derivative by {probe.subject.form}")
    subject = replace(probe.subject, form=forms[0])
    count = min(POSITIONS, probe.own.numel())
    places = torch.randperm(probe.own.numel(), generator=generator)[:count]
    found: Tensor | None = None
    problem = ""
    for dtype in (torch.float64, None):
        try:
            with subject.under(dtype), torch.enable_grad():
                found = _gradients(subject, probe, places, generator)
            break
        except (SubjectError, RuntimeError) as error:
            problem = problem or str(error).partition("\n")[0]
    if found is None:
        return Finding(CHECK, UNTOLD, f"it cannot be differentiated: {problem}")
    return _judged(probe, places, found, causal=causal)


def _gradients(
    subject: Subject, probe: Probe, places: Tensor, generator: torch.Generator
) -> Tensor:
    """Return how the output at each place, added up at random, changes with each input, `(n, C, H, W)`."""
    inputs = (
        subject.encode(probe.images[:1].expand(len(places), -1, -1, -1)).detach().requires_grad_()
    )
    parameters = _differentiable(subject, inputs, len(places))
    weights = torch.randn(parameters.shape[2], generator=generator).to(parameters)
    if subject.layout.kind == LOGITS:  # what is added to all of them changes nothing
        weights = weights - weights.mean()
    sums = (parameters * weights[None, None, :, None, None]).sum(dim=2).flatten(1)
    total = sums[torch.arange(len(places)), places].sum()
    (gradient,) = torch.autograd.grad(total, inputs, allow_unused=True)
    if gradient is None:
        raise RuntimeError(NO_GRADIENT)
    return subject.form.unfold(gradient.cpu(), subject.sizes(len(places)))


def _differentiable(subject: Subject, inputs: Tensor, count: int) -> Tensor:
    parameters = subject.read(subject.output(inputs), count)
    if not parameters.requires_grad:
        raise RuntimeError(NO_GRADIENT)
    return parameters


def _judged(probe: Probe, places: Tensor, found: Tensor, *, causal: bool) -> Finding:
    covered = f"{counted(len(places), 'position')}, by every input"
    sizes = found.abs()
    if sizes.isnan().any():
        return Finding(CHECK, UNTOLD, "a derivative is not a number", covered)
    largest = float(sizes.max())
    if largest == 0:
        return Finding(
            CHECK,
            UNTOLD,
            "all derivatives are zero: its inputs are rounded or cut off inside",
            covered,
        )
    own = probe.own.flatten()[places][:, None, None, None]
    order = probe.order.tensor
    if probe.groups < len(
        order
    ):  # of a whole pixel: its colours are coupled, and looked at by changes
        own = torch.where(order.amin(dim=0) == own, order.max() + 1, own)
        later = (order > own) | (
            order.amin(dim=0) > probe.own.flatten()[places][:, None, None, None]
        )
    else:
        later = order >= own
    leak = float((sizes * later).max())
    if leak <= ROUNDING * torch.finfo(found.dtype).eps * largest:
        exact = (
            "exactly zero"
            if leak == 0
            else f"zero but for rounding ({leak / largest:.1g} of the largest)"
        )
        return Finding(
            CHECK, HOLDS, f"the derivatives by all that comes later are {exact}", covered
        )
    text = f"a derivative by what comes later is {leak:.2g} where {largest:.2g} is the largest"
    if causal:
        text += "; but nothing that was changed moves its outputs: is the derivative not its own?"
    return Finding(CHECK, UNTOLD if causal else FAILS, text, covered)
