"""The distribution of a sub-pixel in the compiled loop: of each likelihood, and guided from one to another.

A guided program (`graph/guidance.py`) has the parameters of two distributions of one kind, p of images of a
label and, behind them, u of images of none, and draws from

    q(v) = p(v)^(1 + w) u(v)^-w / constant

which is a softmax of (1 + w) log p(v) - w log u(v). The logarithms of both frequencies are computed of all
levels, in integers, whatever the likelihood; from there on all is that of `likelihoods/categorical.py`.
"""

from typing import Any

import numpy as np
from numba import carray, njit  # type: ignore[attr-defined]

from pixelrnn.graph.curves import LOGIT_STEP_BITS
from pixelrnn.graph.program import Program
from pixelrnn.likelihoods import LIKELIHOODS, likelihood_of
from pixelrnn.likelihoods.categorical import (
    categorical_bounds,
    categorical_factor,
    categorical_search,
)
from pixelrnn.likelihoods.exponentials import exponentials
from pixelrnn.operations.tables import SPEC_GUIDANCE, SPEC_GUIDED_KIND, SPEC_PARAMETERS
from pixelrnn.stepper.choosing import chosen_by_code
from pixelrnn.units import NATS_PER_BIT

whole: Any = np.int64  # in compiled code, Python's integers mixed with numpy's

GUIDANCE_BITS = 10  # behind the point of w
LOG_BITS = 16  # behind the point of a logarithm
MANTISSA_BITS = 30
NAT_BITS = 20
NATS = round(NATS_PER_BIT * (1 << NAT_BITS))
TO_LOGIT = LOG_BITS + NAT_BITS - LOGIT_STEP_BITS

KINDS = list(LIKELIHOODS)
GUIDED = len(KINDS)  # the code of what is guided, whatever kind it is of

_compiled = [config().build(1, 2).compiled for config in LIKELIHOODS.values()]
_prepare, _, _, _update, _frequencies = map(chosen_by_code, zip(*_compiled, strict=True))


def code_of(program: Program) -> int:
    """Return the code by which the loop knows the distribution of a program."""
    likelihood = program.likelihood
    if likelihood is None:
        raise ValueError("an unfinished program has no likelihood")
    return KINDS.index(likelihood.kind) if likelihood.guidance is None else GUIDED


def guidance_of(program: Program) -> tuple[int, int]:
    """Return the code of what is guided, and how far, in parts of 2^-10; zeros where nothing is."""
    likelihood = program.likelihood
    if likelihood is None or likelihood.guidance is None:
        return 0, 0
    return KINDS.index(likelihood.kind), round(likelihood.guidance * (1 << GUIDANCE_BITS))


def room_of(program: Program) -> int:
    """Return how many numbers each of the four memories of `RunState.room` has for a program."""
    likelihood = likelihood_of(program)
    if code_of(program) != GUIDED:
        return likelihood.num_parameters
    return 2 * likelihood.num_parameters + program.num_levels


@njit(error_model="numpy")
def log2(number: int) -> int:
    """Return the logarithm to base 2 of a number from 1 to 2^24, in parts of 2^-16, rounded down.

    A mantissa m, 1 <= m < 2, is squared for each bit: where m^2 >= 2, log2(m) >= 1 / 2.
    """
    result = whole(0)
    while number >> (result + 1):
        result += 1
    mantissa = whole(number) << (MANTISSA_BITS - result)
    for _ in range(LOG_BITS):
        mantissa = (mantissa * mantissa) >> MANTISSA_BITS
        doubled = mantissa >> (MANTISSA_BITS + 1)
        mantissa >>= doubled
        result = 2 * result + doubled
    return int(result)


@njit(error_model="numpy")
def _count(work: Any) -> int:
    """Return how many parameters one of the two distributions has."""
    count: int = work.spec[SPEC_PARAMETERS + 2] // 2
    return count


@njit(error_model="numpy")
def _exchange(work: Any, count: int) -> None:
    """Have the other distribution lie where the functions of a likelihood look for theirs."""
    for memory in (work.weights, work.means, work.inverse_scales, work.residuals):
        for k in range(count):
            memory[k], memory[count + k] = memory[count + k], memory[k]


@njit(error_model="numpy")
def _guided_prepare(
    work: Any, at: int, channel: int, channels: int, levels: int, components: int
) -> None:
    kind, guidance = work.spec[SPEC_GUIDED_KIND], work.spec[SPEC_GUIDANCE]
    count = _count(work)
    first = 2 * count
    logits = carray(work.weights, (first + levels,))[first:]
    untold = carray(work.means, (first + levels,))[first:]
    _prepare(kind, (work, at, channel, channels, levels, components))
    _frequencies(kind, (work, levels, components, logits))
    _exchange(work, count)
    _prepare(kind, (work, at + count, channel, channels, levels, components))
    _frequencies(kind, (work, levels, components, untold))
    _exchange(work, count)
    for v in range(levels):
        log_p, log_u = log2(logits[v]), log2(untold[v])
        of_both = log_p + ((guidance * (log_p - log_u)) >> GUIDANCE_BITS)
        logits[v] = (of_both * NATS + (1 << (TO_LOGIT - 1))) >> TO_LOGIT
    total = exponentials(logits, 0, levels, work.exponential, logits)
    work.residuals[first] = categorical_factor(total, levels)


@njit(error_model="numpy")
def _guided_bounds(work: Any, level: int, levels: int, components: int) -> tuple[int, int]:
    first = 2 * _count(work)
    exponents = carray(work.weights, (first + levels,))[first:]
    return categorical_bounds(level, levels, exponents, work.residuals[first])


@njit(error_model="numpy")
def _guided_search(work: Any, target: int, levels: int, components: int) -> tuple[int, int, int]:
    first = 2 * _count(work)
    exponents = carray(work.weights, (first + levels,))[first:]
    return categorical_search(target, levels, exponents, work.residuals[first])


@njit(error_model="numpy")
def _guided_update(work: Any, level: int, channel: int, levels: int, components: int) -> None:
    kind, count = work.spec[SPEC_GUIDED_KIND], _count(work)
    for _ in range(2):
        _update(kind, (work, level, channel, levels, components))
        _exchange(work, count)


_guided = _guided_prepare, _guided_bounds, _guided_search, _guided_update
prepare, bounds, search, update = (
    chosen_by_code([*of_kinds, of_guided])
    for of_kinds, of_guided in zip(zip(*_compiled, strict=True), _guided, strict=False)
)
