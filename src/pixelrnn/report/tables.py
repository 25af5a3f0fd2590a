"""The rows of the page's tables, as text ready to be written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pixelrnn.report import formats
from pixelrnn.report.benchmark_file import SpeedTiming, TrainingSpeed
from pixelrnn.report.comparison import Entry, Group
from pixelrnn.report.run_folder import Baseline
from pixelrnn.wording import counted

GUESSES = ("uniform", "histogram")  # lines to beat that write no file
BITS_PER_KILOBYTE = 8000


@dataclass(frozen=True)
class ModelRow:
    """One model's figures, each written with its digits; units are in the column heads.

    With several seeds they are means over them, and `deviation` is the standard deviation of the test
    figure.
    """

    entry: Entry
    best: bool
    parameters: str
    test: str
    test_error: str
    deviation: str
    behind: str
    behind_error: str
    nats_per_image: str
    validation: str
    train: str
    image_presentations: str
    images_per_second: str
    minutes: str
    peak_memory_mb: str
    milliseconds_per_sample: str


@dataclass(frozen=True)
class LineRow:
    """One rank of the lines to beat: a baseline, or a model among them."""

    name: str
    entry: Entry | None
    best: bool
    bits_per_dim: str
    error: str
    share: float | None
    saved: str
    note: str


@dataclass(frozen=True)
class FileRow:
    """What test images cost as a real file, by a model or a codec, in bits/dim and kilobytes."""

    name: str
    entry: Entry | None
    note: str
    float_bits: str
    integer_bits: str
    file_bits: str
    kilobytes: str


@dataclass(frozen=True)
class FileTable:
    """Models and codecs as files, and which images were measured, where it is not all."""

    rows: tuple[FileRow, ...]
    images: str


@dataclass(frozen=True)
class ChannelRow:
    """One model's test bits/dim in each channel."""

    entry: Entry
    bits_per_dim: tuple[str, ...]


@dataclass(frozen=True)
class SpeedRow:
    """How fast one model trained in a benchmark."""

    label: str
    note: str
    images_per_second: str
    times_plain: str
    megaflops_per_image: str
    share_percent: str


@dataclass(frozen=True)
class SpeedTable:
    """A training benchmark: its rows, and what it was measured on."""

    rows: tuple[SpeedRow, ...]
    machine: str


def model_rows(group: Group) -> tuple[ModelRow, ...]:
    """Return the rows of the table of models, the best on test first."""
    return tuple(_model_row(group, entry) for entry in group.entries)


def _model_row(group: Group, entry: Entry) -> ModelRow:
    result = entry.run.result
    best = group.best
    behind, behind_error = formats.MISSING, ""
    if best is not None and entry.evaluated and entry is not best:
        gap = group.behind(entry)
        behind, behind_error = f"+{formats.bits(gap.mean)}", formats.error(gap.standard_error)
    return ModelRow(
        entry=entry,
        best=entry is best and len(group.evaluated) > 1,
        parameters=formats.count(result.parameters),
        test=formats.bits(entry.test_bits_per_dim),
        test_error=formats.error(group.standard_error(entry)) if entry.evaluated else "",
        deviation=formats.error(entry.deviation),
        behind=behind,
        behind_error=behind_error,
        nats_per_image=formats.number(entry.mean("test_nats_per_image"), 5),
        validation=formats.bits(entry.mean("validation_bits_per_dim")),
        train=formats.bits(entry.mean("train_bits_per_dim")),
        image_presentations=formats.count(result.image_presentations),
        images_per_second=formats.number(entry.mean("images_per_second")),
        minutes=formats.number(entry.mean("minutes")),
        peak_memory_mb=formats.number(entry.mean("peak_memory_mb")),
        milliseconds_per_sample=formats.number(
            None if result.seconds_per_sample is None else 1000 * result.seconds_per_sample
        ),
    )


def line_rows(group: Group) -> tuple[LineRow, ...]:
    """Return models and baselines in one ranking, the lowest bits/dim first.

    `saved` is how much smaller the best model's bits/dim is than the row's, in percent; `share` is
    the row's part of the largest bits/dim, 0..100, for a bar.
    """
    best = group.best
    ours = best.test_bits_per_dim if best is not None else None
    baselines = group.baselines()
    if not baselines:
        return ()
    found: list[tuple[float | None, float | None, str, Entry | None, str]] = [
        (entry.test_bits_per_dim, group.standard_error(entry), entry.name, entry, "")
        for entry in group.evaluated
    ]
    found += [
        (line.test_bits_per_dim, line.standard_error, line.name, None, line.note)
        for line in baselines
    ]
    found.sort(key=lambda row: float("inf") if row[0] is None else row[0])
    largest = max((value for value, *_ in found if value is not None), default=0.0)
    return tuple(
        LineRow(
            name=name,
            entry=entry,
            best=entry is not None and entry is best,
            bits_per_dim=formats.bits(value),
            error="" if error is None else formats.error(error),
            share=None if value is None or largest <= 0 else round(100 * value / largest, 1),
            saved=_saved(ours, value) if entry is None or entry is not best else "",
            note=note,
        )
        for value, error, name, entry, note in found
    )


