"""`pixelrnn score`: how unusual images are, and how well that tells them from others."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from pixelrnn import shipped
from pixelrnn.cli import console, inputs, options, outputs
from pixelrnn.errors import OutputError, RecipeError
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from pixelrnn.scoring import Scorer
    from pixelrnn.scoring.job import Found, Job
    from pixelrnn.scoring.journal import Journal
    from pixelrnn.scoring.opening import Opening

REFERENCE_IMAGES = 1000
TOLD_APART = 1000  # images of each set, where nobody says how many
NONE = "none"
PRINTED = 5
SOME = (
    "a folder of images of any sizes, an image, an album (.pxr), an .npy or .npz, or a name: of a set "
    "(`pixelrnn data list`), of what is made (noise, constant, gradients, textures, letters), or a change "
    "of one (flipped:NAME; mirrored, inverted, scrambled)"
)
Some = Annotated[str | None, typer.Option(metavar="NAME-or-PATH")]


class _Asked(NamedTuple):
    """How images are opened and scored, for one model or two."""

    background: Path | None
    codec: str
    by: str | None
    settings: list[str]
    seed: int
    batch_size: int
    device: str


def score(
    model: options.Model,
    data: Annotated[
        str | None, typer.Option(metavar="NAME-or-PATH", help=f"Images: {SOME}.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.csv-or-.parquet")] = None,
    reference: Some = None,
    normal: Some = None,
    unusual: Some = None,
    background: Annotated[
        Path | None, typer.Option(parser=options.name_or_path, metavar="MODEL")
    ] = None,
    reverse: Annotated[
        Path | None, typer.Option(parser=options.name_or_path, metavar="MODEL")
    ] = None,
    codec: str = "png",
    by: str | None = None,
    split: str | None = None,
    count: Annotated[int | None, typer.Option("-n", "--count", parser=options.positive)] = None,
    group: options.Positive = 1,
    maps: Annotated[Path | None, typer.Option(metavar="FOLDER")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE.html")] = None,
    settings: options.DataSettings = None,
    seed: options.Seed = 0,
    skip: Annotated[bool, typer.Option("--skip")] = False,
    force: options.Force = False,
    batch_size: options.BatchSize = 50,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Score how unusual images are to a model; higher is more unusual.

    With --data, each image is scored into a table (--out), in memory that does not grow with their
    number. After Ctrl-C the same command goes on. With --normal and --unusual, each score is asked how well it
    tells the two apart: AUROC, and the share of normal images that are flagged where 95 % of the unusual
    ones are.

    Args:
        out: The table, a row for each image.
        reference: Held-out normal images: what scores are distances from, and what p-values are ranks
            among; 1,000 at most. By default the validation images of the model's own recipe; of --normal, every
            second image; none for none.
        normal: Images like those that the model was trained on.
        unusual: Images to tell from these.
        background: A model to compare with: one of a smaller field, or of other images.
        reverse: A model of the unusual images: the other direction is measured too.
        codec: Image format to compare with: png, webp, jpeg-xl, or none.
        by: The score that images are sorted by: bits_per_dim, typicality, complexity,
            complexity_typicality, ratio, ratio_typicality or density; by default the best that there is.
        split: Of --data: train, validation, test, or all. By default test of sets whose splits are known,
            all of everything else.
        count: The most images of a set, evenly spread; by default all of --data, 1,000 of --normal and
            of --unusual.
        group: Tell groups of so many images apart, not single ones.
        maps: Also write a picture for each image: where its bits are.
        html: Also write a page with the most unusual images and their maps.
        seed: Of what is made or drawn.
        skip: Leave out, and name, images that cannot be scored.
    """
    asked = _Asked(background, codec, by, settings or [], seed, batch_size, device)
    if normal is None and unusual is None:
        if data is None or out is None:
            raise RecipeError(
                "say what to score and where to: --data NAME-or-PATH --out scores.csv; or which images to "
                "tell apart: --normal NAME-or-PATH --unusual NAME-or-PATH"
            )
        _refuse_beside("--data", {"--reverse": reverse, "--group": None if group == 1 else group})
        files = _Files(out, maps, html, force)
        _score_all(model, data, reference, asked, files, split, count, skip=skip, as_json=as_json)
        return
    if normal is None or unusual is None:
        raise RecipeError("two sets are told apart: give both --normal and --unusual")
    _refuse_beside(
        "--normal",
        {"--data": data, "--out": out, "--maps": maps, "--html": html, "--split": split,
         "--skip": skip or None},
    )  # fmt: skip
    ways = [(model, normal, unusual)] + ([(reverse, unusual, normal)] if reverse else [])
    told = [_tell_apart(*way, reference, asked, count or TOLD_APART, group) for way in ways]
    if as_json:
        console.say_json({"directions": told})
        return
    for each in told:
        _say_told(each)


