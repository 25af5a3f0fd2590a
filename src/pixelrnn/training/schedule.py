"""The learning rate at each step: warm-up, then constant, a cosine to zero, or halving on plateaus."""

import math
from collections.abc import Iterable

from pixelrnn.training.tables import ScheduleTable


def rate_factor(
    table: ScheduleTable, step: int, progress: float, validations: Iterable[float] = ()
) -> float:
    """Return the factor by which the recipe's learning rate is multiplied.

    Args:
        table: the schedule.
        step: the optimiser step, from 0.
        progress: how much of the run is done, from 0 to 1.
        validations: the results so far, in bits/dim.

    Example:
        >>> table = ScheduleTable(kind="cosine", warmup_steps=10)
        >>> rate_factor(table, step=4, progress=0.0), round(rate_factor(table, 500, 0.5), 3)
        (0.5, 0.5)
    """
    warmup = min(1.0, (step + 1) / table.warmup_steps) if table.warmup_steps else 1.0
    match table.kind:
        case "constant":
            return warmup
        case "cosine":
            return warmup * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        case "plateau":
            return warmup * _after_plateaus(table, validations)


def _after_plateaus(table: ScheduleTable, validations: Iterable[float]) -> float:
    factor, best, without_improvement = 1.0, math.inf, 0
    for result in validations:
        without_improvement = 0 if result < best else without_improvement + 1
        best = min(best, result)
        if without_improvement > table.patience:
            factor, without_improvement = factor * table.factor, 0
    return factor
