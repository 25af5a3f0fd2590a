"""What a person sees while a model trains: one bar with bits/dim, speed and the time left."""

from datetime import datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pixelrnn.untrusted import printable
from pixelrnn.wording import duration, two_digits


def say_on(console: Console, text: str) -> None:
    """Print a line on a console, with nothing in it that a terminal, or the console, obeys."""
    console.print(printable(text), highlight=False, markup=False, soft_wrap=True)


class TrainingProgress(Progress):
    """A progress bar on a terminal; elsewhere, a line for every validation.

    Args:
        label: what is being trained.
        total: image presentations of the whole run.
        console: where to show it.
    """

    def __init__(self, label: str, total: int, console: Console) -> None:
        super().__init__(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:3.0f}%"),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._label, self._total, self._validation = label, total, ""
        self._task = self.add_task(label, total=1.0, figures="starting", left="")

    def validated(self, bits_per_dim: float, presentations: int, minutes: float) -> None:
        """Show a validation result."""
        self._validation = f"validation {bits_per_dim:.3f}"
        if self.disable:
            say_on(
                self.console,
                f"{self._label}: {presentations:,} of {self._total:,} images, "
                f"validation {bits_per_dim:.4f} bits/dim, {duration(minutes * 60)}",
            )

    def forecast(self, presentations: int, seconds: float, steps_per_second: float) -> None:
        """Print the ETA, and how far the run gets by then.

        Args:
            presentations: images seen by its end.
            seconds: until then.
            steps_per_second: so far.
        """
        end = datetime.now().astimezone() + timedelta(seconds=seconds)
        say_on(
            self.console,
            f"{self._label}: about {presentations:,} image presentations expected, "
            f"by {end:%H:%M} ({duration(seconds)} from now, {two_digits(steps_per_second)} steps/s)",
        )

    def show(
        self, progress: float, train_bits_per_dim: float, images_per_second: float, minutes: float
    ) -> None:
        """Show how far the run is, from 0 to 1, and its latest figures."""
        if self.disable:
            return
        figures = f"train {train_bits_per_dim:.3f} {self._validation} bits/dim"
        left = minutes * 60 * (1 - progress) / progress if progress else 0.0
        self.update(
            self._task,
            completed=progress,
            figures=f"{figures}  {images_per_second:,.0f} images/s",
            left=f"{duration(left)} left",
        )
