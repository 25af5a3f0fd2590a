"""`pixelrnn score --data`: a table of scores, a page, maps."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pixelrnn import shipped
from pixelrnn.cli import console, outputs
from pixelrnn.cli.score_asked import NONE, REFERENCE_IMAGES, Asked, opened
from pixelrnn.errors import OutputError
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from pixelrnn.scoring.job import Found, Job
    from pixelrnn.scoring.journal import Journal

PRINTED = 5
SAME = "the reference is what was scored: p-values among these images say nothing of others"
NO_REFERENCE = (
    "no --reference: there are no p-values, and no scores that are distances from normal images"
)


class Files(NamedTuple):
    """What is written."""

    out: Path
    maps: Path | None
    html: Path | None
    force: bool

    def require_writable(self) -> None:
        """Check all of them, before any work is done."""
        from pixelrnn.files import FOLDER, make_folder, not_a_file
        from pixelrnn.scoring.journal import place_of
        from pixelrnn.scoring.table import require_format

        require_format(self.out)
        outputs.require_writable(
            ("--out", self.out, self.out.suffix.lower()),
            ("--html", self.html, ".html"),
            force=self.force,
        )
        if self.maps is None:
            return
        if self.maps.exists() and not_a_file(self.maps) != FOLDER:
            raise OutputError(f"{self.maps} is no folder: give another name with --maps")
        make_folder(self.maps.parent)
        may_be_full = self.force or place_of(self.out).exists()
        if self.maps.exists() and not may_be_full and any(self.maps.iterdir()):
            raise OutputError(
                f"{self.maps} is not empty: give another folder with --maps, or --force to write into it"
            )


def score_into_table(
    model: Path,
    data: str,
    reference: str | None,
    asked: Asked,
    files: Files,
    split: str | None,
    count: int | None,
    *,
    skip: bool,
    as_json: bool,
) -> None:
    """Score images into a table."""
    from dataclasses import replace

    from pixelrnn.scoring.job import Job, fit_reference, measure_rest, write
    from pixelrnn.scoring.journal import Journal

    files.require_writable()
    scorer, opening = opened(model, asked, count)
    source = opening(data, split=split)
    reference = reference or opening.own or NONE
    known = None
    if reference != NONE:
        known = replace(opening, count=REFERENCE_IMAGES)(reference, held_out="validation")
    job = Job(scorer, source, known, opening.fit, skip, files.maps)
    identity = {
        "model": _sha256(model),
        "background": asked.background and _sha256(asked.background),
    }
    journal = Journal(files.out, {**identity, **job.identity}, sorted(scorer.measure.measures))
    with journal.open(anew=files.force), _kept(job, journal):
        if known is not None:
            with console.progress("measuring the reference", len(known)) as on_progress:
                fit_reference(job, journal, on_progress)
        else:
            fit_reference(job, journal, lambda _: None)
        if journal.num_rows:
            console.tell(f"going on after {counted(journal.num_rows, 'image')}")
        with console.progress("scoring", len(source) - journal.num_rows) as on_progress:
            measure_rest(job, journal, on_progress)
        found = write(job, journal, files.out)
        result = _result(model, job, found, files)
        if files.html is not None:
            _write_page(job, found, result, files.html)
        journal.remove()
    console.say_json(result) if as_json else _say_scored(result)
    for note in (*source.notes, *_left_out(found), *_reference_notes(job)):
        console.tell(note)


def _reference_notes(job: "Job") -> list[str]:
    """Return what has to be said of the reference."""
    if job.reference is None:
        return [NO_REFERENCE]
    return [SAME] if job.reference.fingerprint == job.source.fingerprint else []


def _sha256(model: Path) -> str:
    """Return the hash of a model's weights."""
    from pixelrnn.models import store

    file = shipped.file_of(model, shipped.WEIGHTS)
    with (file / store.MODEL_FILE if file.is_dir() else file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _kept(job: "Job", journal: "Journal") -> Iterator[None]:
    """Say after a signal what is kept, and how to go on."""
    from pixelrnn import stopping

    def advice() -> str:
        return (
            f"stopped: {journal.num_rows:,} of {counted(len(job.source), 'image')} are measured, and kept "
            f"in {journal.path}; the same command goes on from there"
        )

    with stopping.listening(advice):
        yield


def _result(model: Path, job: "Job", found: "Found", files: Files) -> dict[str, Any]:
    """Return what is printed of a table of scores."""
    from pixelrnn.scoring.base import BACKGROUND, CODEC, MODEL, SCORES

    scorer, means = job.scorer, found.means
    measured = {
        name: means[name] for name in (MODEL, CODEC, BACKGROUND) if name in scorer.measure.measures
    }
    return {
        "model": str(model),
        "data": job.source.name,
        "reference": job.reference and job.reference.name,
        "num_reference_images": job.reference and len(job.reference),
        "out": str(files.out),
        "maps": files.maps and str(files.maps),
        "html": files.html and str(files.html),
        "num_images": found.num_images,
        "num_left_out": found.num_left_out,
        "left_out": [{"name": name, "reason": reason} for name, reason in found.left_out],
        "sorted_by": scorer.chosen,
        "measured": list(measured),
        "labels": {kind: SCORES[kind].label for kind in scorer.scores},
        "means": {**measured, **{kind: means[kind] for kind in scorer.scores}},
        "all_together": _all_together(job, found, measured),
        "most_unusual": [row for _, row in found.top],
    }


def _all_together(job: "Job", found: "Found", measured: dict[str, float]) -> dict[str, Any] | None:
    """Return how unusual all the images are as one group; None without a reference."""
    if job.reference is None:
        return None
    group = job.scorer.group(measured, found.num_images)
    return {kind: {"score": value, "p_value": p_value} for kind, (value, p_value) in group.items()}


def _left_out(found: "Found") -> list[str]:
    from pixelrnn.data.listing import grouped

    if not found.num_left_out:
        return []
    return [f"left out {counted(found.num_left_out, 'image')}: {grouped(found.left_out)}"]


def _write_page(job: "Job", found: "Found", result: dict[str, Any], path: Path) -> None:
    from pixelrnn.report.unusual import build
    from pixelrnn.scoring.job import shown

    build(list(shown(job, found)), result, path, job.scorer.measure.model.config.num_levels)


def _say_scored(result: dict[str, Any]) -> None:
    chosen, rows = result["sorted_by"], result["most_unusual"][:PRINTED]
    has_p = result["reference"] is not None
    right = [result["labels"][chosen], *(["p"] if has_p else []), "bits/dim"]
    shown = [
        (
            row["name"],
            f"{row[chosen]:.4f}",
            *([f"{row[f'p_{chosen}']:.4f}"] if has_p else []),
            f"{row['bits_per_dim']:.4f}",
        )
        for row in rows
    ]
    console.say_table(["most unusual"], right, shown)
    text = f"{result['out']}: {counted(result['num_images'], 'image')} of {result['data']}"
    if has_p:
        all_of_them = result["all_together"][chosen]
        text += (
            f"; against {result['num_reference_images']:,} of {result['reference']}, p = "
            f"{all_of_them['p_value']:.4f} that as many normal ones are as unusual together"
        )
    console.say(text)
