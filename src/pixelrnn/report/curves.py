"""The learning curves: validation bits/dim against image presentations, all models in one plot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pixelrnn.arrays import Floats
from pixelrnn.report import formats
from pixelrnn.report.charts import NUM_SERIES, Chart, series
from pixelrnn.report.comparison import Group
from pixelrnn.runs import Baseline

MAX_POINTS = 240
MAX_TRAIN_POINTS = 60  # batches are noisy: means of neighbours
# The first steps fall from the uniform distribution's bits; the axis starts after this share.
EARLY_SHARE = 0.04
_MARKERS = "osD^vPX*"
_LABEL_GAP_PIXELS = 15.0
_LETTER_PIXELS = 7.0
MAX_LETTERS = 48  # of a name beside its curve; a longer one is cut
WIDE, NARROW = (1024, 420), (400, 360)  # pixels
LEFT, BOTTOM, TOP = 52, 48, 12  # margins in pixels
Points = tuple[Floats, Floats]


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

    @property
    def last(self) -> float:
        """The last validation, in bits/dim."""
        return float(self.validation[1][-1])


@dataclass(frozen=True)
class Plot:
    """All that is plotted: curves, the range of bits/dim shown, lines to beat in it and beyond."""

    curves: tuple[Curve, ...]
    limits: tuple[float, float]
    lines: tuple[tuple[Baseline, float], ...]
    outside: tuple[tuple[Baseline, float], ...]

    @property
    def end(self) -> float:
        """Image presentations at the end of the longest curve."""
        return float(max(curve.validation[0][-1] for curve in self.curves))

    def chart(self, size: tuple[int, int] = WIDE) -> Chart:
        """Return it for a page, or a file, of this width and height."""
        last = ", ".join(f"{curve.name} {formats.bits(curve.last)}" for curve in self.curves)
        alt = f"Learning curves. Last validation bits/dim: {last}"
        return Chart(*size, partial(_draw, plot=self, size=size), alt, crop=False)


def learning_plot(group: Group) -> Plot | None:
    """Return what the curves of a group show; `None` if no run has a validation measurement."""
    validation = "validation_bits_per_dim"
    curves = [
        Curve(
            model.name,
            model.colour,
            _thinned(model.run.curve(validation), MAX_POINTS),
            _thinned(model.run.curve("train_bits_per_dim"), MAX_TRAIN_POINTS),
            tuple((run.seed, _thinned(run.curve(validation), MAX_POINTS)) for run in model.twins),
        )
        for model in group.models
    ]
    curves = [curve for curve in curves if len(curve.validation[0])]
    if not curves:
        return None
    low, high, span = _range(curves)
    near = low - 0.5 * span, high + 0.6 * span
    lines = group.measured_baselines
    inside = [(line, value) for line, value in lines if near[0] <= value <= near[1]]
    heights = [low, high, *(value for _, value in inside)]
    limits = (min(heights) - 0.07 * span, max(heights) + 0.07 * span)
    outside = tuple(each for each in lines if each not in inside)
    return Plot(tuple(curves), limits, tuple(inside), outside)


def _thinned(points: Points, most: int) -> Points:
    """Return means of neighbours where there are more points than the eye can see."""
    x, y = points
    if len(x) <= most:
        return x, y
    parts = np.linspace(0, len(x), most + 1).astype(int)[:-1]
    sizes = np.diff(np.append(parts, len(x)))
    return np.add.reduceat(x, parts) / sizes, np.add.reduceat(y, parts) / sizes


def _range(curves: Sequence[Curve]) -> tuple[float, float, float]:
    """Return the lowest and the highest bits/dim once the curves have settled, and a distance to see."""
    start = EARLY_SHARE * max(curve.validation[0][-1] for curve in curves)
    drawn = [(curve.validation, *(points for _, points in curve.seeds)) for curve in curves]
    settled = [y[x >= min(start, x[-1])] for points in drawn for x, y in points if len(x)]
    late = [y[x >= start] for x, y in (curve.train for curve in curves)]
    low = min(float(values.min()) for values in [*settled, *late] if len(values))
    high = max(float(values.max()) for values in settled)
    return low, high, max(high - low, 0.02 * abs(high), 1e-3)


def _draw(drawing: Figure, plot: Plot, size: tuple[int, int]) -> None:
    width, height = size
    is_wide = size == WIDE
    names = [*(curve.name for curve in plot.curves), *(line.name for line, _ in plot.lines)]
    letters = min(max(map(len, names)), MAX_LETTERS) if is_wide else 10
    right = 76 + _LETTER_PIXELS * letters if is_wide else 108
    inner_width, inner_height = width - LEFT - right, height - BOTTOM - TOP
    axes = drawing.add_axes(
        (LEFT / width, BOTTOM / height, inner_width / width, inner_height / height)
    )
    _dress(axes, plot, 7 if is_wide else 4)
    labels = []
    for line, value in plot.lines:
        axes.axhline(value, color="muted", linewidth=1, dashes=(2, 3), zorder=1)
        labels.append((value, line.name, "muted"))
    for curve in plot.curves:
        _draw_curve(axes, curve)
        # A narrow page has a key above the plot instead.
        labels.append((curve.last, curve.name if is_wide else "", series(curve.colour)))
    _label_ends(axes, labels, pixels=inner_height, letters=letters)


def _draw_curve(axes: Axes, curve: Curve) -> None:
    colour = series(curve.colour)
    axes.plot(*curve.train, color=colour, linewidth=1, alpha=0.4, zorder=2)
    for _, points in curve.seeds:
        axes.plot(*points, color=colour, linewidth=1, alpha=0.8, zorder=2)
    style: dict[str, object] = {
        "marker": _MARKERS[curve.colour % len(_MARKERS)],
        "markersize": 5,
        "markevery": max(1, len(curve.validation[0]) // 12),
        "markeredgewidth": 0,
        "linestyle": "-" if curve.colour < NUM_SERIES else "--",
    }
    axes.plot(*curve.validation, color=colour, linewidth=2, zorder=3, **style)  # type: ignore[arg-type]


def _dress(axes: Axes, plot: Plot, num_ticks: int) -> None:
    end = plot.end
    unit, word = (1e6, " (millions)") if end >= 5e6 else (1e3, " (thousands)")
    if end < 5e3:
        unit, word = 1.0, ""
    axes.set(xlim=(0, end * 1.01 or 1.0), ylim=plot.limits)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / unit:g}"))
    axes.xaxis.set_major_locator(MaxNLocator(num_ticks))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(f"image presentations{word}", color="muted")
    axes.set_ylabel("bits/dim", color="muted")
    axes.tick_params(colors="muted", length=0, pad=6)
    axes.grid(axis="y", color="rule", linewidth=1)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("muted")


def _label_ends(
    axes: Axes, labels: Sequence[tuple[float, str, str]], *, pixels: float, letters: int
) -> None:
    """Write each line's name and value beside its end, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    gap = _LABEL_GAP_PIXELS * (high - low) / pixels
    ordered = sorted(labels)
    places = spread([value for value, *_ in ordered], gap, low, high)
    for (value, name, colour), place in zip(ordered, places, strict=True):
        short = name if len(name) <= letters else f"{name[: letters - 1]}…"
        axes.annotate(
            f"{short} {value:.3f}".strip(),
            xy=(1.0, min(max(value, low), high)),
            xycoords=axes.get_yaxis_transform(),
            xytext=(1.025, place),
            textcoords=axes.get_yaxis_transform(),
            color=colour,
            va="center_baseline",
            fontsize=11.5,
            fontweight="normal" if colour == "muted" else "bold",
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.8, "shrinkA": 1, "shrinkB": 0},
        )


def spread(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move sorted values apart until neighbours are `gap` away, as little as possible.

    Values that collide form a cluster, evenly spaced about the mean of its members, inside
    `low`..`high` as long as there is room.

    Example:
        >>> spread([1.0, 1.1, 5.0], gap=1.0, low=0.0, high=9.0)
        [0.55, 1.55, 5.0]
    """

    def places(cluster: Sequence[float]) -> list[float]:
        length = (len(cluster) - 1) * gap
        start = math.fsum(cluster) / len(cluster) - length / 2
        start = max(min(start, high - length), low)
        return [round(start + index * gap, 9) for index in range(len(cluster))]

    clusters: list[list[float]] = []
    for value in values:
        clusters.append([value])
        while len(clusters) > 1 and places(clusters[-2])[-1] + gap > places(clusters[-1])[0]:
            clusters[-2:] = [clusters[-2] + clusters[-1]]
    return [place for cluster in clusters for place in places(cluster)]
