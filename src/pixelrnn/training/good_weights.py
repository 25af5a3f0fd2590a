"""The weights that a run folder holds while training goes on: the last that were seen to be good.

Weights may be finite and score NaN all the same, so good are those whose last validation was finite.
Before the first validation, and without images for it, they are those of the last checkpoint.
"""

from pixelrnn.data import DataSet
from pixelrnn.errors import NonFiniteLossError, NonFiniteResultError
from pixelrnn.evaluation import evaluate
from pixelrnn.models import store
from pixelrnn.stopping import Stopping
from pixelrnn.training.averaging import MovingAverage
from pixelrnn.training.recipe import Recipe
from pixelrnn.training.run_folder import RunFolder

BATCH_SIZE = 50


class GoodWeights:
    """Validates the averaged weights and keeps them if they are good.

    Args:
        run: where they are kept.
        recipe: what is trained.
        data: for its validation images, if there are any.
        average: the averaged weights.
        stopping: the signals that end a validation.

    Attributes:
        validated: whether the weights in the folder are those of a validation.
    """

    def __init__(
        self,
        run: RunFolder,
        recipe: Recipe,
        data: DataSet,
        average: MovingAverage,
        stopping: Stopping,
    ) -> None:
        self._run, self._recipe, self._data = run, recipe, data
        self._average, self._stopping = average, stopping
        self.validated = False

    def validate(self, step: int, *, alone: bool = True) -> float:
        """Return bits/dim on the validation images, and keep the weights.

        Args:
            step: after which it is.
            alone: whether a signal may end it; other processes would wait for ever.

        Raises:
            NonFiniteLossError: if it is not finite.
            Stop: if a signal came.
        """
        result = self._bits_per_dim("validation", None, step, alone=alone)
        store.save(self._average.model, self._run.path)
        self.validated = True
        return result

    def save_unvalidated(self) -> None:
        """Keep the weights as they are if none were validated yet."""
        if not self.validated:
            store.save(self._average.model, self._run.path)

    def say_where(self, step: int) -> str:
        """Return a sentence on where the good weights are, once the loss is no longer finite."""
        file = self._run.path / store.MODEL_FILE
        if not self.validated:
            split = "validation" if self._data.count("validation") else "train"
            try:
                self._bits_per_dim(split, BATCH_SIZE, step, alone=False)
                self.save_unvalidated()
            except NonFiniteLossError:
                file.unlink(missing_ok=True)
                return "No weights before that were good, and none are kept"
        return f"The last good weights are in {file}"

    def _bits_per_dim(self, split: str, count: int | None, step: int, *, alone: bool) -> float:
        try:
            return evaluate(
                self._average.model,
                self._data.images(split)[:count],
                batch_size=BATCH_SIZE,
                on_progress=self._stopping.check if alone else None,
            ).bits_per_dim
        except NonFiniteResultError as error:
            raise NonFiniteLossError(
                f"bits/dim on {split} images are no longer finite at step {step:,}: lower "
                f"optimizer.learning_rate (now {self._recipe.optimizer.learning_rate:g})"
            ) from error
