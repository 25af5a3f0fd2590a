"""The figures of a page as files for a paper: SVG, PNG, their data as CSV, and a table in LaTeX."""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelrnn.errors import OutputError
from pixelrnn.files import make_folder, replacing
from pixelrnn.report import curves, maps, pictures, results
from pixelrnn.report.charts import Chart
from pixelrnn.report.compared import ComparedModel
from pixelrnn.report.comparison import Group
from pixelrnn.report.templates import environment

PICTURE_PIXELS = 1200  # width of a sheet of images, at least
Files = Iterable[tuple[str, Callable[[Path], Any]]]  # the name of each file, and what writes it


def write_figures(groups: Sequence[Group], folder: Path, *, force: bool = False) -> None:
    """Write each figure of the page as SVG and PNG, its data as CSV, and the results in LaTeX.

    Args:
        groups: runs on the same data; with more than one, names of files begin with `data-1-`, ...
        folder: where they go; it is made if it is not there.
        force: write into a folder that holds something already.

    Raises:
        OutputError: the folder is not empty, or cannot be written to.
    """
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise OutputError(
            f"{folder} is not empty: choose another folder for --figures, or add --force to write "
            "over what has the same name"
        )
    make_folder(folder)
    for number, group in enumerate(groups, 1):
        prefix = f"data-{number}-" if len(groups) > 1 else ""
        for name, write in _files(group):
            with replacing(folder / f"{prefix}{name}") as beside:
                write(beside)


def _files(group: Group) -> Files:
    """Yield each file of a group."""
    table = environment().get_template("results.tex.jinja").render(group=group)
    yield "results.csv", partial(_write_csv, columns=results.result_columns(group))
    yield "results.tex", partial(Path.write_text, data=table + "\n", encoding="utf-8")
    yield "lines-to-beat.csv", partial(_write_csv, columns=results.line_columns(group))
    if plot := curves.learning_plot(group):
        yield from _chart("learning-curves", plot.chart(), _curve_columns(plot))
    scale = maps.shared_scale(group.evaluated)
    for model, slug in _slugs(group.evaluated):
        yield from _of_model(model, slug, scale)


def _of_model(model: ComparedModel, slug: str, scale: maps.Scale | None) -> Files:
    evaluation = model.run.evaluation
    if evaluation is not None and scale is not None:
        bits_map = maps.pixel_map(evaluation)
        chart = maps.bits_chart(model.name, bits_map, scale, with_bar=True)
        yield from _chart(f"bits-map-{slug}", chart, _map_columns(bits_per_dim=bits_map))
        for name, shown in (("easiest", evaluation.easiest), ("hardest", evaluation.hardest)):
            columns = {"index": shown.indices, "bits_per_dim": shown.bits_per_dim}
            levels = model.run.result.num_levels
            yield from _sheet(
                f"{name}-{slug}", pictures.sheet(shown.images, levels, columns=8, alt=name)
            )
            yield f"{name}-{slug}.csv", partial(_write_csv, columns=columns)
    if field := maps.measured_field(model):
        chart = maps.field_chart(model, field, with_key=True)
        columns = _map_columns(seen=field.seen.astype(int), earlier=field.earlier.astype(int))
        yield from _chart(f"receptive-field-{slug}", chart, columns)
    if model.run.samples is not None:
        yield from _sheet(f"samples-{slug}", pictures.samples_sheet(model))
        yield from _sheet(f"completions-{slug}", pictures.completions_sheet(model))


def _chart(name: str, chart: Chart, columns: dict[str, Any]) -> Files:
    yield f"{name}.svg", partial(chart.write, kind="svg")
    yield f"{name}.png", partial(chart.write, kind="png")
    yield f"{name}.csv", partial(_write_csv, columns=columns)


def _sheet(name: str, sheet: pictures.Sheet) -> Files:
    """Yield images as PNG, enlarged by whole pixels, and as SVG that holds them at their own size."""
    width, height = sheet.image.size
    scale = max(1, -(-PICTURE_PIXELS // width))
    large = sheet.image.resize((width * scale, height * scale), Image.Resampling.NEAREST)
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="{sheet.url}" '
        'style="image-rendering: pixelated"/></svg>\n'
    )
    yield f"{name}.svg", partial(Path.write_text, data=text, encoding="utf-8")
    yield f"{name}.png", partial(large.save, format="PNG")


def _curve_columns(plot: curves.Plot) -> dict[str, list[Any]]:
    rows: list[tuple[Any, ...]] = []
    for curve in plot.curves:
        for name, images, points in (
            (curve.name, "validation", curve.validation),
            (curve.name, "train", curve.train),
            *((f"{curve.name} (seed {n})", "validation", points) for n, points in curve.seeds),
        ):
            rows += [
                (name, images, *point)
                for point in zip(*map(np.ndarray.tolist, points), strict=True)
            ]
    keys = ("run", "images", "image_presentations", "bits_per_dim")
    return {key: [row[at] for row in rows] for at, key in enumerate(keys)}


def _map_columns(**values: npt.NDArray[Any]) -> dict[str, Any]:
    rows, columns = np.indices(next(iter(values.values())).shape)
    flat = {name: each.ravel() for name, each in values.items()}
    return {"row": rows.ravel(), "column": columns.ravel(), **flat}


def _write_csv(path: Path, columns: dict[str, Any]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _slugs(models: Sequence[ComparedModel]) -> list[tuple[ComparedModel, str]]:
    """Return each model with a name for its files; numbered where two would be the same."""
    words = [re.sub(r"[^a-z0-9]+", "-", model.name.lower()).strip("-")[:80] for model in models]
    return [
        (model, word if word and words.count(word) == 1 else f"{word}-{index}".strip("-"))
        for index, (model, word) in enumerate(zip(models, words, strict=True), 1)
    ]
