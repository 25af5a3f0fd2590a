"""The page: everything gathered, laid out by the template and written in one piece."""

import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup

from pixelrnn import __version__
from pixelrnn.errors import ModelFileError, OutputError
from pixelrnn.files import FOLDER, not_a_file, replacing
from pixelrnn.report import formats, tables
from pixelrnn.report.alarms import Alarm, of_group, withheld
from pixelrnn.report.benchmark_file import read_training_speed
from pixelrnn.report.comparison import Entry, Group, group_by_data
from pixelrnn.report.curves import LearningCurves, learning_curves
from pixelrnn.report.drawn import (
    CompletionsPanel,
    SamplesPanel,
    completions_panels,
    samples_panels,
)
from pixelrnn.report.figures import write_figures
from pixelrnn.report.maps import BitsMaps, Panel, bits_maps, receptive_fields
from pixelrnn.report.pictures import data_url
from pixelrnn.report.run_folder import RunFolder, read_run_folder
from pixelrnn.report.seeds import PairRow, RunRow, pair_rows, run_rows
from pixelrnn.report.settings import differing_settings
from pixelrnn.report.svg import NUM_SERIES
from pixelrnn.report.validations import ValidationRow, validation_rows
from pixelrnn.report.verdict import Verdict, verdict
from pixelrnn.wording import without_surrogates

MAX_EXAMPLES = 8


@dataclass(frozen=True)
class Picture:
    """One test image, ready to be shown."""

    url: str
    index: int
    bits_per_dim: str
    height: int
    width: int


@dataclass(frozen=True)
class Gallery:
    """One model's easiest and hardest test images."""

    entry: Entry
    easiest: tuple[Picture, ...]
    hardest: tuple[Picture, ...]


@dataclass(frozen=True)
class Section:
    """All that the page says about one group of comparable runs."""

    name: str
    group: Group
    facts: tuple[tuple[str, str], ...]
    alarms: tuple[Alarm, ...]
    verdict: Verdict
    models: tuple[tables.ModelRow, ...]
    seeds: tuple[RunRow, ...]
    pairs: tuple[PairRow, ...]
    lines: tuple[tables.LineRow, ...]
    files: tables.FileTable | None
    curves: LearningCurves | None
    validations: tuple[ValidationRow, ...]
    bits: BitsMaps | None
    channels: tuple[tables.ChannelRow, ...]
    channel_names: tuple[str, ...]
    fields: tuple[Panel, ...]
    samples: tuple[SamplesPanel, ...]
    completions: tuple[CompletionsPanel, ...]
    galleries: tuple[Gallery, ...]


def build(
    run_folders: Sequence[Path],
    out: Path,
    *,
    title: str | None = None,
    command: str | None = None,
    benchmark: Path | None = None,
    labels: Sequence[str] = (),
    figures: Path | None = None,
    force: bool = False,
) -> Path:
    """Write one self-contained HTML page about some run folders.

    Args:
        run_folders: folders that `pixelrnn train` or `compare` wrote.
        out: the file to write; folders above it are made. It appears whole or not at all.
        title: the page's heading; by default the number of models and the data.
        command: the command that repeats it all; by default those in the runs' `result.json`.
        labels: what the page calls the runs, see `naming.distinct_names`; by default it finds names.
            Runs that differ in their seed alone are one model, unless they are called differently.
        figures: a folder for the figures as SVG, PNG and CSV, and for the results in LaTeX.
        force: write figures into a folder that is not empty.
        benchmark: a file that `pixelrnn bench train --out` wrote, shown too; nothing else is read.

    Returns:
        The path written.

    Raises:
        ModelFileError: no run folder is given, or one or the benchmark is incomplete or damaged.
        RecipeError: a run's `recipe.toml` is not TOML.
        OutputError: `out` or `figures` cannot be written, or that folder is not empty.

    Example:
        >>> build([], Path("report.html"))
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: no run folders; give at least one that ...
    """
    if not run_folders:
        raise ModelFileError(
            "no run folders; give at least one that `pixelrnn train` or `compare` wrote"
        )
    speed = None if benchmark is None else tables.speed_table(read_training_speed(benchmark))
    runs = [read_run_folder(Path(path)) for path in run_folders]
    groups = group_by_data(runs, labels)
    page = _page(groups, title, command, speed)
    if figures is not None:
        write_figures(groups, figures, force=force)
    _write(out, without_surrogates(page))  # the command may name files that are not UTF-8
    return out


