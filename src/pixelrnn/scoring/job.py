"""A long job: images of a source are measured one batch after the other, and become a table of scores.

Memory does not grow with the number of images: what is measured goes to a journal (`journal.py`), from
which the table is written at the end, and a job that was stopped goes on.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pixelrnn.arrays import Floats, Images
from pixelrnn.coding.file_names import FileNames
from pixelrnn.data.listing import grouped
from pixelrnn.errors import DataError
from pixelrnn.scoring import maps
from pixelrnn.scoring.journal import Journal, Row, arrays
from pixelrnn.scoring.scorer import Scorer
from pixelrnn.scoring.sources import Fit, Source, UnfitImageError, batches, read
from pixelrnn.scoring.table import Table, write_table

ROWS_AT_ONCE = 4096  # of a table
MOST_SHOWN = 24  # of the most unusual images
MOST_NAMED = 20  # of images that were left out

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Job:
    """Images to score, and what to write.

    Args:
        scorer: not fitted yet.
        source: the images.
        reference: held-out normal images, or None.
        fit: what images must be like.
        skip: leave out images that cannot be scored, and name them.
        maps: the folder for maps, or None.
    """

    scorer: Scorer
    source: Source
    reference: Source | None
    fit: Fit
    skip: bool = False
    maps: Path | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What makes two jobs one, beside the models and how they are run."""
        reference = self.reference and self.reference.fingerprint
        return {
            "data": self.source.fingerprint,
            "reference": reference,
            "codec": self.scorer.measure.codec,
            "maps": self.maps and str(self.maps.absolute()),
        }


@dataclass(frozen=True)
class Unusual:
    """One of the most unusual images.

    Attributes:
        name: of the image.
        image: uint8 `(C, H, W)`.
        maps: pictures `(H, W, 3)` by what they show.
        row: its row of the table.
    """

    name: str
    image: Images
    maps: dict[str, Images]
    row: dict[str, Any]


@dataclass
class Found:
    """What a job found.

    Attributes:
        num_images: that were scored.
        means: of the measurements and scores.
        top: number and row of the most unusual images, the most unusual first.
        reasons: why images were left out, and how many.
        left_out: the first of these, by name, with the reason.
    """

    num_images: int = 0
    means: dict[str, float] = field(default_factory=dict)
    top: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    @property
    def num_left_out(self) -> int:
        """How many images could not be scored."""
        return self.reasons.total()


def measure(scorer: Scorer, source: Source, fit: Fit, on_progress: Progress) -> dict[str, Floats]:
    """Return what all images of a source cost.

    Raises:
        UnfitImageError: if one cannot be scored.
    """
    parts = [
        scorer.measure(images, on_progress).columns
        for _, images in batches(source, fit, size=scorer.measure.batch_size)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def fit_reference(job: Job, journal: Journal, on_progress: Progress) -> None:
    """Fit the scorer to the normal images, measured now or by who began the journal."""
    if journal.is_begun:
        normal = arrays(journal.normal)
    else:
        normal = (job.reference and measure(job.scorer, job.reference, job.fit, on_progress)) or {}
    if normal:
        job.scorer.fit_measured(normal)
    job.scorer.chosen  # noqa: B018 - raises
    if not journal.is_begun:  # nothing is left of a job that cannot be done
        journal.begin(normal)


def measure_rest(job: Job, journal: Journal, on_progress: Progress) -> None:
    """Measure the images that are not in the journal yet, and write their maps.

    Raises:
        UnfitImageError: if one cannot be scored, unless such images are skipped.
    """
    config = job.scorer.measure.model.config
    files = FileNames(job.source.names) if job.maps else None

    def leave_out(number: int, error: UnfitImageError) -> None:
        if not job.skip:
            raise DataError(f"{error}; --skip leaves out such images") from error
        journal.add([Row(job.source.names[number], (0, 0), (), error.reason)])
        on_progress(1)

    for numbers, images in batches(
        job.source,
        job.fit,
        size=job.scorer.measure.batch_size,
        start=journal.num_rows,
        on_unfit=leave_out,
    ):
        measured = job.scorer.measure(images, on_progress)
        if job.maps and files:
            for index, number in enumerate(numbers):
                pictures = maps.pictures_of(measured, index, config.channels, config.num_levels)
                maps.write_maps(job.maps, files[number], pictures)
        size = (images.shape[2], images.shape[3])
        costs = zip(*(measured.columns[name].tolist() for name in journal.columns), strict=True)
        names = (job.source.names[number] for number in numbers)
        journal.add(Row(name, size, each) for name, each in zip(names, costs, strict=True))


def write(job: Job, journal: Journal, out: Path) -> Found:
    """Write the table of all images, and return what it says.

    Raises:
        OutputError: if it cannot be written.
    """
    found = Found()
    write_table(out, _parts(job, journal, found))
    found.means = {name: total / found.num_images for name, total in found.means.items()}
    found.top.sort(key=lambda each: (-each[1][job.scorer.chosen], each[0]))
    return found


def _parts(job: Job, journal: Journal, found: Found) -> Iterator[Table]:
    """Yield the table, some rows at a time, and add up what was found."""
    rows, first = journal.rows(), 0
    shortlist: list[tuple[float, int, dict[str, Any]]] = []
    while some := list(islice(rows, ROWS_AT_ONCE)):
        numbers = [first + n for n, row in enumerate(some) if not row.reason]
        first += len(some)
        for row in some:
            if row.reason:
                found.reasons[row.reason] += 1
                if len(found.left_out) < MOST_NAMED:
                    found.left_out.append((row.name, row.reason))
        kept = [row for row in some if not row.reason]
        if not kept:
            continue
        table = _table(job.scorer, journal.columns, kept)
        found.num_images += len(kept)
        for name, values in table.items():
            if not name.startswith("p_") and isinstance(values[0], float):
                found.means[name] = found.means.get(name, 0.0) + sum(values)
        chosen = table[job.scorer.chosen]
        for index in np.argsort(chosen)[::-1][:MOST_SHOWN]:
            facts = {name: values[index] for name, values in table.items()}
            entry = (chosen[index], -numbers[index], facts)
            (heapq.heappush if len(shortlist) < MOST_SHOWN else heapq.heappushpop)(shortlist, entry)
        yield table
    if not found.num_images:
        raise DataError(f"no image is left to score: {grouped(found.left_out)}")
    found.top = [(-number, facts) for _, number, facts in shortlist]


def _table(scorer: Scorer, columns: list[str], rows: list[Row]) -> dict[str, list[Any]]:
    """Return the table of some rows, by column."""
    costs = np.array([row.costs for row in rows], np.float64)
    measured = {name: costs[:, n] for n, name in enumerate(columns)}
    values = scorer.values(measured)
    p_values = {f"p_{kind}": each for kind, each in scorer.p_values(values).items()}
    return {
        "name": [row.name for row in rows],
        "height": [row.size[0] for row in rows],
        "width": [row.size[1] for row in rows],
        **{name: each.tolist() for name, each in {**measured, **values, **p_values}.items()},
    }


def shown(job: Job, found: Found) -> Iterator[Unusual]:
    """Yield the most unusual images with their maps, which are measured again."""
    config = job.scorer.measure.model.config
    for number, row in found.top:
        image = read(job.source, job.fit, number)
        measured = job.scorer.measure(image[np.newaxis])
        pictures = maps.pictures_of(measured, 0, config.channels, config.num_levels)
        yield Unusual(job.source.names[number], image, pictures, row)
