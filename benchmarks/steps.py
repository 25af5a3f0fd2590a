"""The steps of a training run without the loop around them: the recipe's own, and the plain version's."""

from typing import cast

import lightning
from torch import Tensor

from benchmarks.plain import PlainModel, plain
from pixelrnn.models import AutoregressiveModel
from pixelrnn.training.averaging import MovingAverage
from pixelrnn.training.module import TrainingModule
from pixelrnn.training.recipe import Recipe
from pixelrnn.training.schedule import LearningRate


class Steps:
    """The training steps of a recipe, each all that a run does for a batch, Lightning left out.

    Args:
        module: what is trained.
        images: the batch, the same in every step.

    Attributes:
        global_step: steps taken; callbacks ask for it as they ask Lightning's trainer.
        average: the moving average of the weights.
    """

    def __init__(self, module: TrainingModule, images: Tensor) -> None:
        self.module, self.recipe = module, module.recipe
        self.parts = images.split(len(images) // self.recipe.training.accumulate)
        self.optimizer = module.configure_optimizers()
        self.rate = LearningRate(self.recipe.schedule)
        self.global_step = 0
        self.average = MovingAverage(self.recipe.training.ema_decay)
        self.average.setup(self._trainer, module, "fit")

    @property
    def _trainer(self) -> lightning.Trainer:
        return cast(lightning.Trainer, self)

    def step(self) -> None:
        """Take one step.

        Raises:
            NonFiniteLossError: if loss or gradient are not finite.
        """
        factor = self.rate.factor(self.global_step, progress=0.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.optimizer.learning_rate * factor
        self.optimizer.zero_grad()
        for part in self.parts:
            loss = self.module.training_step(part, 0) / len(self.parts)
            loss.backward()
        self.module.configure_gradient_clipping(self.optimizer)
        self.optimizer.step()
        self.global_step += 1
        self.average.on_train_batch_end(self._trainer, self.module, None, None, 0)


class PlainTrainingModule(TrainingModule):
    """The plain version of a model in training: all but the loss is as for the model itself."""

    def __init__(self, model: AutoregressiveModel, recipe: Recipe) -> None:
        super().__init__(cast(AutoregressiveModel, plain(model)), recipe)

    def training_step(self, images: Tensor, _: int) -> Tensor:
        """Return the loss of a batch, uint8 `(B, C, H, W)`; see the base class."""
        loss = cast(PlainModel, self.model).loss(images)
        self._require_finite("loss", loss)
        return loss
