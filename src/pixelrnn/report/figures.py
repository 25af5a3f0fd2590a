"""The figures of a page as files for a paper: SVG, PNG, their data as CSV, and a table in LaTeX."""

import base64
import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from pixelrnn.errors import OutputError
from pixelrnn.files import make_folder, replacing
from pixelrnn.report import curves, maps, results, svg
from pixelrnn.report.comparison import Entry, Group
from pixelrnn.report.drawn import completions_panels, samples_panels
from pixelrnn.report.evaluation_file import Examples
from pixelrnn.report.pictures import SheetPicture, sheet_picture

PNG_DOTS_PER_INCH = 300
PICTURE_PIXELS = 1200  # width of a sheet of images, at least
BESIDE_PIXELS, BELOW_PIXELS = 92, 62  # a colour bar, a key
Writer = Callable[[Path], Any]


def write_figures(groups: Sequence[Group], folder: Path, *, force: bool = False) -> list[Path]:
    """Write each figure of the page as SVG and PNG, its data as CSV, and the results in LaTeX.

    Args:
        groups: runs on the same data; with more than one, names of files begin with `data-1-`, ...
        folder: where they go; it is made if it is not there.
        force: write into a folder that holds something already.

    Returns:
        The files written.

    Raises:
        OutputError: the folder is not empty, or cannot be written to.
    """
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise OutputError(
            f"{folder} is not empty: choose another folder for --figures, or add --force to write "
            "over what has the same name"
        )
    make_folder(folder)
    written = []
    for number, group in enumerate(groups, 1):
        prefix = f"data-{number}-" if len(groups) > 1 else ""
        for name, write in _files(group):
            path = folder / f"{prefix}{name}"
            with replacing(path) as beside:
                write(beside)
            written.append(path)
    return written


def _files(group: Group) -> Iterable[tuple[str, Writer]]:
    """Yield each file of a group: its name, and what writes it."""
    yield "results.csv", lambda path: _write_csv(path, results.result_columns(group))
    yield "results.tex", lambda path: path.write_text(results.latex(group), encoding="utf-8")
    yield "lines-to-beat.csv", lambda path: _write_csv(path, results.line_columns(group))
    if plot := curves.learning_plot(group):
        yield from _figure(
            "learning-curves", curves.WIDE, lambda drawing: curves.draw(drawing, plot, curves.WIDE)
        )
        yield "learning-curves.csv", lambda path: _write_csv(path, _curve_columns(plot))
    for entry, slug in _slugs(group.evaluated):
        yield from _of_run(group, entry, slug)


def _of_run(group: Group, entry: Entry, slug: str) -> Iterable[tuple[str, Writer]]:
    evaluation = entry.run.evaluation
    if evaluation is not None:
        yield from _bits(group, entry, slug)
        field = maps.measured_field(evaluation)
        yield from _field(entry, field, f"receptive-field-{slug}")
        for name, examples in (("easiest", evaluation.easiest), ("hardest", evaluation.hardest)):
            yield from _examples(entry, f"{name}-{slug}", examples)
    for samples in samples_panels([entry]):
        yield from _picture(f"samples-{slug}", samples.sheet)
    for completions in completions_panels([entry]):
        yield from _picture(f"completions-{slug}", completions.sheet)


def _bits(group: Group, entry: Entry, slug: str) -> Iterable[tuple[str, Writer]]:
    measured = maps.pixel_maps(group.evaluated)
    norm, clipped = maps.shared_scale(measured)
    bits_map = next(values for each, values in measured if each is entry)
    (width, height), (left, bottom, inner_width, inner_height) = maps.panel_size(bits_map.shape)
    wide = width + BESIDE_PIXELS

    def draw(drawing: Figure) -> None:
        box = (left * width / wide, bottom, inner_width * width / wide, inner_height)
        image = maps.draw_bits(maps.panel_axes(drawing, box, bits_map.shape), bits_map, norm)
        beside = drawing.add_axes((width / wide, bottom, 14 / wide, inner_height))
        bar = drawing.colorbar(image, cax=beside, extend="max" if clipped else "neither")
        bar.set_label("bits/dim")

    yield from _figure(f"bits-map-{slug}", (wide, height), draw)
    yield f"bits-map-{slug}.csv", lambda path: _write_csv(path, _map_columns(bits_per_dim=bits_map))