class _Files(NamedTuple):
    """What is written."""

    out: Path
    maps: Path | None
    html: Path | None
    force: bool

    def require_writable(self) -> None:
        """Check all of them, before any work is done."""
        from pixelrnn.files import make_folder, not_a_file
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
        if not_a_file(self.maps) != "a folder" and self.maps.exists():
            raise OutputError(f"{self.maps} is no folder: give another name with --maps")
        is_begun = place_of(self.out).exists()
        if make_folder(self.maps) and not (self.force or is_begun) and any(self.maps.iterdir()):
            raise OutputError(
                f"{self.maps} is not empty: give another folder with --maps, or --force to write into it"
            )


def _refuse_beside(option: str, others: dict[str, Any]) -> None:
    """Raise `RecipeError` if an option is given that says nothing beside another one."""
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise RecipeError(f"{given[0]} does not go with {option}: leave one of them out")


def _opened(model: Path, asked: _Asked, count: int | None) -> "tuple[Scorer, Opening]":
    """Return what scores by a model, and what opens images for it."""
    from pixelrnn.scoring import Scorer
    from pixelrnn.scoring.opening import Opening
    from pixelrnn.scoring.sources import Fit

    scorer = Scorer(
        model, background=asked.background, codec=asked.codec, by=asked.by, device=asked.device,
        batch_size=asked.batch_size,
    )  # fmt: skip
    config = scorer.measure.model.config
    size = inputs.data_options({}, asked.settings).size or config.image_size
    opening = Opening(
        Fit(config.channels, config.num_levels),
        size,
        load=partial(inputs.images_for, model, settings=asked.settings),
        own=inputs.recorded(model).get("source"),
        as_they_are=not asked.settings,
        count=count,
        seed=asked.seed,
    )
    return scorer, opening


def _score_all(
    model: Path,
    data: str,
    reference: str | None,
    asked: _Asked,
    files: _Files,
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
    scorer, opening = _opened(model, asked, count)
    source = opening(data, split=split)
    reference = reference or opening.own or NONE
    known = None
    if reference != NONE:
        known = replace(opening, count=REFERENCE_IMAGES)(reference, held_out="validation")
    elif asked.by is None:
        console.tell(
            "no --reference: there are no p-values, and no scores that are distances from normal images"
        )
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
    for note in (*source.notes, *_left_out(found)):
        console.tell(note)


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


def _result(model: Path, job: "Job", found: "Found", files: _Files) -> dict[str, Any]:
    """Return what is printed of a table of scores."""
    from pixelrnn.scoring.base import SCORES

    scorer, means = job.scorer, found.means
    measured = {name: means[name] for name in sorted(scorer.measure.measures)}
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


def _tell_apart(
    model: Path,
    normal: str,
    unusual: str,
    reference: str | None,
    asked: _Asked,
    count: int,
    group: int,
) -> dict[str, Any]:
    """Return how well each score of a model tells two sets apart."""
    from dataclasses import asdict, replace

    from pixelrnn.scoring.base import SCORES
    from pixelrnn.scoring.telling_apart import Sets, tell_apart

    scorer, opening = _opened(model, asked, count)
    if reference in (None, NONE):
        twice = replace(opening, count=2 * count)(normal)
        sets = Sets.with_reference_from(twice, opening(unusual))
    else:
        known = replace(opening, count=REFERENCE_IMAGES)(reference, held_out="validation")
        sets = Sets(known, opening(normal), opening(unusual))
    with console.progress("scoring", sets.num_images) as on_progress:
        found = tell_apart(
            scorer, sets, opening.fit, group=group, seed=asked.seed, on_progress=on_progress
        )
    return {
        "model": str(model),
        "background": asked.background and str(asked.background),
        "codec": asked.codec,
        "normal": sets.normal.name,
        "unusual": sets.unusual.name,
        "reference": sets.reference.name,
        "num_normal": len(sets.normal),
        "num_unusual": len(sets.unusual),
        "num_reference": len(sets.reference),
        "group": group,
        "seed": asked.seed,
        "scores": {
            kind: {"label": SCORES[kind].label, **asdict(each)} for kind, each in found.items()
        },
    }


def _say_told(told: dict[str, Any]) -> None:
    groups = f", in groups of {told['group']}" if told["group"] > 1 else ""
    title = (
        f"{told['model']}: {told['num_normal']:,} normal images of {told['normal']} against "
        f"{told['num_unusual']:,} unusual ones of {told['unusual']}{groups}; reference: "
        f"{told['num_reference']:,} of {told['reference']}"
    )
    rows = [
        (
            each["label"],
            _with_interval(each["auroc"], each["auroc_interval"]),
            _with_interval(each["false_positive_rate"], each["false_positive_interval"]),
        )
        for each in told["scores"].values()
    ]
    console.say_table(["score"], ["AUROC", "false alarms at 95 % detection"], rows, title)


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"
