"""The last and the best validation of each run, and which of the two its result is of."""

from dataclasses import dataclass

from pixelrnn.report import formats
from pixelrnn.report.comparison import Entry, Group
from pixelrnn.report.run_folder import RunFolder, Validation


@dataclass(frozen=True)
class ValidationRow:
    """What one run found when it validated, as text: bits/dim, and at which image presentation."""

    entry: Entry
    seed: str
    last: str
    last_at: str
    best: str
    best_at: str
    kept: str


def validation_rows(group: Group) -> tuple[ValidationRow, ...]:
    """Return a row for each run that says both; runs of earlier versions do not."""
    return tuple(
        _row(entry, run, run.result.last, run.result.best)
        for entry in group.entries
        for run in entry.runs
        if run.result.last is not None and run.result.best is not None
    )


def _row(entry: Entry, run: RunFolder, last: Validation, best: Validation) -> ValidationRow:
    same = last.image_presentations == best.image_presentations
    return ValidationRow(
        entry=entry,
        seed=f"seed {run.seed}" if entry.twins else "",
        last=formats.bits(last.validation_bits_per_dim),
        last_at=formats.count(last.image_presentations),
        best=formats.bits(best.validation_bits_per_dim),
        best_at=formats.count(best.image_presentations),
        kept="both" if same else f"the {run.result.kept}",
    )
