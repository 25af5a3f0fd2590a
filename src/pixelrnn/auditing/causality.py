"""Does a model use what comes later? By changing what it is given, in several precisions and both modes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixelrnn.auditing import judging
from pixelrnn.auditing.clock import Clock
from pixelrnn.auditing.dependence import Dependence
from pixelrnn.auditing.findings import FAILS, UNTOLD, Finding
from pixelrnn.auditing.order import Order
from pixelrnn.auditing.probing import Moves, Probe
from pixelrnn.errors import SubjectError
from pixelrnn.ordering import place_low_in_the_middle

SHARES = {"later": 0.5, "alone": 0.4, "once more": 0.2}  # of the time that is left
FEW, FEW_LEAKING = 96, 32  # positions, once more in another precision or mode
MAX_CELLS = 1 << 25  # of all that could depend on all


@dataclass
class Looked:
    """What looking for leaks gave.

    Attributes:
        findings: a finding for each way of looking.
        dependence: which positions depend on which.
    """

    findings: list[Finding]
    dependence: Dependence


def look(probe: Probe, clock: Clock, generator: torch.Generator) -> Looked:
    """Look for leaks: in the model as it is, in other precisions, and in training mode."""
    subject = probe.subject
    with subject.under(), torch.no_grad():
        moves = _all_later(probe, clock, generator)
        dependence = _each_alone(probe, clock, moves)
    few = _few(moves, probe.order.positions.size, generator)
    exact = _once_more(probe, few, clock, torch.float64)
    first = judging.as_it_is(probe, moves, dependence, exact)
    if first.verdict != FAILS and moves.leak:  # rounding: it says nothing of what is used
        probe.noise = moves.leak
        with subject.under(), torch.no_grad():
            dependence = _each_alone(probe, clock, Moves())
    findings = [first]
    if isinstance(exact, Moves):
        findings.append(judging.in_float64(exact, moves))
    elif subject.modules:
        findings.append(Finding("causal in float64", UNTOLD, exact))
    if subject.modules:
        half = _once_more(probe, few, clock, torch.bfloat16)
        findings.append(judging.in_bfloat16(half, first.verdict))
        dtype = torch.float64 if isinstance(exact, Moves) else None
        training = _once_more(probe, few, clock, dtype, training=True)
        findings.append(judging.in_training(probe, training, dtype))
    return Looked(findings, dependence)


def _all_later(probe: Probe, clock: Clock, generator: torch.Generator) -> Moves:
    total = probe.order.positions.size
    ends = [0, total - 1] if total > 1 else [0]
    inner = (torch.randperm(max(0, total - 2), generator=generator) + 1).tolist()
    moves = probe.later([*ends, *inner], probe.images[0], clock.until(SHARES["later"]))
    return moves


def _each_alone(probe: Probe, clock: Clock, moves: Moves) -> Dependence:
    """Change each position alone, on one image and then on another."""
    total = probe.order.positions.size
    most = min(total, MAX_CELLS // max(1, probe.own.numel()))
    steps = _from_the_middle(probe.order)[:most]
    found: Dependence | None = None
    for image in probe.images[:2]:
        done, moved = probe.alone(steps, image, clock.until(SHARES["alone"]))
        forbidden = probe.forbidden(torch.tensor(done))
        moves.add(done, moved * forbidden)
        one = Dependence(probe.order, done, moved > 0, forbidden)
        if found is None:
            found = one
        elif len(one.steps) <= len(found.steps):
            found = found.merged(one)
    assert found is not None
    if moves.leak > 0 and not found.leaks.any() and moves.leaking is not None:
        return _halved(probe, moves.leaking, found)
    return found


def _from_the_middle(order: Order) -> list[int]:
    """Return all positions, those first that are near the one that is drawn, low in the middle."""
    _, rows, columns = np.indices(order.positions.shape)
    here = place_low_in_the_middle(*order.positions.shape)
    away = np.maximum(np.abs(rows - here.row), np.abs(columns - here.column))
    steps: list[int] = order.positions.reshape(-1)[away.reshape(-1).argsort(kind="stable")].tolist()
    return steps


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


def _few(moves: Moves, total: int, generator: torch.Generator) -> list[int]:
    """Return the positions to look at once more: all, or some where it leaks, the ends, and others."""
    if total <= FEW:
        return list(range(total))
    some: list[int] = torch.randperm(total, generator=generator).tolist()
    leaking = sorted(moves.leaking_steps)[:: 1 + len(moves.leaking_steps) // FEW_LEAKING]
    return list(dict.fromkeys([*leaking, 0, total - 1, *some]))[:FEW]


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
            found = other.later(steps, probe.images[0], clock.until(SHARES["once more"]))
            if dtype is not None and other.dtype != dtype and found.leak:
                return f"its outputs stay {str(other.dtype).removeprefix('torch.')}"
            return found
    except SubjectError as error:
        return f"it does not run so: {error}"
