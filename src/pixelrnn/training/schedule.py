"""The learning rate at each step: warm-up, then constant, a cosine to zero, or halving on plateaus."""

import math

from pixelrnn.training.tables import ScheduleTable


class LearningRate:
    """The factor by which the recipe's learning rate is multiplied.

    A pure function of step and progress, but for the plateau schedule, whose state is saved.

    Example:
        >>> rate = LearningRate(ScheduleTable(kind="cosine", warmup_steps=10))
        >>> rate.factor(step=4, progress=0.0), round(rate.factor(step=500, progress=0.5), 3)
        (0.5, 0.5)
    """

    def __init__(self, table: ScheduleTable) -> None:
        self._table = table
        self._plateau_factor = 1.0
        self._best = math.inf
        self._without_improvement = 0

    def factor(self, step: int, progress: float) -> float:
        """Return the factor for optimiser step `step` (from 0) at `progress` (0 to 1) of the run."""
        warmup = (
            min(1.0, (step + 1) / self._table.warmup_steps) if self._table.warmup_steps else 1.0
        )
        match self._table.kind:
            case "constant":
                return warmup
            case "cosine":
                return warmup * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
            case "plateau":
                return warmup * self._plateau_factor

    def observe(self, validation_bits_per_dim: float) -> None:
        """Note a validation result; on a plateau, reduce the rate from now on."""
        if validation_bits_per_dim < self._best:
            self._best = validation_bits_per_dim
            self._without_improvement = 0
            return
        self._without_improvement += 1
        if self._without_improvement > self._table.patience:
            self._plateau_factor *= self._table.factor
            self._without_improvement = 0

    def state_dict(self) -> dict[str, float]:
        """Return what `load_state_dict` needs to go on."""
        return {
            "plateau_factor": self._plateau_factor,
            "best": self._best,
            "without_improvement": self._without_improvement,
        }

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from a saved state."""
        self._plateau_factor = state["plateau_factor"]
        self._best = state["best"]
        self._without_improvement = int(state["without_improvement"])
