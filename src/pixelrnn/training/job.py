"""What all parts of a run in progress know about it."""

from dataclasses import dataclass

from rich.console import Console

from pixelrnn.data import DataSet
from pixelrnn.models import LABELS
from pixelrnn.runs import RunFolder
from pixelrnn.stopping import Stopping
from pixelrnn.training.progress import say_on
from pixelrnn.training.recipe import Recipe
from pixelrnn.training.together import Processes


@dataclass(frozen=True)
class Job:
    """A run in progress.

    Attributes:
        run: its folder.
        recipe: what is trained, for the data at hand.
        data: the images.
        processes: that train together.
        signals: that ask them to end.
        console: where the first of them shows progress.
    """

    run: RunFolder
    recipe: Recipe
    data: DataSet
    processes: Processes
    signals: Stopping
    console: Console

    @property
    def label(self) -> str:
        """What the model is called."""
        return LABELS[self.recipe.model.kind]

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.recipe.training.total_steps(self.data.count("train"))

    def presentations(self, steps: int) -> int:
        """Return how many images so many steps show."""
        return steps * self.recipe.training.batch_size

    def say(self, text: str) -> None:
        """Show a line."""
        say_on(self.console, text)
