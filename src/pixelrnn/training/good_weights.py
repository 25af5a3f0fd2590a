"""The weights that a run folder holds: while training goes on the last that were seen to be good.

Weights may be finite and score NaN all the same, so good are those whose last validation was finite.
Before the first validation, and without images for it, they are those of the last checkpoint.

The weights of the best validation are kept too. Which of the two is the result, in `model.safetensors`, the
recipe says; where they differ, the others lie beside it. The best are also in the checkpoint, since what
lies in the folder after a kill may be of a validation that a run, taken up before it, has yet to reach.
"""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite, nan
from typing import Any, NamedTuple

from torch import Tensor

from pixelrnn.data import Images
from pixelrnn.errors import NonFiniteLossError, NonFiniteResultError
from pixelrnn.evaluation import conditioned, evaluate
from pixelrnn.models import AutoregressiveModel, store
from pixelrnn.stopping import Stop
from pixelrnn.training.job import Job
from pixelrnn.training.optimizers import MovingAverage
from pixelrnn.units import bits_per_dim

BATCH_SIZE = 50
BESIDE = {"last": "best.safetensors", "best": "last.safetensors"}  # by what is kept as the result


class Validation(NamedTuple):
    """One validation: what it found, and after which optimiser step."""

    bits_per_dim: float
    step: int


class GoodWeights:
    """Validates the averaged weights and keeps them if they are good.

    Args:
        job: the run.
        average: the averaged weights.

    Attributes:
        validations: all so far; the weights of the last are in the folder.
    """

    def __init__(self, job: Job, average: MovingAverage) -> None:
        self._job, self._average = job, average
        self.validations: list[Validation] = []
        self._best_step, self._best_weights = -1, dict[str, Tensor]()

    @property
    def best(self) -> Validation | None:
        """The one with the lowest bits/dim, the first of equal ones."""
        return min(self.validations, default=None)

    @property
    def _last_is_best(self) -> bool:
        return not self.validations or self.validations[-1] == self.best

    def validate(self, step: int) -> float:
        """Return bits/dim on the validation images, and keep the weights.

        Args:
            step: after which it is.

        Raises:
            NonFiniteLossError: if it is not finite.
            Stop: if a signal came.
        """
        result = self._validation_bits_per_dim(step)
        self.validations.append(Validation(result, step))
        if self._last_is_best:
            weights = self._average.model.state_dict()
            self._best_step = step
            self._best_weights = {key: value.cpu().clone() for key, value in weights.items()}
        if self._job.processes.is_first:
            self._write()
        return result

    def _validation_bits_per_dim(self, step: int) -> float:
        images = self._job.data.images("validation")
        rank, count = self._job.processes.rank, self._job.processes.count
        own = slice(len(images) * rank // count, len(images) * (rank + 1) // count)
        try:
            nats = self._nats("validation", own, self._job.signals.check)
        except Stop:
            nats = nan
        everyones = self._job.processes.share(nats, self._job.signals.number or 0)
        if signal := int(max(number for _, number in everyones)):
            raise Stop(signal)
        return self._finite(sum(nats for nats, _ in everyones), "validation", images, step)

    def save_unvalidated(self) -> None:
        """Keep the weights as they are if none were validated yet."""
        if not self.validations:
            store.save(self._average.model, self._job.run.path)

    def result(self) -> AutoregressiveModel:
        """Return the model that the recipe asks for, once the last step is done."""
        model = self._average.model.eval()
        if self._asks_for_another():
            self._write()  # the last are not in memory any more after the next line
            model.load_state_dict(self._best_weights)
        return model

    def save_result(self) -> dict[str, Any]:
        """Keep the weights for good; return what `result.json` says about both.

        Where there were no validations, nothing is said.
        """
        if self._asks_for_another():
            store.save(self._average.model, self._job.run.path)  # now the best, and calibrated
        else:
            self._write()
        if self.best is None:
            return {}
        both = {"last": self.validations[-1], "best": self.best}
        return {"kept": self._job.recipe.training.keep} | {
            name: {
                "image_presentations": self._job.presentations(found.step),
                "validation_bits_per_dim": found.bits_per_dim,
            }
            for name, found in both.items()
        }

    def _asks_for_another(self) -> bool:
        """Return whether the result is not the weights of the last step."""
        return self._job.recipe.training.keep == "best" and not self._last_is_best

    def _write(self) -> None:
        """Write the result, and the weights beside it where they differ; what is good is never lost."""
        folder, model = self._job.run.path, self._average.model
        keep = self._job.recipe.training.keep
        beside = folder / BESIDE[keep]
        if self._last_is_best or not self._best_weights:
            store.save(model, folder)
            if self._last_is_best:
                beside.unlink(missing_ok=True)
        elif keep == "last":
            store.save(model, folder, name=beside.name, weights=self._best_weights)
            store.save(model, folder)
        else:
            store.save(model, folder, weights=self._best_weights)
            store.save(model, folder, name=beside.name)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds: the best weights; the figures are in the metrics."""
        return {"step": self._best_step, "weights": self._best_weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the best weights; those of a checkpoint of an earlier version are not there."""
        self._best_step = state.get("step", -1)
        self._best_weights = dict(state.get("weights", {}))

    def recall(self, metrics: Iterable[Mapping[str, Any]]) -> None:
        """Take up the figures from the rows of the metrics."""
        self.validations = [
            Validation(float(row["validation_bits_per_dim"]), int(row["step"]))
            for row in metrics
            if row["validation_bits_per_dim"] not in (None, "")
        ]
        if self.best and self.best.step != self._best_step:
            self._best_weights = {}

    def say_where(self, step: int) -> str:
        """Return a sentence on where the good weights are, once the loss is no longer finite."""
        file = self._job.run.path / store.MODEL_FILE
        if not self.validations:
            split = "validation" if self._job.data.count("validation") else "train"
            some = slice(BATCH_SIZE)
            try:
                nats = self._nats(split, some)
                self._finite(nats, split, self._job.data.images(split)[some], step)
                self.save_unvalidated()
            except NonFiniteLossError:
                file.unlink(missing_ok=True)
                return "No weights before that were good, and none are kept"
        return f"The last good weights are in {file}"

    def _nats(
        self, split: str, chosen: slice, on_progress: Callable[[int], None] | None = None
    ) -> float:
        """Return what images cost with the averaged weights; NaN if that is not finite."""
        data = self._job.data
        model = conditioned(self._average.model, data, split, chosen)
        images = data.images(split)[chosen]
        try:
            found = evaluate(model, images, batch_size=BATCH_SIZE, on_progress=on_progress)
        except NonFiniteResultError:
            return nan
        return float(found.nats.sum())

    def _finite(self, nats: float, split: str, images: Images, step: int) -> float:
        """Return bits/dim of images that cost so much together."""
        if not isfinite(nats):
            raise NonFiniteLossError(
                f"bits/dim on {split} images are no longer finite at step {step:,}: lower "
                f"optimizer.learning_rate (now {self._job.recipe.optimizer.learning_rate:g})"
            )
        return bits_per_dim(nats, images.size)
