"""Maps of an image: where the bits go, and what a model was measured to see."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.ticker import MaxNLocator

from pixelrnn.report import formats, svg
from pixelrnn.report.alarms import looks_ahead, named
from pixelrnn.report.comparison import Entry
from pixelrnn.report.evaluation_file import Evaluation

COLOUR_MAP = "viridis"
PANEL_PIXELS = 310
_MARGIN_PIXELS = (46, 6, 38, 6)  # left, right, bottom, top
MAX_GRID = 20
PixelMap = tuple[Entry, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Panel:
    """One model's map with the words below it."""

    entry: Entry
    picture: Markup
    caption: str
    alarm: bool = False


@dataclass(frozen=True)
class BitsMaps:
    """One panel a model, the colour bar they share, and whether it ends below the largest value."""

    panels: tuple[Panel, ...]
    colour_bar: Markup
    clipped_at: float | None


def bits_maps(entries: Sequence[Entry], *, prefix: str) -> BitsMaps | None:
    """Draw the mean bits/dim of each pixel, on one colour scale; `None` if no run was measured."""
    maps = pixel_maps(entries)
    if not maps:
        return None
    norm, clipped = shared_scale(maps)
    panels = tuple(_bits_panel(entry, bits_map, norm, prefix) for entry, bits_map in maps)
    bar = _colour_bar(norm, clipped, f"{prefix}-bits-scale")
    return BitsMaps(panels, bar, float(norm.vmax or 0.0) if clipped else None)


def pixel_maps(entries: Sequence[Entry]) -> list[PixelMap]:
    """Return the mean bits/dim of each pixel, `(H, W)`, of the runs that were measured."""
    return [
        (entry, entry.run.evaluation.bits_map.mean(axis=0))
        for entry in entries
        if entry.run.evaluation is not None
    ]


def shared_scale(maps: Sequence[PixelMap]) -> tuple[Normalize, bool]:
    """Return one colour scale for all maps, and whether it ends below the largest value."""
    values = np.concatenate([bits_map.ravel() for _, bits_map in maps])
    # The first pixels, guessed from nothing, would take the whole scale to themselves.
    largest = float(values.max())
    shown = float(np.quantile(values, 0.99))
    clipped = largest > 1.3 * shown
    norm = Normalize(
        min(0.0, float(values.min())) if values.min() < 0.5 * shown else float(values.min()),
        shown if clipped else largest,
    )
    return norm, clipped


def receptive_fields(entries: Sequence[Entry], *, prefix: str) -> tuple[Panel, ...]:
    """Draw what each model was measured to see from one pixel."""
    return tuple(
        _field_panel(entry, prefix) for entry in entries if entry.run.evaluation is not None
    )


def _bits_panel(
    entry: Entry, bits_map: npt.NDArray[np.float64], norm: Normalize, prefix: str
) -> Panel:
    row, column = (int(index) for index in np.unravel_index(bits_map.argmax(), bits_map.shape))
    caption = (
        f"{formats.bits(float(bits_map.mean()))} bits/dim on average; "
        f"most at row {row}, column {column}: {formats.number(float(bits_map.max()))}"
    )
    drawing_size, box = panel_size(bits_map.shape)
    with svg.figure(*drawing_size) as drawing:
        draw_bits(panel_axes(drawing, box, bits_map.shape), bits_map, norm)
        picture = svg.render(
            drawing,
            name=f"{prefix}-bits-{entry.colour}",
            alt=f"Map of the bits/dim of {entry.name} at each pixel: {caption}",
        )
    return Panel(entry, picture, caption)


def draw_bits(axes: Axes, bits_map: npt.NDArray[np.float64], norm: Normalize) -> AxesImage:
    """Draw a map of bits/dim, `(H, W)`."""
    return axes.imshow(bits_map, cmap=COLOUR_MAP, norm=norm, interpolation="none", aspect="auto")


def _colour_bar(norm: Normalize, clipped: bool, name: str) -> Markup:
    width, height = 360, 56
    with svg.figure(width, height) as drawing:
        axes = drawing.add_axes((20 / width, 34 / height, (width - 40) / width, 12 / height))
        bar = drawing.colorbar(
            ScalarMappable(norm, COLOUR_MAP),
            cax=axes,
            orientation="horizontal",
            extend="max" if clipped else "neither",
        )
        bar.set_label("bits/dim at each pixel", color=svg.MUTED, labelpad=2)
        bar.ax.tick_params(colors=svg.MUTED, length=3)
        bar.ax.xaxis.set_major_locator(MaxNLocator(6))
        bar.outline.set_visible(False)
        alt = f"Colour scale from {norm.vmin:.2f} to {norm.vmax:.2f} bits/dim"
        return svg.render(drawing, name=name, alt=alt)


