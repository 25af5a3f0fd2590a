"""What moved, judged: a leak or rounding, with its name and the smallest counterexample."""

import torch

from pixelrnn.auditing import naming
from pixelrnn.auditing.dependence import Dependence
from pixelrnn.auditing.findings import FAILS, HOLDS, UNTOLD, Finding, Verdict
from pixelrnn.auditing.probing import Moves, Probe
from pixelrnn.auditing.subject import Subject
from pixelrnn.ordering import Place
from pixelrnn.wording import counted, joined

ROUNDING = 1024.0  # units in the last place of the largest parameter: more is no rounding
ROUNDING_EXACT = 1e4  # the same in float64
SHRINKS, TINY = 1e-4, 1e-9  # rounding in float64, of that in float32 and of the largest parameter
SLIGHT = 1e-5  # of the largest parameter


def as_it_is(probe: Probe, moves: Moves, dependence: Dependence, exact: Moves | str) -> Finding:
    """Judge what moved in the model as it is: a leak, or rounding?"""
    total = probe.order.positions.size
    covered = f"{len(moves.steps):,} of {counted(total, 'position')} by changing all from there on"
    covered += f", {len(dependence.steps):,} by changing one alone"
    if not moves.leak:
        if not moves.allowed:
            return Finding(
                "causal",
                UNTOLD,
                "nothing that was changed moves any output, neither earlier nor later: are its last "
                "weights still zero? Audit it with trained weights",
                covered,
            )
        return Finding("causal", HOLDS, _nothing_used(probe.subject), covered)
    verdict, why = _leak_or_rounding(moves, exact)
    if verdict != FAILS:
        return Finding("causal", verdict, why, covered)
    text = naming.in_words(dependence)
    if order := naming.other_order(dependence):
        text = (
            f"not in this order, but in another: {order}. If that is meant, say so with the order; "
            f"else {text}"
        )
    return Finding("causal", FAILS, f"{text}{why}", covered, _counterexample(probe, dependence))


def _nothing_used(subject: Subject) -> str:
    """Return in words that nothing is used that must not be, and what could hide it."""
    text = "no output uses what comes at or after it"
    if subject.layout.is_score:
        text = "no score uses what comes after it; whether it sees its own level, its sums show"
    zero = [
        name
        for module in subject.modules
        for name, weight in module.named_parameters()
        if weight.ndim > 1 and not weight.any()
    ]
    if zero:
        text += (
            f"; but {joined(zero[:3])}, all zero, hides what goes through it: audit trained weights"
        )
    return text


def _leak_or_rounding(moves: Moves, exact: Moves | str) -> tuple[Verdict, str]:
    """Return whether what moved is a leak, and in words by how much it did."""
    size = f"by {moves.leak:.2g} where {moves.scale:.2g} is the largest"
    leaks = f"; outputs move {size}"
    if moves.leak <= SLIGHT * moves.scale:
        leaks += ", so little as through a mask by a finite number"
    if isinstance(exact, Moves):
        if exact.leak <= SHRINKS * moves.leak and exact.leak <= TINY * exact.scale:
            why = (
                f"outputs that must not move do, {size}; in float64 by {exact.leak:.1g}: rounding, no "
                "leak"
            )
            return HOLDS, why
        return FAILS, leaks
    if moves.leak > ROUNDING * torch.finfo(torch.float32).eps * moves.scale:
        return FAILS, leaks
    why = (
        f"outputs that must not move do, {size}: a leak or rounding, which float64 would tell; but "
        f"{exact}"
    )
    return UNTOLD, why


def _counterexample(probe: Probe, dependence: Dependence) -> dict[str, object] | None:
    """Return the nearest pair of positions of which one uses the other and must not, and by how much."""
    pair = dependence.smallest()
    if pair is None:
        return None
    here, other = pair
    step = int(probe.order.positions[other.channel, other.row, other.column])
    with probe.subject.under(), torch.no_grad():
        best = 0.0
        for image in probe.images:
            _, moved = probe.alone([step], image, lambda: True)
            best = max(best, float(moved[0, here.channel, here.row, here.column]))
    return {
        "position": _words(here),
        "uses": _words(other),
        "moves_by": float(f"{best:.3g}"),
        "what": "the largest change of one of its parameters, such as a logit",
    }


def _words(place: Place) -> str:
    return f"row {place.row}, column {place.column}, colour {place.channel}"


def in_float64(exact: Moves, moves: Moves) -> Finding:
    """Judge what moved in float64, beside what moved before."""
    covered = counted(len(exact.steps), "position")
    limit = ROUNDING_EXACT * torch.finfo(torch.float64).eps * exact.scale
    if exact.leak <= max(limit, min(SHRINKS * moves.leak, TINY * exact.scale)):
        tail = f", but for rounding ({exact.leak:.1g})" if exact.leak else ""
        return Finding(
            "causal in float64", HOLDS, f"no output uses what comes later{tail}", covered
        )
    also = "" if moves.leak else ", too little for float32 to see: a mask by a finite number?"
    return Finding(
        "causal in float64",
        FAILS,
        f"outputs that must not move do, by {exact.leak:.2g}{also}",
        covered,
    )


def in_bfloat16(found: Moves | str, verdict: Verdict) -> Finding:
    """Judge what moved in bfloat16, or why it does not run; `verdict` is that of the model as it is."""
    check = "causal in bfloat16"
    if isinstance(found, str):
        return Finding(check, UNTOLD, found)
    covered = counted(len(found.steps), "position")
    if not found.leak:
        return Finding(check, HOLDS, "no output uses what comes later", covered)
    text = (
        f"outputs that must not move do, by {found.leak:.2g} where {found.scale:.2g} is the largest"
    )
    if verdict == FAILS:
        return Finding(check, FAILS, text, covered)
    return Finding(check, UNTOLD, f"{text}: rounding, or a mask that bfloat16 cannot hold", covered)


def in_training(probe: Probe, found: Moves | str, dtype: torch.dtype | None) -> Finding:
    """Judge what moved in training mode, in a precision, or why it does not run."""
    check = "causal in training mode"
    if isinstance(found, str):
        return Finding(check, UNTOLD, found)
    covered = counted(len(found.steps), "position")
    within = ROUNDING if dtype is None else ROUNDING_EXACT
    if found.leak <= within * torch.finfo(dtype or torch.float32).eps * found.scale:
        return Finding(check, HOLDS, "no output uses what comes later, dropout held fixed", covered)
    names = normalising(probe.subject)
    if names:
        return Finding(
            check,
            FAILS,
            f"{joined(names)} normalises over the batch: all positions and all images mix, so that a "
            "loss in training mode is no likelihood",
            covered,
        )
    return Finding(check, FAILS, f"outputs that must not move do, by {found.leak:.2g}", covered)


def normalising(subject: Subject) -> list[str]:
    """Return the layers that normalise over the images of a batch, by name and class."""
    return [
        f"{name} ({type(layer).__name__})"
        for module in subject.modules
        for name, layer in module.named_modules()
        if isinstance(layer, torch.nn.modules.batchnorm._NormBase)
        and hasattr(layer, "momentum")
        and "Instance" not in type(layer).__name__
    ][:3]
