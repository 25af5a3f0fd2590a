"""What seeds make of the differences between models: rows for the page's tables, and words.

Two questions are kept apart. Would other test images undo a difference? That is asked of the same trained
weights, image by image. Would other seeds? That is asked of the same images, by Welch's t-test on one
figure a seed. A difference that is to be believed survives both.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from pixelrnn.report import formats
from pixelrnn.report.comparison import Difference, Entry, Group, difference
from pixelrnn.uncertainty import SIGNIFICANCE, least_deviations, no_verdict, p_value


@dataclass(frozen=True)
class Pair:
    """Two models, the lower first, and by how much the other is above it.

    `survives_images` is `None` where there are too few pictures to tell.
    """

    lower: Entry
    higher: Entry
    gap: Difference
    survives_images: bool | None


@dataclass(frozen=True)
class PairRow:
    """A pair as text."""

    pair: Pair
    mean: str
    image_error: str
    survives_images: str
    seed_error: str
    survives_seeds: str
    survives: bool


@dataclass(frozen=True)
class RunRow:
    """One model's test bits/dim by seed, as text: `(seed, bits/dim)`."""

    entry: Entry
    runs: tuple[tuple[str, str], ...]
    mean: str
    deviation: str


def pairs(group: Group) -> tuple[Pair, ...]:
    """Return every two models that both have several seeds, the best first."""
    entries = [entry for entry in group.evaluated if entry.twins]
    return tuple(_pair(group, *two) for two in itertools.combinations(entries, 2))


def _pair(group: Group, lower: Entry, higher: Entry) -> Pair:
    gap = difference(lower, higher, group.pictures)
    few = bool(no_verdict(group.num_pictures or 0))
    return Pair(lower, higher, gap, None if few else gap.distinguishable)


def pair_rows(group: Group) -> tuple[PairRow, ...]:
    """Return the rows of the table of differences: nothing if no two models have several seeds."""
    return tuple(_pair_row(pair) for pair in pairs(group))


def _pair_row(pair: Pair) -> PairRow:
    gap, over = pair.gap, pair.gap.seeds
    assert over is not None
    return PairRow(
        pair=pair,
        mean=formats.bits(gap.mean),
        image_error=formats.error(gap.standard_error),
        survives_images=yes_or_no(pair.survives_images),
        seed_error=formats.error(over.standard_error),
        survives_seeds=f"{yes_or_no(over.survives)}, {p_value(over.p_value)}",
        survives=over.survives and pair.survives_images is True,
    )


def run_rows(group: Group) -> tuple[RunRow, ...]:
    """Return the single runs of the models that have several."""
    return tuple(
        RunRow(
            entry=entry,
            runs=tuple((str(run.seed), formats.bits(run.test_bits_per_dim)) for run in entry.runs),
            mean=formats.bits(entry.test_bits_per_dim),
            deviation=formats.error(entry.deviation),
        )
        for entry in group.evaluated
        if entry.twins
    )


def yes_or_no(answer: bool | None) -> str:
    """Write an answer, or that there is none.

    Example:
        >>> yes_or_no(True), yes_or_no(None)
        ('yes', 'no verdict')
    """
    return {True: "yes", False: "no", None: "no verdict"}[answer]


def in_the_verdict(group: Group, gaps: Sequence[Difference]) -> str:
    """Return what a verdict adds where the best model is ahead of all others by these, the next first."""
    if not any(entry.twins for entry in group.evaluated):
        return ""
    known = [gap.seeds for gap in gaps if gap.seeds is not None]
    if len(known) < len(gaps):
        return " Whether other seeds would change that is not known: not every model has several."
    return f" Other seeds would hardly change that either ({p_value(known[0].p_value)})."


def why_undecided(gap: Difference) -> str:
    """Return why a difference that does not survive does not, where seeds are known."""
    if gap.seeds is None:
        return ""
    found = p_value(gap.seeds.p_value)
    if gap.seeds.survives:
        return f": more than other seeds explain ({found}), but not more than other images"
    if gap.distinguishable:
        return f": more than other images explain, but not more than other seeds ({found})"
    return f": other images may explain that, and so may other seeds ({found})"


def remark(group: Group) -> str:
    """Return how seeds are judged, and how little few of them can show; nothing where there are none."""
    counts = [len(entry.runs) for entry in group.evaluated if entry.twins]
    if not counts:
        return ""
    fewest = min(counts)
    return (
        f"So figures are means over {_numbers(counts)} seeds, and of a difference it is also asked whether "
        "other seeds would undo it, by Welch's t-test on one figure a seed, two-sided at "
        f"{100 * SIGNIFICANCE:.0f} %. "
        f"With {fewest} seeds each, only differences above about {least_deviations(fewest):.1f} standard "
        "deviations of a single run survive that: one that does not may be real all the same."
    )


def _numbers(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"
