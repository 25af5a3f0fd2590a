"""What the models drew: samples, an image growing, and completions, as pictures for the page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pixelrnn import pictures
from pixelrnn.report import formats
from pixelrnn.report.comparison import Entry
from pixelrnn.report.pictures import SheetPicture, sheet_picture
from pixelrnn.report.samples_file import Samples
from pixelrnn.wording import joined

MAX_SUB_PIXELS = 200_000  # of one model's samples, for the size of the page
GROWTH_STAGES = 8
COARSE_SIDE = 24  # smaller images are shown with their pixels


@dataclass(frozen=True)
class SamplesPanel:
    """One model's samples, the first of them growing, and the words below."""

    entry: Entry
    sheet: SheetPicture
    growth: SheetPicture
    caption: str
    coarse: bool


@dataclass(frozen=True)
class CompletionsPanel:
    """One model's completions of test images: a row each, of `2 + completions` columns."""

    entry: Entry
    sheet: SheetPicture
    completions: int
    caption: str
    coarse: bool


def samples_panels(entries: Sequence[Entry]) -> tuple[SamplesPanel, ...]:
    """Show the samples of the runs that have any."""
    return tuple(
        _samples_panel(entry, entry.run.samples)
        for entry in entries
        if entry.run.samples is not None
    )


def completions_panels(entries: Sequence[Entry]) -> tuple[CompletionsPanel, ...]:
    """Show the completions of the runs that have any."""
    return tuple(
        _completions_panel(entry, entry.run.samples)
        for entry in entries
        if entry.run.samples is not None
    )


def _samples_panel(entry: Entry, drawn: Samples) -> SamplesPanel:
    levels = entry.run.result.num_levels
    room = max(1, MAX_SUB_PIXELS // drawn.samples[0].size)
    shown = drawn.samples[:room]
    count, _, height, width = shown.shape
    columns = min(count, 8 if count > 16 else 4)
    stages = pictures.stages(height, width, GROWTH_STAGES + 1)[1:]
    known = np.stack([pictures.first_pixels(int(each), height, width) for each in stages])
    growing = np.repeat(shown[:1], len(stages), axis=0)
    caption = f"{count} samples, seed {drawn.seed}"
    seconds = entry.run.result.seconds_per_sample
    if seconds is not None:
        caption += f", {formats.duration(seconds)} each"
    return SamplesPanel(
        entry,
        sheet_picture(shown, levels, columns=columns, alt=f"{count} samples of {entry.name}"),
        sheet_picture(
            growing,
            levels,
            columns=len(stages),
            known=known,
            alt=f"The first sample of {entry.name}, growing pixel by pixel",
        ),
        caption,
        coarse=max(height, width) < COARSE_SIDE,
    )


def _completions_panel(entry: Entry, drawn: Samples) -> CompletionsPanel:
    numbers = joined([f"#{index}" for index in drawn.completed_indices])
    count, completions = drawn.completions.shape[:2]
    cells, known = pictures.completion_cells(drawn.completed_images, drawn.completions, drawn.known)
    sheet = sheet_picture(
        cells,
        entry.run.result.num_levels,
        columns=2 + completions,
        known=known,
        alt=f"{count} test images, what {entry.name} was given of each, and its completions",
    )
    caption = f"Test images {numbers}."
    hidden = entry.run.result.hidden_half_bits_per_dim
    if hidden is not None:
        caption += f" The true hidden halves cost {formats.bits(hidden)} bits/dim."
    return CompletionsPanel(
        entry, sheet, completions, caption, coarse=max(drawn.known.shape) < COARSE_SIDE
    )
