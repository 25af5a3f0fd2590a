"""Maps of an image: where the bits go, and what a model was measured to see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.ticker import MaxNLocator

from pixelrnn.arrays import Flags, Floats
from pixelrnn.report import formats
from pixelrnn.report.alarms import looks_ahead, named
from pixelrnn.report.charts import Chart, series
from pixelrnn.report.compared import ComparedModel
from pixelrnn.runs import EvaluationArrays

COLOUR_MAP = "viridis"
MAP_PIXELS = 258  # the longer side
MAX_GRID = 20


class Scale(NamedTuple):
    """The colours of several maps: one range for all, and how a colour bar of it ends.

    Attributes:
        norm: from values to colours.
        extend: "max" if the range ends below the largest value, else "neither".
    """

    norm: Normalize
    extend: str


def pixel_map(evaluation: EvaluationArrays) -> Floats:
    """Return the mean bits/dim of each pixel, `(H, W)`."""
    return np.asarray(evaluation.bits_map.mean(axis=0))


def shared_scale(models: Sequence[ComparedModel]) -> Scale | None:
    """Return one colour scale for the maps of all models; `None` if none was measured."""
    maps = [pixel_map(model.run.evaluation).ravel() for model in models if model.run.evaluation]
    if not maps:
        return None
    values = np.concatenate(maps)
    # The first pixels, guessed from nothing, would take the whole scale to themselves.
    least, shown, largest = map(float, np.quantile(values, (0, 0.99, 1)))
    low = min(0.0, least) if least < 0.5 * shown else least
    if largest > 1.3 * shown:
        return Scale(Normalize(low, shown), "max")
    return Scale(Normalize(low, largest), "neither")


def bits_caption(values: Floats) -> str:
    """Return in words what a map of bits/dim, `(H, W)`, shows."""
    row, column = np.unravel_index(values.argmax(), values.shape)
    return (
        f"{formats.bits(float(values.mean()))} bits/dim on average; "
        f"most at row {row}, column {column}: {formats.number(float(values.max()))}"
    )


def bits_chart(name: str, values: Floats, scale: Scale, *, with_bar: bool = False) -> Chart:
    """Return the map of bits/dim, `(H, W)`, of the model of that name, with or without a colour bar."""

    def draw(drawing: Figure) -> None:
        axes = _map_axes(drawing, values.shape)
        image = axes.imshow(
            values, cmap=COLOUR_MAP, norm=scale.norm, interpolation="none", aspect="auto"
        )
        if with_bar:
            beside = drawing.add_axes((1.05, 0, 0.05, 1))
            bar = drawing.colorbar(image, cax=beside, extend=scale.extend)
            bar.set_label("bits/dim", fontsize=10)
            bar.ax.tick_params(labelsize=10)

    alt = f"Map of the bits/dim of {name} at each pixel: {bits_caption(values)}"
    return Chart(*_map_size(values.shape), draw, alt)


def scale_chart(scale: Scale) -> Chart:
    """Return the colour bar of several maps."""

    def draw(drawing: Figure) -> None:
        bar = drawing.colorbar(
            ScalarMappable(scale.norm, COLOUR_MAP),
            cax=drawing.add_axes((0, 0, 1, 1)),
            orientation="horizontal",
            extend=scale.extend,
        )
        bar.set_label("bits/dim at each pixel", color="muted", labelpad=2)
        bar.ax.tick_params(colors="muted", length=3)
        bar.ax.xaxis.set_major_locator(MaxNLocator(6))
        bar.outline.set_visible(False)

    alt = f"Colour scale from {scale.norm.vmin:.2f} to {scale.norm.vmax:.2f} bits/dim"
    return Chart(320, 12, draw, alt)


@dataclass(frozen=True)
class Field:
    """What a model was measured to see at one pixel, over all its colours.

    Attributes:
        seen: it depends on some colour of these pixels, `(H, W)`.
        earlier: they come before it, `(H, W)`.
        ahead: sub-pixels that it depends on and must not know yet, `(C, H, W)`.
        row: of the pixel.
        column: of the pixel.
    """

    seen: Flags
    earlier: Flags
    ahead: Flags
    row: int
    column: int

    @property
    def caption(self) -> str:
        """The same in words."""
        words = (
            f"sees {formats.count(int((self.seen & self.earlier).sum()))} of the "
            f"{formats.count(int(self.earlier.sum()))} earlier pixels"
        )
        if self.ahead.any():
            words += f"; it also depends on what it must not know yet: {named(self.ahead)}"
        return words


def measured_field(model: ComparedModel) -> Field | None:
    """Return the receptive field of a model; `None` if it was not measured."""
    evaluation = model.run.evaluation
    if evaluation is None or evaluation.receptive_field is None:
        return None
    _, height, width = evaluation.receptive_field.shape
    row, column, _ = evaluation.place
    raster = np.arange(height * width).reshape(height, width)
    return Field(
        seen=np.asarray(evaluation.receptive_field.any(axis=0)),
        earlier=raster < row * width + column,
        ahead=looks_ahead(evaluation),
        row=row,
        column=column,
    )


def field_chart(model: ComparedModel, field: Field, *, with_key: bool = False) -> Chart:
    """Return the chart of a receptive field in the colour of its model, with or without a key."""
    own = series(model.colour)
    later = ~field.earlier

    def draw(drawing: Figure) -> None:
        axes = _map_axes(drawing, field.seen.shape)
        for mask, colour in (
            (later & ~field.seen, "later"),
            (field.earlier & ~field.seen, "blind"),
            (field.seen, own),
            (np.asarray(field.ahead.any(axis=0)), "alarm"),
        ):
            _fill(axes, mask, colour)
        height, width = field.seen.shape
        if max(height, width) <= MAX_GRID:
            axes.hlines(np.arange(1, height) - 0.5, -0.5, width - 0.5, color="paper", linewidth=1)
            axes.vlines(np.arange(1, width) - 0.5, -0.5, height - 0.5, color="paper", linewidth=1)
        for colour, line_width in (("paper", 5.0), ("ink", 2.0)):
            corner = (field.column - 0.5, field.row - 0.5)
            frame = Rectangle(corner, 1, 1, fill=False, edgecolor=colour, linewidth=line_width)
            axes.add_patch(frame).set(zorder=5, clip_on=False)
        if with_key:
            words = {own: "changes the prediction", "blind": "earlier, changes nothing",
                     "later": "later, must change nothing"}  # fmt: skip
            patches = [Patch(fc=colour, ec="rule", label=word) for colour, word in words.items()]
            below = (0.0, -40 / drawing.bbox.height)
            axes.legend(
                handles=patches, frameon=False, fontsize=10, loc="upper left", bbox_to_anchor=below
            )

    where = f"at row {field.row}, column {field.column}"
    alt = f"Receptive field of {model.name} {where}: {field.caption}"
    return Chart(*_map_size(field.seen.shape), draw, alt)


def _fill(axes: Axes, mask: Flags, colour: str) -> None:
    """Fill the true cells, one rectangle for each run of them in a row."""
    outlines = []
    for row, cells in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], cells, [False])).astype(np.int8)))
        for left, right in zip(edges[::2] - 0.5, edges[1::2] - 0.5, strict=True):
            corners = [(left, row - 0.5), (right, row - 0.5), (right, row + 0.5), (left, row + 0.5)]
            outlines.append(Outline([*corners, corners[0]], closed=True))
    if outlines:
        whole = Outline.make_compound_path(*outlines)
        axes.add_patch(PathPatch(whole, facecolor=colour, edgecolor="none"))


def _map_size(shape: tuple[int, ...]) -> tuple[float, float]:
    """Return width and height in pixels of a map of so many rows and columns."""
    height, width = shape
    cell = MAP_PIXELS / max(height, width)
    return cell * width, cell * height


def _map_axes(drawing: Figure, shape: tuple[int, ...]) -> Axes:
    """Return the axes of a map, with titles and a few ticks."""
    axes = drawing.add_axes((0, 0, 1, 1))
    height, width = shape
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.set_xticks(sorted({0, width // 2, width - 1}))
    axes.set_yticks(sorted({0, height // 2, height - 1}))
    axes.tick_params(colors="muted", length=0, pad=5, labelsize=10)
    axes.set_xlabel("column", color="muted", fontsize=10, labelpad=2)
    axes.set_ylabel("row", color="muted", fontsize=10, labelpad=2)
    axes.set_frame_on(False)
    return axes
