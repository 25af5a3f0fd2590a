"""The steps of a training run without what is between them: the recipe's own, and the plain version's."""

from typing import cast

from lightning_fabric import Fabric
from torch import Tensor

from benchmarks.plain import PlainModel, plain
from pixelrnn.models import AutoregressiveModel
from pixelrnn.training.batches import Batch
from pixelrnn.training.devices import make_fabric, quiet
from pixelrnn.training.loop import Trainee
from pixelrnn.training.recipe import Recipe


class Steps:
    """The training steps of a recipe, each all that a run does for a batch, on the recipe's device.

    Args:
        model: what is trained.
        recipe: how.
        images: the batch, the same in every step.

    Attributes:
        trainee: takes the steps.
        parts: the batch, in the portions that the recipe asks for.
    """

    def __init__(self, model: AutoregressiveModel, recipe: Recipe, images: Tensor) -> None:
        fabric = make_fabric(recipe.training, lambda _: None)
        with quiet():
            fabric.launch()
        self.trainee = self.trained(model, recipe, fabric)
        portions = images.split(len(images) // recipe.training.accumulate)
        self.parts = [Batch(each) for each in portions]

    @staticmethod
    def trained(model: AutoregressiveModel, recipe: Recipe, fabric: Fabric) -> Trainee:
        """Return the model in training."""
        return Trainee(model, recipe, fabric)

    def step(self) -> None:
        """Take one step.

        Raises:
            NonFiniteLossError: if loss or gradient are not finite.
        """
        self.trainee.step(self.parts)


class PlainSteps(Steps):
    """The training steps of the plain version of a model: all but the loss is as for the model itself."""

    @staticmethod
    def trained(model: AutoregressiveModel, recipe: Recipe, fabric: Fabric) -> Trainee:
        """Return the plain version in training; see the base class."""
        return _PlainTrainee(cast(AutoregressiveModel, plain(model)), recipe, fabric)


class _PlainTrainee(Trainee):
    def loss(self, batch: Batch) -> Tensor:
        """Return what is made small; see the base class."""
        return cast(PlainModel, self.model).loss(batch.images)
