"""The results of a page as numbers in columns."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelrnn.report.comparison import Group, group_by_data
from pixelrnn.runs import read_run

_OF_SEEDS = ("test_bits_per_dim", "test_bits_per_dim_standard_error", "validation_bits_per_dim",
             "image_presentations", "minutes")  # fmt: skip


def result_columns(group: Group) -> dict[str, list[Any]]:
    """Return the figures of the models in columns, as numbers, the best on test first.

    With several seeds they are means over them; memory, files and samples are of the first.
    """
    rows = []
    for model in group.models:
        result, gap = model.run.result, group.behind(model)
        rows.append(
            {
                "run": model.name,
                "parameters": result.parameters,
                "num_images": group.num_images,
                "num_pictures": group.num_pictures,
                "num_seeds": len(model.runs),
                "test_bits_per_dim": model.test_bits_per_dim,
                "test_standard_error": group.standard_error(model),
                "test_deviation_over_seeds": model.deviation,
                "behind_bits_per_dim": gap.mean if gap else None,
                "behind_standard_error": gap.standard_error if gap else None,
                "test_nats_per_image": model.mean("test_nats_per_image"),
                "validation_bits_per_dim": model.mean("validation_bits_per_dim"),
                "train_bits_per_dim": model.mean("train_bits_per_dim"),
                "file_bits_per_dim": result.file_bits_per_dim,
                "image_presentations": result.image_presentations,
                "images_per_second": model.mean("images_per_second"),
                "minutes": model.mean("minutes"),
                "seconds_per_sample": result.seconds_per_sample,
            }
        )
    return {key: [row[key] for row in rows] for key in rows[0]}


def line_columns(group: Group) -> dict[str, list[Any]]:
    """Return the lines to beat in columns, as numbers, the lowest first."""
    keys = ("name", "test_bits_per_dim", "standard_error", "note")
    return {key: [getattr(line, key) for line in group.baselines] for key in keys}


def over_seeds(folders: Sequence[Path], labels: Sequence[str]) -> dict[str, Any]:
    """Return what several seeds give: `models`, by the folder of the first, and `differences` of each two.

    All run folders are evaluated on the same images; `labels` are those of the page.
    """
    (group,) = group_by_data([read_run(folder) for folder in folders], labels)
    models = {
        model.run.path: {
            "mean_test_bits_per_dim": model.test_bits_per_dim,
            "mean_test_bits_per_dim_standard_error": group.standard_error(model),
            "test_bits_per_dim_standard_deviation_over_seeds": model.deviation,
            "seeds": [
                {"seed": run.seed} | {key: getattr(run.result, key) for key in _OF_SEEDS}
                for run in model.runs
            ],
        }
        for model in group.models
    }
    differences = [
        {
            "lower": pair.lower.name,
            "higher": pair.higher.name,
            "bits_per_dim": pair.gap.mean,
            "standard_error_over_images": None
            if math.isnan(pair.gap.standard_error)
            else pair.gap.standard_error,
            "survives_images": pair.survives_images,
            "standard_error_over_seeds": pair.seeds.standard_error,
            "degrees_of_freedom": pair.seeds.degrees_of_freedom,
            "p_value_over_seeds": pair.seeds.p_value,
            "survives_seeds": pair.seeds.survives,
        }
        for pair in group.pairs
    ]
    return {"models": models, "differences": differences}