def _page(
    groups: Sequence[Group],
    title: str | None,
    command: str | None,
    speed: tables.SpeedTable | None,
) -> str:
    sections = [_section(group, f"data-{number}") for number, group in enumerate(groups, 1)]
    entries = sorted((e for group in groups for e in group.entries), key=lambda e: e.colour)
    commands = (
        [command]
        if command
        else _distinct(_command(run) for entry in entries for run in entry.runs)
    )
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pixelrnn", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (resources.files("pixelrnn.report") / "style.css").read_text(encoding="utf-8")
    return environment.get_template("template.html.jinja").render(
        title=title or _title(groups),
        style=Markup(style),
        sections=sections,
        entries=entries,
        commands=commands,
        speed=speed,
        settings=differing_settings(entries),
        one_environment=len({e.run.environment.model_dump_json() for e in entries}) == 1,
        version=__version__,
        formats=formats,
        num_series=NUM_SERIES,
    )


def _title(groups: Sequence[Group]) -> str:
    if len(groups) > 1:
        return f"{sum(len(group.entries) for group in groups)} runs on different data"
    (group,) = groups
    data = group.first.result.data
    if len(group.entries) == 1:
        return f"{group.entries[0].name} on {data}"
    return f"{len(group.entries)} models on {data}"


def _command(run: RunFolder) -> str | None:
    """Return what began a run, as typed; of one that a resuming overwrote, what would begin it anew."""
    command = run.result.command
    if command and " --resume" in command:
        return shlex.join(["pixelrnn", "train", str(run.path / "recipe.toml")])
    return command


def _distinct(words: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(word for word in words if word))


def _section(group: Group, name: str) -> Section:
    result = group.first.result
    num_images = group.num_images or result.num_images
    found = of_group(group)
    facts = [
        ("Data", result.data),
        ("Images", formats.image_kind(result.image_shape, result.num_levels)),
        (f"{result.split.capitalize()} images", formats.count(num_images)),
        ("SHA-256 of them", result.data_sha256.test[:12]),
    ]
    if group.num_pictures != group.num_images:
        facts.insert(3, ("Patches of", f"{formats.count(group.num_pictures)} pictures"))
    return Section(
        name=name,
        group=group,
        facts=tuple(facts),
        alarms=found,
        verdict=withheld(verdict(group), found),
        models=tables.model_rows(group),
        seeds=run_rows(group),
        pairs=() if found else pair_rows(group),
        lines=() if found else tables.line_rows(group),
        files=tables.file_table(group),
        curves=learning_curves(group, prefix=name),
        validations=validation_rows(group),
        bits=bits_maps(group.evaluated, prefix=name),
        channels=tables.channel_rows(group.evaluated),
        channel_names=formats.channel_names(result.image_shape[0]),
        fields=receptive_fields(group.evaluated, prefix=name),
        samples=samples_panels(group.evaluated),
        completions=completions_panels(group.evaluated),
        galleries=tuple(
            gallery for entry in group.evaluated if (gallery := _gallery(entry)) is not None
        ),
    )


def _gallery(entry: Entry) -> Gallery | None:
    evaluation = entry.run.evaluation
    if evaluation is None:
        return None
    _, height, width = entry.run.result.image_shape
    rows = []
    for examples in (evaluation.easiest, evaluation.hardest):
        shown = list(zip(examples.images, examples.indices, examples.bits_per_dim, strict=True))[
            :MAX_EXAMPLES
        ]
        rows.append(
            tuple(
                Picture(
                    url=data_url(image, entry.run.result.num_levels),
                    index=int(index),
                    bits_per_dim=formats.bits(float(value)),
                    height=height,
                    width=width,
                )
                for image, index, value in shown
            )
        )
    return Gallery(entry, easiest=rows[0], hardest=rows[1])


def _write(out: Path, page: str) -> None:
    if not_a_file(out) == FOLDER:
        raise OutputError(f"{out} is a folder; give the name of a file, such as report.html")
    with suppress(OSError):  # what cannot be made is named when the file is written
        out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(out) as beside:
            beside.write_text(page, encoding="utf-8", newline="\n")
    except OutputError as error:
        raise OutputError(f"{error}; choose another --out") from None
