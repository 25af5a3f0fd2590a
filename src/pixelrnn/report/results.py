"""The results of a page as numbers in columns, and as a table for LaTeX."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelrnn.report import formats
from pixelrnn.report.comparison import Entry, Group, group_by_data
from pixelrnn.report.run_folder import read_run_folder
from pixelrnn.report.seeds import Pair, pairs
from pixelrnn.report.tables import model_rows

_TEX = {letter: "\\" + letter for letter in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def result_columns(group: Group) -> dict[str, list[Any]]:
    """Return the figures of the models in columns, as numbers, the best on test first.

    With several seeds they are means over them; memory, files and samples are of the first.
    """
    rows = []
    for entry in group.entries:
        result = entry.run.result
        gap = group.behind(entry) if entry.evaluated and entry is not group.best else None
        rows.append(
            {
                "run": entry.name,
                "parameters": result.parameters,
                "num_images": group.num_images,
                "num_pictures": group.num_pictures,
                "num_seeds": len(entry.runs),
                "test_bits_per_dim": entry.test_bits_per_dim,
                "test_standard_error": group.standard_error(entry) if entry.evaluated else None,
                "test_deviation_over_seeds": entry.deviation,
                "behind_bits_per_dim": gap.mean if gap else None,
                "behind_standard_error": gap.standard_error if gap else None,
                "test_nats_per_image": entry.mean("test_nats_per_image"),
                "validation_bits_per_dim": entry.mean("validation_bits_per_dim"),
                "train_bits_per_dim": entry.mean("train_bits_per_dim"),
                "file_bits_per_dim": result.file_bits_per_dim,
                "image_presentations": result.image_presentations,
                "images_per_second": entry.mean("images_per_second"),
                "minutes": entry.mean("minutes"),
                "seconds_per_sample": result.seconds_per_sample,
            }
        )
    return {key: [row[key] for row in rows] for key in rows[0]}


def over_seeds(folders: Sequence[Path], labels: Sequence[str]) -> dict[str, Any]:
    """Return what several seeds give: `models`, by the folder of the first, and `differences` of each two.

    All run folders are evaluated on the same images; `labels` are those of the page.
    """
    runs = [read_run_folder(folder) for folder in folders]
    (group,) = group_by_data(runs, labels)
    models = {entry.run.path: _model_over_seeds(group, entry) for entry in group.entries}
    return {"models": models, "differences": [_difference(pair) for pair in pairs(group)]}


def _model_over_seeds(group: Group, entry: Entry) -> dict[str, Any]:
    keys = (
        "test_bits_per_dim",
        "test_bits_per_dim_standard_error",
        "validation_bits_per_dim",
        "image_presentations",
        "minutes",
    )
    return {
        "mean_test_bits_per_dim": entry.test_bits_per_dim,
        "mean_test_bits_per_dim_standard_error": group.standard_error(entry),
        "test_bits_per_dim_standard_deviation_over_seeds": entry.deviation,
        "seeds": [
            {"seed": run.seed} | {key: getattr(run.result, key) for key in keys}
            for run in entry.runs
        ],
    }


def _difference(pair: Pair) -> dict[str, Any]:
    gap, over = pair.gap, pair.gap.seeds
    assert over is not None
    return {
        "lower": pair.lower.name,
        "higher": pair.higher.name,
        "bits_per_dim": gap.mean,
        "standard_error_over_images": None
        if math.isnan(gap.standard_error)
        else gap.standard_error,
        "survives_images": pair.survives_images,
        "standard_error_over_seeds": over.standard_error,
        "degrees_of_freedom": over.degrees_of_freedom,
        "p_value_over_seeds": over.p_value,
        "survives_seeds": over.survives,
    }


def line_columns(group: Group) -> dict[str, list[Any]]:
    """Return the lines to beat in columns, as numbers, the lowest first."""
    lines = group.baselines()
    return {
        "name": [line.name for line in lines],
        "test_bits_per_dim": [line.test_bits_per_dim for line in lines],
        "standard_error": [line.standard_error for line in lines],
        "note": [line.note for line in lines],
    }


def latex(group: Group) -> str:
    """Return the results as a table for LaTeX with the package booktabs."""
    lines = [
        f"% {_tex(group.first.result.data)}: {group.images_in_words}; one standard error after the sign.",
        r"\begin{tabular}{lrrrr}",
        r"\toprule",
        r"Model & Parameters & Test (bits/dim) & Validation (bits/dim) & Behind (bits/dim) \\",
        r"\midrule",
    ]
    for row in model_rows(group):
        cells = [
            _tex(row.entry.name),
            row.parameters.replace(",", r"\,"),
            _measured(row.test, row.test_error),
            _measured(row.validation, ""),
            _measured(row.behind, row.behind_error),
        ]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _measured(value: str, error: str) -> str:
    if value == formats.MISSING:
        return "--"
    return f"${value}$" if error in ("", formats.MISSING) else rf"${value} \pm {error}$"


def _tex(text: str) -> str:
    """Escape what LaTeX would read as a command."""
    return "".join(_TEX.get(letter, letter) for letter in " ".join(text.split()))
