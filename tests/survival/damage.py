"""Damage run folders at random and go on: `python tests/survival/damage.py --count 500`.

A file of a run that was stopped half-way is damaged: bits flipped, bytes replaced, cut short, emptied, a
part taken out, or other valid JSON or TOML put in its place. To go on must then either end with an error
that has a name, or give the weights and curves of a run that nothing disturbed, bit for bit; and to read
the weights must give those that were there, or such an error.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console

from pixelrnn.errors import PixelRNNError, TrainingInterrupted
from pixelrnn.models import store
from pixelrnn.training import load_recipe, resume, train
from pixelrnn.training.loop import Loop, Now

TINY = ("model.features=4", "model.layers=1", "training.image_presentations=96",
        "training.batch_size=16", "training.validations=3", "training.threads=1",
        "training.checkpoint_seconds=0", "schedule.kind='plateau'")  # fmt: skip
FILES = ("recipe.toml", "result.json", "metrics.csv", "checkpoint/last.safetensors",
         "model.safetensors", "config.json", "environment.json")  # fmt: skip
VALUES = ("[]", "{}", "3", "null", '"text"', "[[[]]]", "true", '{"finished": 3}', "a = 1\n",
          '{"data_sha256": []}', '{"finished": false, "recipe_sha256": null}', "[model]\n",
          "model = 3\n", "\ufeff", "\x00" * 50, "step\n1\n", "[" * 3000)  # fmt: skip
CLOCK = ("minutes", "images_per_second")
SILENT = Console(quiet=True)


def prepare(folder: Path) -> tuple[Path, Path]:
    """Train once to the end and once to the middle; return both runs."""
    whole, half = folder / "whole", folder / "half"
    train(load_recipe("digits-pixelcnn", TINY), whole, console=SILENT)
    with stopping_after(3):
        try:
            train(load_recipe("digits-pixelcnn", TINY), half, console=SILENT)
        except TrainingInterrupted:
            return whole, half
    raise RuntimeError("it did not stop")


@contextmanager
def stopping_after(steps: int) -> Iterator[None]:
    """Have a signal come when so many steps are recorded."""
    agree = Loop._agree

    def agree_to_stop(self: Loop) -> Now:
        if self.trainee.steps == steps:
            self._job.signals.number = 15
        return agree(self)

    Loop._agree = agree_to_stop
    try:
        yield
    finally:
        Loop._agree = agree


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Return the content of a file after something happened to it."""
    place = draw.randrange(len(content))
    length = draw.randrange(1, 40)
    match draw.randrange(7):
        case 0 | 1:
            flipped = content[place] ^ (1 << draw.randrange(8))
            return content[:place] + bytes([flipped]) + content[place + 1 :]
        case 2:
            return content[:place] + draw.randbytes(length) + content[place + length :]
        case 3:
            return content[:place]
        case 4:
            return b""
        case 5:
            return content[:place] + content[place + length :]
        case _:
            return draw.choice(VALUES).encode()


def outcome(run: Path, whole: Path) -> str:
    """Go on with a run; return "right", "refused", or what is wrong."""
    try:
        resume(run, console=SILENT)
    except PixelRNNError as error:
        return "refused" if error.exit_code == 2 and "\n" not in str(error) else f"{error!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if not same_weights(run, whole):
        return "other weights"
    return "right" if curves(run) == curves(whole) else "other curves"


def read(run: Path, half: Path) -> str:
    """Read a run's weights; return "right", "refused", or what is wrong."""
    try:
        return "right" if same_weights(run, half) else "other weights"
    except PixelRNNError:
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def same_weights(one: Path, other: Path) -> bool:
    """Return whether two runs hold the same weights, bit for bit."""
    a, b = (store.load(run).state_dict() for run in (one, other))
    return all(torch.equal(a[name], b[name]) for name in a)


def curves(run: Path) -> list[list[str]]:
    """Return the curves of a run without what depends on the clock."""
    rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    kept = [k for k, name in enumerate(rows[0]) if name not in CLOCK]
    return [[row[k] for k in kept] for row in rows]


def trial(half: Path, whole: Path, place: Path, draw: random.Random) -> tuple[str, str, str]:
    """Damage one file of a copy; return its name, what reading gave, and what going on gave."""
    run = shutil.copytree(half, place)
    file = run / draw.choice(FILES)
    file.write_bytes(damaged(file.read_bytes(), draw))
    found = file.name, read(run, half), outcome(run, whole)
    shutil.rmtree(run)
    return found


def main() -> int:
    """Damage, go on, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    counted: Counter[str] = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as name:
        whole, half = prepare(Path(name))
        for number in range(arguments.count):
            draw = random.Random(f"{arguments.seed} {number}")
            file, *found = trial(half, whole, Path(name) / "run", draw)
            counted[found[1]] += 1
            if not {"right", "refused"}.issuperset(found):
                faults.append(f"{number}: {file}: {found}")
    print(json.dumps(counted), len(faults), "faults")  # noqa: T201
    print("\n".join(faults))  # noqa: T201
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