@dataclass(frozen=True)
class Field:
    """What a model was measured to see at one pixel: bool maps `(H, W)`, but for `ahead`.

    Attributes:
        seen: it depends on some colour of these.
        earlier: they come before it.
        ahead: sub-pixels that it depends on and must not know yet, `(C, H, W)`.
        row: of the pixel.
        column: of the pixel.
    """

    seen: npt.NDArray[np.bool_]
    earlier: npt.NDArray[np.bool_]
    ahead: npt.NDArray[np.bool_]
    row: int
    column: int

    @property
    def peeks(self) -> npt.NDArray[np.bool_]:
        """Pixels with a sub-pixel that it must not know yet, `(H, W)`."""
        return np.asarray(self.ahead.any(axis=0), dtype=np.bool_)

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


def measured_field(evaluation: Evaluation) -> Field:
    """Return the receptive field of a run, over all its colours."""
    _, height, width = evaluation.receptive_field.shape
    row, column, _ = evaluation.receptive_field_at
    raster = np.arange(height * width).reshape(height, width)
    return Field(
        seen=np.asarray(evaluation.receptive_field.any(axis=0)),
        earlier=raster < row * width + column,
        ahead=looks_ahead(evaluation),
        row=row,
        column=column,
    )


def _field_panel(entry: Entry, prefix: str) -> Panel:
    assert entry.run.evaluation is not None
    field = measured_field(entry.run.evaluation)
    drawing_size, box = panel_size(field.seen.shape)
    with svg.figure(*drawing_size) as drawing:
        draw_field(panel_axes(drawing, box, field.seen.shape), field, entry.colour)
        picture = svg.render(
            drawing,
            name=f"{prefix}-field-{entry.colour}",
            alt=f"Receptive field of {entry.name} at row {field.row}, column {field.column}: "
            + field.caption,
        )
    return Panel(entry, picture, field.caption, alarm=bool(field.ahead.any()))


def draw_field(axes: Axes, field: Field, colour: int) -> None:
    """Draw a receptive field in the colour of its run."""
    height, width = field.seen.shape
    seen, earlier = field.seen, field.earlier
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    for mask, paint in (
        (~earlier & ~seen, svg.LATER),
        (earlier & ~seen, svg.BLIND),
        (earlier & seen, svg.series(colour)),
        (~earlier & seen, svg.series(colour)),
        (field.peeks, svg.ALARM),
    ):
        _fill(axes, mask, paint)
    _grid(axes, height, width)
    _mark(axes, field.row, field.column)


def _fill(axes: Axes, mask: npt.NDArray[np.bool_], colour: str) -> None:
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


def _grid(axes: Axes, height: int, width: int) -> None:
    if max(height, width) > MAX_GRID:
        return
    axes.hlines(np.arange(1, height) - 0.5, -0.5, width - 0.5, color=svg.PAPER, linewidth=1)
    axes.vlines(np.arange(1, width) - 0.5, -0.5, height - 0.5, color=svg.PAPER, linewidth=1)


def _mark(axes: Axes, row: int, column: int) -> None:
    for colour, line_width in ((svg.PAPER, 5.0), (svg.INK, 2.0)):
        axes.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5),
                1,
                1,
                fill=False,
                edgecolor=colour,
                linewidth=line_width,
                zorder=5,
                clip_on=False,
            )
        )


def panel_size(
    shape: Sequence[int],
) -> tuple[tuple[float, float], tuple[float, float, float, float]]:
    """Return the size of a panel in pixels and, as fractions of it, where its axes are."""
    height_cells, width_cells = shape
    left, right, bottom, top = _MARGIN_PIXELS
    cell = (PANEL_PIXELS - left - right) / max(height_cells, width_cells)
    inner_width, inner_height = cell * width_cells, cell * height_cells
    width, height = left + inner_width + right, bottom + inner_height + top
    box = (left / width, bottom / height, inner_width / width, inner_height / height)
    return (width, height), box


def panel_axes(
    drawing: Figure, box: tuple[float, float, float, float], shape: Sequence[int]
) -> Axes:
    """Return the axes of a panel, with titles and a few ticks."""
    axes = drawing.add_axes(box)
    height, width = shape
    axes.set_xticks(sorted({0, width // 2, width - 1}))
    axes.set_yticks(sorted({0, height // 2, height - 1}))
    axes.tick_params(colors=svg.MUTED, length=0, pad=5, labelsize=10)
    axes.set_xlabel("column", color=svg.MUTED, fontsize=10, labelpad=2)
    axes.set_ylabel("row", color=svg.MUTED, fontsize=10, labelpad=2)
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes
