"""`pixelrnn score --normal --unusual`: how well each score tells two sets of images apart."""

from pathlib import Path
from typing import Any

from pixelrnn.cli import console
from pixelrnn.cli.score_asked import NONE, REFERENCE_IMAGES, Asked, opened


def told_apart(
    model: Path,
    normal: str,
    unusual: str,
    reference: str | None,
    asked: Asked,
    count: int,
    group: int,
) -> dict[str, Any]:
    """Return how well each score of a model tells two sets apart."""
    from dataclasses import asdict, replace

    from pixelrnn.scoring.base import SCORES
    from pixelrnn.scoring.telling_apart import Sets, tell_apart

    scorer, opening = opened(model, asked, count)
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


def say_told(told: dict[str, Any]) -> None:
    """Print how well each score tells two sets apart."""
    groups = f", in groups of {told['group']:,}" if told["group"] > 1 else ""
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
