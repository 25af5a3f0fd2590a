"""The learning curves: validation bits/dim against image presentations, all models in one plot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pixelrnn.report import formats, svg
from pixelrnn.report.comparison import Group
from pixelrnn.report.run_folder import Baseline, RunFolder

MAX_POINTS = 240
MAX_TRAIN_POINTS = 60  # batches are noisy: means of neighbours
# The first steps fall from the uniform distribution's bits; the axis starts after this share.
EARLY_SHARE = 0.04
_MARKERS = "osD^vPX*"
_LABEL_GAP_PIXELS = 15.0
_LETTER_PIXELS = 7.0
MAX_LETTERS = 48  # of a name beside its curve; a longer one is cut
WIDE, NARROW = (1024, 420), (400, 360)  # pixels
Points = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Curve:
    """One model's curves: image presentations and bits/dim, float64 `(points,)`, no NaN.

    `seeds` has, of each other run that differs in its seed alone, the seed and the validations.
    """

    name: str
    colour: int
    validation: Points
    train: Points
    seeds: tuple[tuple[int | None, Points], ...] = ()


@dataclass(frozen=True)
class Plot:
    """All that is plotted: curves, the range of bits/dim shown, lines to beat in it and beyond."""

    curves: tuple[Curve, ...]
    limits: tuple[float, float]
    lines: tuple[Baseline, ...]
    outside: tuple[Baseline, ...]


@dataclass(frozen=True)
class LearningCurves:
    """The plot for wide and for narrow pages, and the lines inside and outside its range."""

    wide: Markup
    narrow: Markup
    inside: tuple[Baseline, ...]
    outside: tuple[Baseline, ...]


def learning_curves(group: Group, *, prefix: str) -> LearningCurves | None:
    """Draw the curves of a group; `None` if no run has a validation measurement.

    Args:
        group: runs on the same data.
        prefix: what the identifiers of the SVG start with.
    """
    plot = learning_plot(group)
    if plot is None:
        return None
    sizes = {"wide": WIDE, "narrow": NARROW}
    drawn = {name: _render(plot, size, f"{prefix}-curves-{name}") for name, size in sizes.items()}
    return LearningCurves(drawn["wide"], drawn["narrow"], plot.lines, plot.outside)


def learning_plot(group: Group) -> Plot | None:
    """Return what the curves of a group show; `None` if no run has a validation measurement."""
    curves = [
        Curve(
            entry.name,
            entry.colour,
            _validations(entry.run),
            _measured(
                entry.run.metrics.image_presentations,
                entry.run.metrics.train_bits_per_dim,
                MAX_TRAIN_POINTS,
            ),
            tuple((run.seed, _validations(run)) for run in entry.twins),
        )
        for entry in group.entries
    ]
    curves = [curve for curve in curves if len(curve.validation[0])]
    if not curves:
        return None
    lines = [line for line in group.baselines() if line.test_bits_per_dim is not None]
    low, high, inside = _range(curves, lines)
    outside = tuple(line for line in lines if line not in inside)
    return Plot(tuple(curves), (low, high), tuple(inside), outside)


def _validations(run: RunFolder) -> Points:
    return _measured(run.metrics.image_presentations, run.metrics.validation_bits_per_dim)


def _measured(
    presentations: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    max_points: int = MAX_POINTS,
) -> Points:
    """Keep what was measured; where that is more than the eye can see, means of neighbours."""
    known = np.isfinite(presentations) & np.isfinite(values)
    x, y = presentations[known], values[known]
    if len(x) <= max_points:
        return x, y
    parts = np.linspace(0, len(x), max_points + 1).astype(int)[:-1]
    sizes = np.diff(np.append(parts, len(x)))
    return np.add.reduceat(x, parts) / sizes, np.add.reduceat(y, parts) / sizes


def _range(
    curves: Sequence[Curve], lines: Sequence[Baseline]
) -> tuple[float, float, list[Baseline]]:
    """Return the bits/dim shown, and the baselines that lie near enough to be among them."""
    end = max(curve.validation[0][-1] for curve in curves)
    drawn = [(curve.validation, *(points for _, points in curve.seeds)) for curve in curves]
    settled = [
        y[x >= min(EARLY_SHARE * end, x[-1])] for points in drawn for x, y in points if len(x)
    ]
    late = [y[x >= EARLY_SHARE * end] for x, y in (curve.train for curve in curves)]
    low = min(float(values.min()) for values in [*settled, *late] if len(values))
    high = max(float(values.max()) for values in settled)
    span = max(high - low, 0.02 * abs(high), 1e-3)
    near = [
        line
        for line in lines
        if low - 0.5 * span <= (line.test_bits_per_dim or 0.0) <= high + 0.6 * span
    ]
    heights = [low, high, *(line.test_bits_per_dim or 0.0 for line in near)]
    return min(heights) - 0.07 * span, max(heights) + 0.07 * span, near


def _render(plot: Plot, size: tuple[int, int], name: str) -> Markup:
    with svg.figure(*size) as drawing:
        draw(drawing, plot, size)
        alt = "Learning curves. Last validation bits/dim: " + ", ".join(
            f"{curve.name} {formats.bits(float(curve.validation[1][-1]))}" for curve in plot.curves
        )
        return svg.render(drawing, name=name, alt=alt)


def draw(drawing: Figure, plot: Plot, size: tuple[int, int]) -> None:
    """Draw a plot on a figure of `size`, width and height in pixels."""
    width, height = size
    curves = plot.curves
    is_wide = size == WIDE
    names = [*(curve.name for curve in curves), *(line.name for line in plot.lines)]
    letters = min(max(map(len, names)), MAX_LETTERS) if is_wide else 10
    right = 76 + _LETTER_PIXELS * letters if is_wide else 108
    axes = drawing.add_axes(
        (52 / width, 48 / height, (width - 52 - right) / width, (height - 60) / height)
    )
    end = max(curve.validation[0][-1] for curve in curves)
    axes.set_xlim(0, end * 1.01 if end else 1.0)
    axes.set_ylim(*plot.limits)
    _dress(axes, end, 7 if is_wide else 4)
    labels = []
    for line in plot.lines:
        value = line.test_bits_per_dim or 0.0
        axes.axhline(value, color=svg.MUTED, linewidth=1, dashes=(2, 3), zorder=1)
        labels.append((value, line.name, f"{value:.3f}", svg.MUTED))
    for curve in curves:
        _draw_curve(axes, curve)
        last = float(curve.validation[1][-1])
        # A narrow page has a key above the plot instead.
        name = curve.name if is_wide else ""
        labels.append((last, name, f"{last:.3f}", svg.series(curve.colour)))
    _label_ends(axes, labels, pixels=height - 60, letters=letters)


def _draw_curve(axes: Axes, curve: Curve) -> None:
    colour = svg.series(curve.colour)
    axes.plot(*curve.train, color=colour, linewidth=1, alpha=0.4, zorder=2)
    for _, points in curve.seeds:
        axes.plot(*points, color=colour, linewidth=1, alpha=0.8, zorder=2)
    x, y = curve.validation
    axes.plot(
        x,
        y,
        color=colour,
        linewidth=2,
        marker=_MARKERS[curve.colour % len(_MARKERS)],
        markersize=5,
        markevery=max(1, len(x) // 12),
        markeredgewidth=0,
        linestyle="-" if curve.colour < svg.NUM_SERIES else "--",
        zorder=3,
    )


def _dress(axes: Axes, end: float, num_ticks: int) -> None:
    unit, word = (1e6, " (millions)") if end >= 5e6 else (1e3, " (thousands)")
    if end < 5e3:
        unit, word = 1.0, ""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / unit:g}"))
    axes.xaxis.set_major_locator(MaxNLocator(num_ticks))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(f"image presentations{word}", color=svg.MUTED)
    axes.set_ylabel("bits/dim", color=svg.MUTED)
    axes.tick_params(colors=svg.MUTED, length=0, pad=6)
    axes.grid(axis="y", color=svg.RULE, linewidth=1)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(svg.MUTED)


def _label_ends(
    axes: Axes, labels: Sequence[tuple[float, str, str, str]], *, pixels: float, letters: int
) -> None:
    """Write each line's name beside its end, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    gap = _LABEL_GAP_PIXELS * (high - low) / pixels
    ordered = sorted(labels)
    places = spread([value for value, *_ in ordered], gap, low, high)
    for (value, name, figure, colour), place in zip(ordered, places, strict=True):
        shown = min(max(value, low), high)
        short = name if len(name) <= letters else f"{name[: letters - 1]}…"
        axes.annotate(
            f"{short} {figure}".strip(),
            xy=(1.0, shown),
            xycoords=axes.get_yaxis_transform(),
            xytext=(1.025, place),
            textcoords=axes.get_yaxis_transform(),
            color=colour,
            va="center_baseline",
            fontsize=11.5,
            fontweight="normal" if colour == svg.MUTED else "bold",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.8,
                "shrinkA": 1,
                "shrinkB": 0,
            },
        )


def spread(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move sorted values apart until neighbours are `gap` away, as little as possible.

    Values that collide form a cluster, evenly spaced about the mean of its members, inside
    `low`..`high` as long as there is room.

    Example:
        >>> spread([1.0, 1.1, 5.0], gap=1.0, low=0.0, high=9.0)
        [0.55, 1.55, 5.0]
    """
    clusters: list[list[float]] = []
    for value in values:
        clusters.append([value])
        while len(clusters) > 1 and _top(clusters[-2], gap, low, high) + gap > _bottom(
            clusters[-1], gap, low, high
        ):
            clusters[-2:] = [clusters[-2] + clusters[-1]]
    return [
        round(_bottom(cluster, gap, low, high) + index * gap, 9)
        for cluster in clusters
        for index in range(len(cluster))
    ]


def _bottom(cluster: Sequence[float], gap: float, low: float, high: float) -> float:
    length = (len(cluster) - 1) * gap
    centred = math.fsum(cluster) / len(cluster) - length / 2
    return max(min(centred, high - length), low)


def _top(cluster: Sequence[float], gap: float, low: float, high: float) -> float:
    return _bottom(cluster, gap, low, high) + (len(cluster) - 1) * gap
