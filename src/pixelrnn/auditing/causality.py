"""Does a model use what comes later? By changing what it is given, in several precisions and both modes."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from pixelrnn.auditing import naming
from pixelrnn.auditing.clock import Clock
from pixelrnn.auditing.dependence import Dependence
from pixelrnn.auditing.findings import FAILS, HOLDS, UNTOLD, Finding, Verdict
from pixelrnn.auditing.order import Order
from pixelrnn.auditing.probing import Moves, Probe
from pixelrnn.auditing.subject import Subject
from pixelrnn.errors import SubjectError
from pixelrnn.ordering import Place
from pixelrnn.wording import counted, joined

SHARES = {"later": 0.3, "alone": 0.3, "once more": 0.05}  # of the time
FEW = 96  # positions, once more in another precision or mode
MAX_CELLS = 1 << 27  # of all that could depend on all
ROUNDING = 1024.0  # units in the last place of the largest parameter: more is no rounding
SHRINKS, TINY = (
    1e-4,
    1e-9,
)  # what rounding becomes in float64: against float32, against the parameters
SLIGHT = 1e-5  # of the largest parameter


@dataclass
class Looked:
    """What looking for leaks gave.

    Attributes:
        findings: a finding for each way of looking.
        dependence: which positions depend on which.
    """

    findings: list[Finding] = field(default_factory=list)
    dependence: Dependence | None = None


def look(probe: Probe, clock: Clock, generator: torch.Generator) -> Looked:
    """Look for leaks: in the model as it is, in other precisions, and in training mode."""
    subject = probe.subject
    with subject.under(), torch.no_grad():
        moves = _all_later(probe, clock, generator)
        dependence = _each_alone(probe, clock, generator, moves)
    few = _few(probe.order, generator)
    exact = _once_more(probe, few, clock, torch.float64)
    first = _as_it_is(probe, moves, dependence, exact)
    if first.verdict != FAILS and moves.leak:  # rounding: it says nothing of what is used
        probe.noise = moves.leak
        with subject.under(), torch.no_grad():
            dependence = _each_alone(probe, clock, generator, Moves())
    looked = Looked([first], dependence)
    is_exact = isinstance(exact, Moves)
    if isinstance(exact, Moves):
        looked.findings.append(_in_float64(exact, moves))
    elif subject.modules:
        looked.findings.append(Finding("causal in float64", UNTOLD, exact))
    if subject.modules:
        looked.findings.append(
            _in_bfloat16(_once_more(probe, few, clock, torch.bfloat16), first.verdict)
        )
        dtype = torch.float64 if is_exact else None
        looked.findings.append(
            _in_training(probe, _once_more(probe, few, clock, dtype, training=True), dtype)
        )
    return looked


def _all_later(probe: Probe, clock: Clock, generator: torch.Generator) -> Moves:
    total = probe.order.positions.size
    ends = [0, total - 1] if total > 1 else [0]
    inner = (torch.randperm(max(0, total - 2), generator=generator) + 1).tolist()
    moves = probe.later([*ends, *inner], probe.images[0], clock.until(SHARES["later"]))
    return moves


def _each_alone(probe: Probe, clock: Clock, generator: torch.Generator, moves: Moves) -> Dependence:
    """Change each position alone, on one image and then on another."""
    total = probe.order.positions.size
    most = min(total, MAX_CELLS // max(1, probe.own.numel()))
    steps = torch.randperm(total, generator=generator)[:most].tolist()
    found: Dependence | None = None
    for image in probe.images[:2]:
        done, moved = probe.alone(steps, image, clock.until(SHARES["alone"] / 2))
        forbidden = probe.forbidden(torch.tensor(done))
        one = Dependence(probe.order, done, moved > 0, forbidden)
        if found is None:
            found = one
        elif len(one.steps) <= len(found.steps):
            found = found.merged(one)
    assert found is not None
    if moves.leak > 0 and not found.leaks.any() and moves.leaking is not None:
        return _halved(probe, moves.leaking, found)
    return found


def _halved(probe: Probe, leaking: Tensor, found: Dependence) -> Dependence:
    """Add what one position that leaks depends on, found by halving what is changed together."""
    places = leaking.nonzero()
    group, row, column = places[len(places) // 2].tolist()
    own = int(probe.own[group, row, column])
    later = list(range(own, probe.order.positions.size))
    steps = probe.depends_on((group, row, column), later, probe.images[0])
    moved = torch.zeros(len(steps), *probe.own.shape, dtype=torch.bool)
    moved[:, group, row, column] = True
    return Dependence(
        probe.order,
        found.steps + steps,
        torch.cat([found.moved, moved]),
        torch.cat([found.forbidden, probe.forbidden(torch.tensor(steps, dtype=torch.int64))]),
    )


def _few(order: Order, generator: torch.Generator) -> list[int]:
    total = order.positions.size
    if total <= FEW:
        return list(range(total))
    some: list[int] = torch.randperm(total, generator=generator)[: FEW - 2].tolist()
    return [0, total - 1, *some]


def _once_more(
    probe: Probe,
    steps: list[int],
    clock: Clock,
    dtype: torch.dtype | None = None,
    *,
    training: bool = False,
) -> Moves | str:
    """Look at some positions in another precision or mode; or return why that cannot be."""
    try:
        with probe.subject.under(dtype, training=training), torch.no_grad():
            other = Probe(
                probe.subject, probe.order, probe.images, probe.noise, is_alone=probe.is_alone
            )
            return other.later(steps, probe.images[0], clock.until(SHARES["once more"]))
    except SubjectError as error:
        return f"it does not run so: {error}"


def _as_it_is(probe: Probe, moves: Moves, dependence: Dependence, exact: Moves | str) -> Finding:
    """Judge what moved in the model as it is: a leak, or rounding?"""
    total = probe.order.positions.size
    covered = f"{len(moves.steps):,} of {counted(total, 'position')} by changing all from there on"
    covered += f", {len(dependence.steps):,} by changing one alone"
    leak = max(moves.leak, 1.0 if dependence.leaks.any() and not moves.leak else 0.0)
    if not leak:
        if not moves.allowed:
            return Finding(
                "causal",
                UNTOLD,
                "nothing that was changed moves any output, neither earlier nor later: are its "
                "last weights "
                "still zero? Audit it with trained weights",
                covered,
            )
        return Finding("causal", HOLDS, _nothing_used(probe.subject), covered)
    verdict, why = _leak_or_rounding(moves, exact)
    if verdict != FAILS:
        return Finding("causal", verdict, why, covered)
    names = naming.names_of(dependence)
    text = f"it uses {joined(names)}" if names else "it uses what comes later"
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
        "moves_by": best,
        "what": "the largest change of one of its parameters, such as a logit",
    }


def _words(place: Place) -> str:
    return f"row {place.row}, column {place.column}, colour {place.channel}"


def _in_float64(exact: Moves, moves: Moves) -> Finding:
    covered = counted(len(exact.steps), "position")
    limit = 1e4 * torch.finfo(torch.float64).eps * exact.scale
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


def _in_bfloat16(found: Moves | str, verdict: Verdict) -> Finding:
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


def _in_training(probe: Probe, found: Moves | str, dtype: torch.dtype | None) -> Finding:
    check = "causal in training mode"
    if isinstance(found, str):
        return Finding(check, UNTOLD, found)
    covered = counted(len(found.steps), "position")
    within = ROUNDING if dtype is None else 1e4
    if found.leak <= within * torch.finfo(dtype or torch.float32).eps * found.scale:
        return Finding(check, HOLDS, "no output uses what comes later, dropout held fixed", covered)
    names = normalising(probe.subject)
    if names:
        return Finding(
            check,
            FAILS,
            f"{joined(names)} normalises over the batch: all positions and all images mix, so "
            "that a loss in "
            "training mode is no likelihood",
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
