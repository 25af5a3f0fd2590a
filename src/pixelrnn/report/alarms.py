"""Alarms: figures of a run that cannot be believed, in words, for the top of the page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pixelrnn import agreement, ordering
from pixelrnn.arrays import Flags
from pixelrnn.report.compared import ComparedModel
from pixelrnn.report.comparison import Group
from pixelrnn.runs import EvaluationArrays, Run, read_run
from pixelrnn.wording import joined

MAX_NAMED = 3  # sub-pixels


def alarms(folders: Sequence[Path]) -> list[str]:
    """Return the alarms of some run folders, each with the name of its model.

    Example:
        >>> alarms([])
        []
    """
    runs = [read_run(Path(folder)) for folder in folders]
    return [f"{run.result.label} in {run.path}: {text}" for run in runs for text in of_run(run)]


def of_run(run: Run) -> list[str]:
    """Return what in a run's files says that its figures cannot be believed: nothing, if all is well."""
    evaluated = run.result.test_bits_per_dim is not None
    found = agreement.alarms(run.result.model_dump()) if evaluated else []
    if run.evaluation is not None and (ahead := looks_ahead(run.evaluation)).any():
        found.append(f"it was seen to depend on what it has yet to predict: {named(ahead)}")
    return found


def of_group(group: Group) -> list[tuple[ComparedModel, str]]:
    """Return the alarms of the runs of one group, each with its model."""
    return [
        (model, f"seed {run.seed}: {text}" if model.twins else text)
        for model in group.models
        for run in model.runs
        for text in of_run(run)
    ]


def looks_ahead(evaluation: EvaluationArrays) -> Flags:
    """Return which sub-pixels were seen that come later than, or are, the one watched: `(C, H, W)`."""
    field = evaluation.receptive_field
    if field is None:
        return np.zeros((1, 1, 1), np.bool_)
    channels, height, width = field.shape
    order = ordering.positions(channels=channels, height=height, width=width)
    here = ordering.position(evaluation.place, channels=channels, width=width)
    return np.asarray(field & (order >= here))


def named(field: Flags) -> str:
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