def _field(entry: Entry, field: maps.Field, name: str) -> Iterable[tuple[str, Writer]]:
    (width, height), (left, bottom, inner_width, inner_height) = maps.panel_size(field.seen.shape)
    tall = height + BELOW_PIXELS

    def draw(drawing: Figure) -> None:
        low = (bottom * height + BELOW_PIXELS) / tall
        box = (left, low, inner_width, inner_height * height / tall)
        maps.draw_field(maps.panel_axes(drawing, box, field.seen.shape), field, entry.colour)
        key = [
            (svg.series(entry.colour), "changes the prediction"),
            (svg.BLIND, "earlier, changes nothing"),
            (svg.LATER, "later, must change nothing"),
        ]
        drawing.legend(
            handles=[
                Patch(facecolor=colour, edgecolor=svg.RULE, label=word) for colour, word in key
            ],
            loc="lower left",
            frameon=False,
            fontsize=10,
        )

    yield from _figure(name, (width, tall), draw)
    columns = _map_columns(seen=field.seen.astype(int), earlier=field.earlier.astype(int))
    yield f"{name}.csv", lambda path: _write_csv(path, columns)


def _examples(entry: Entry, name: str, examples: Examples) -> Iterable[tuple[str, Writer]]:
    if not len(examples.images):
        return
    columns = {"index": examples.indices, "bits_per_dim": examples.bits_per_dim}
    levels = entry.run.result.num_levels
    yield from _picture(name, sheet_picture(examples.images, levels, columns=8, alt=name))
    yield f"{name}.csv", lambda path: _write_csv(path, columns)


def _figure(
    name: str, size: tuple[float, float], draw: Callable[[Figure], None]
) -> Iterable[tuple[str, Writer]]:
    """Yield a drawing as SVG and as PNG; both are the same drawing, made anew."""

    def save(path: Path, kind: str, **settings: Any) -> None:
        with svg.figure(*size) as drawing, mpl.rc_context({"svg.fonttype": "path"}):
            draw(drawing)
            svg.recolour(drawing)
            drawing.savefig(path, format=kind, facecolor="white", **settings)

    yield f"{name}.svg", lambda path: save(path, "svg", metadata={"Date": None})
    yield f"{name}.png", lambda path: save(path, "png", dpi=PNG_DOTS_PER_INCH)


def _picture(name: str, sheet: SheetPicture) -> Iterable[tuple[str, Writer]]:
    """Yield images as PNG, enlarged by whole pixels, and as SVG that holds them at their own size."""
    content = base64.b64decode(sheet.url.partition(",")[2])

    def write_png(path: Path) -> None:
        with Image.open(io.BytesIO(content)) as image:
            scale = max(1, -(-PICTURE_PIXELS // image.width))
            size = (image.width * scale, image.height * scale)
            image.resize(size, Image.Resampling.NEAREST).save(path, format="PNG")

    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {sheet.width} {sheet.height}">'
        f'<image width="{sheet.width}" height="{sheet.height}" href="{sheet.url}" '
        'style="image-rendering: pixelated"/></svg>\n'
    )
    yield f"{name}.svg", lambda path: path.write_text(text, encoding="utf-8")
    yield f"{name}.png", write_png


def _curve_columns(plot: curves.Plot) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "run": [], "images": [], "image_presentations": [], "bits_per_dim": []
    }  # fmt: skip
    for curve in plot.curves:
        seeds = [
            (f"{curve.name} (seed {seed})", "validation", points) for seed, points in curve.seeds
        ]
        for name, images, (presentations, values) in (
            (curve.name, "validation", curve.validation),
            (curve.name, "train", curve.train),
            *seeds,
        ):
            columns["run"] += [name] * len(values)
            columns["images"] += [images] * len(values)
            columns["image_presentations"] += presentations.tolist()
            columns["bits_per_dim"] += values.tolist()
    return columns


def _map_columns(**values: npt.NDArray[Any]) -> dict[str, Any]:
    rows, columns = np.indices(next(iter(values.values())).shape)
    return {
        "row": rows.ravel(),
        "column": columns.ravel(),
        **{name: each.ravel() for name, each in values.items()},
    }


def _write_csv(path: Path, columns: dict[str, Any]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _slugs(entries: Sequence[Entry]) -> list[tuple[Entry, str]]:
    """Return each run with a name for its files; numbered where two would be the same."""
    words = [re.sub(r"[^a-z0-9]+", "-", entry.name.lower()).strip("-")[:80] for entry in entries]
    return [
        (entry, word if word and words.count(word) == 1 else f"{word}-{index}".strip("-"))
        for index, (entry, word) in enumerate(zip(entries, words, strict=True), 1)
    ]
