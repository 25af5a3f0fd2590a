"""Alarms: figures of a run that cannot be believed, in words, for the top of the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from pixelrnn import agreement, ordering
from pixelrnn.ordering import Place
from pixelrnn.report.comparison import Entry, Group
from pixelrnn.report.evaluation_file import Evaluation
from pixelrnn.report.run_folder import RunFolder, read_run_folder
from pixelrnn.report.verdict import Verdict
from pixelrnn.wording import joined

MAX_NAMED = 3  # sub-pixels


@dataclass(frozen=True)
class Alarm:
    """What is wrong with the figures of one model."""

    entry: Entry
    text: str


def alarms(folders: Sequence[Path]) -> list[str]:
    """Return the alarms of some run folders, each with the name of its model.

    Example:
        >>> alarms([])
        []
    """
    runs = [read_run_folder(Path(folder)) for folder in folders]
    return [f"{run.result.label} in {run.path}: {text}" for run in runs for text in of_run(run)]


def of_run(run: RunFolder) -> list[str]:
    """Return what in a run's files says that its figures cannot be believed: nothing, if all is well."""
    found = agreement.alarms(run.result.model_dump()) if run.test_bits_per_dim is not None else []
    if run.evaluation is not None and (ahead := looks_ahead(run.evaluation)).any():
        found.append(f"it was seen to depend on what it has yet to predict: {named(ahead)}")
    return found


def of_group(group: Group) -> tuple[Alarm, ...]:
    """Return the alarms of the runs of one group."""
    return tuple(
        Alarm(entry, f"seed {run.seed}: {text}" if entry.twins else text)
        for entry in group.entries
        for run in entry.runs
        for text in of_run(run)
    )


def looks_ahead(evaluation: Evaluation) -> npt.NDArray[np.bool_]:
    """Return which sub-pixels were seen that come later than, or are, the one watched: `(C, H, W)`."""
    channels, height, width = evaluation.receptive_field.shape
    order = ordering.positions(channels=channels, height=height, width=width)
    place = Place(*evaluation.receptive_field_at)
    here = ordering.position(place, channels=channels, width=width)
    ahead: npt.NDArray[np.bool_] = evaluation.receptive_field & (order >= here)
    return ahead


def named(field: npt.NDArray[np.bool_]) -> str:
    """Return the pixels of a field `(C, H, W)` in words, the first few by name.

    Example:
        >>> field = np.zeros((1, 4, 4), bool)
        >>> field[0, 2, 3] = field[0, 3, 0] = True
        >>> named(field)
        'row 2, column 3 and row 3, column 0'
    """
    pixels = np.argwhere(field.any(axis=0))
    words = [f"row {row}, column {column}" for row, column in pixels[:MAX_NAMED]]
    more = len(pixels) - len(words)
    return joined([*words, f"{more} more"] if more else words)


def withheld(verdict: Verdict, found: Sequence[Alarm]) -> Verdict:
    """Return the verdict, or none where the figures it stands on cannot be believed."""
    if not found:
        return verdict
    names = joined(list(dict.fromkeys(alarm.entry.name for alarm in found)))
    sentence = Markup("No verdict: the figures of <strong>{}</strong> cannot be believed.")
    return Verdict(sentence.format(names), (), verdict.warnings)