def _saved(ours: float | None, theirs: float | None) -> str:
    if ours is None or theirs is None or theirs <= 0:
        return formats.MISSING
    return f"{100 * (1 - ours / theirs):.1f} %".replace("-", "\N{MINUS SIGN}")


def file_table(group: Group) -> FileTable | None:
    """Return what the images cost as files, the best model first, then the smallest codec.

    Nothing, if no model was measured so: runs of an earlier version were not.
    """
    results = [entry.run.result for entry in group.evaluated]
    counts = {each.file_num_images for each in results if each.file_bits_per_dim is not None}
    if not counts:
        return None
    codecs = [line for line in group.baselines() if not line.name.startswith(GUESSES)]
    rows = [_model_as_file(entry) for entry in group.evaluated]
    rows += [_codec_as_file(line, group) for line in codecs]
    images = ""
    if counts != {group.num_images}:
        images = (
            "With a model, only the first images were compressed, as many as stated; its ideal figures "
            f"here are of the same ones. Figures of codecs are of all {formats.count(group.num_images)}."
        )
    return FileTable(tuple(rows), images)


def _model_as_file(entry: Entry) -> FileRow:
    result = entry.run.result
    note = "not measured as a file"
    if result.file_bits_per_dim is not None and result.message_bits_per_dim is not None:
        rest = result.file_bits_per_dim - result.message_bits_per_dim
        note = (
            f"{formats.count(result.file_num_images)} images; index and checksums are "
            f"{formats.bits(rest)} bits/dim of the file"
        )
    return FileRow(
        name=entry.name,
        entry=entry,
        note=note,
        float_bits=formats.bits(result.float_bits_per_dim),
        integer_bits=formats.bits(result.integer_bits_per_dim),
        file_bits=formats.bits(result.file_bits_per_dim),
        kilobytes=formats.number(
            None if result.file_bytes is None else result.file_bytes / 1000, 4
        ),
    )


def _codec_as_file(line: Baseline, group: Group) -> FileRow:
    dims = (group.num_images or 0) * math.prod(group.first.result.image_shape)
    bits = line.test_bits_per_dim
    return FileRow(
        name=line.name,
        entry=None,
        note="",
        float_bits=formats.MISSING,
        integer_bits=formats.MISSING,
        file_bits=formats.bits(bits),
        kilobytes=formats.number(None if bits is None else bits * dims / BITS_PER_KILOBYTE, 4),
    )


def channel_rows(entries: Sequence[Entry]) -> tuple[ChannelRow, ...]:
    """Return the test bits/dim by channel of images with more than one channel."""
    return tuple(
        ChannelRow(entry, tuple(formats.bits(value) for value in by_channel))
        for entry in entries
        if len(by_channel := entry.run.result.test_bits_per_dim_by_channel) > 1
    )


def speed_table(speed: TrainingSpeed) -> SpeedTable:
    """Return a training benchmark as text, its models in the order in which they were measured."""
    first = speed.timings[0]
    machine = (
        f"{speed.environment.processor}, {counted(first.machine_threads, 'thread')}: "
        f"{formats.number(first.machine_gflops)} GFLOP/s in float32"
    )
    return SpeedTable(tuple(_speed_row(timing) for timing in speed.timings), machine)


def _speed_row(timing: SpeedTiming) -> SpeedRow:
    channels, height, width = timing.image_shape
    note = (
        f"{timing.recipe}: {timing.batch_size} images of {height} \N{MULTIPLICATION SIGN} {width}, "
        f"{formats.colours(channels)}, {counted(timing.threads, 'thread')}"
    )
    return SpeedRow(
        label=timing.label,
        note=note,
        images_per_second=formats.number(timing.images_per_second),
        times_plain=formats.number(timing.speed_up),
        megaflops_per_image=formats.number(1e-6 * timing.flops_per_image),
        share_percent=formats.number(100 * timing.share_of_machine),
    )
