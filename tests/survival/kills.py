"""Kill training at random moments, go on, and compare: `python tests/survival/kills.py --count 100`.

Each run is killed with SIGKILL about three times, after random waits, and goes on each time. Its weights
and curves must then equal those of a run that nothing disturbed, bit for bit, and nothing must be left
beside them. Prints one line of figures; the exit code says whether all survived. Needs `fork`, which saves
each process the time to import torch.
"""

import argparse
import csv
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from safetensors.torch import load_file

from pixelrnn.training import load_recipe, resume, train

# So high a rate, and no average, that the last validation is seldom the best.
TINY = ("model.features=4", "model.layers=1", "training.epochs=0.4", "training.batch_size=16",
        "training.validations=10", "training.checkpoint_seconds=0", "training.threads=1",
        "training.ema_decay=0", "optimizer.learning_rate=2.0", "schedule.kind='constant'")  # fmt: skip
KINDS = ("pixelcnn", "row-lstm", "diagonal-bilstm")
CLOCK = ("minutes", "images_per_second")  # the columns that differ between equal runs


def main() -> int:
    """Kill, go on, compare, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="kills, at least")
    parser.add_argument("--seconds", type=float, default=3600, help="begin no run after that")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    kills, runs, faults = 0, 0, list[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wholes = {kind: whole(folder / kind, kind) for kind in KINDS}
        end = time.monotonic() + arguments.seconds
        while kills < arguments.count and time.monotonic() < end:
            kind = draw.choice(KINDS)
            run = folder / f"run-{runs}"
            kills += killed(run, kind, draw, wholes[kind])
            runs += 1
            if found := differences(run, folder / kind):
                faults.append(f"{run.name} ({kind}): {', '.join(found)}")
            shutil.rmtree(run)
    print(f"{kills} kills in {runs} runs; {runs - len(faults)} runs equal undisturbed ones")  # noqa: T201
    print("\n".join(faults))  # noqa: T201
    return 1 if faults else 0


def start(run: Path, kind: str) -> int:
    """Begin a run, or go on with it, in a process of its own; return its number."""
    process = os.fork()
    if process:
        return process
    try:
        if (run / "recipe.toml").is_file():
            resume(run, console=Console(quiet=True))
        else:
            train(load_recipe(f"digits-{kind}", TINY), run, console=Console(quiet=True))
        os._exit(0)
    except BaseException as error:
        os.write(2, f"{run}: {type(error).__name__} {error}\n".encode())
        os._exit(1)


def whole(run: Path, kind: str) -> float:
    """Train without a disturbance; return the seconds that it takes."""
    seconds = 0.0
    for _ in range(2):  # the second time nothing is compiled
        shutil.rmtree(run, ignore_errors=True)
        started = time.monotonic()
        os.waitpid(start(run, kind), 0)
        seconds = time.monotonic() - started
    return seconds


def killed(run: Path, kind: str, draw: random.Random, seconds: float) -> int:
    """Train with kills at random moments, then to the end; return how many there were."""
    kills = 0
    for _ in range(3):
        process = start(run, kind)
        end = time.monotonic() + draw.uniform(0.2, 1.0) * seconds
        status = 0
        while not status and time.monotonic() < end:
            time.sleep(0.002)
            status, _code = os.waitpid(process, os.WNOHANG)
        if status:
            return kills
        os.kill(process, signal.SIGKILL)
        kills += os.WIFSIGNALED(os.waitpid(process, 0)[1])
    os.waitpid(start(run, kind), 0)
    return kills


def differences(run: Path, other: Path) -> list[str]:
    """Return what differs from the run that nothing disturbed."""
    faults = []
    for name in ("model.safetensors", "best.safetensors"):
        one, two = ({} if not file.is_file() else load_file(file)
                    for file in (run / name, other / name))  # fmt: skip
        if one.keys() != two.keys() or not all(torch.equal(one[key], two[key]) for key in one):
            faults.append(f"other weights in {name}")
    if curves(run) != curves(other):
        faults.append("other curves")
    if left := [file.name for file in run.rglob("*") if file.name.startswith(".")]:
        faults.append(f"left behind {', '.join(left)}")
    return faults


def curves(run: Path) -> list[dict[str, str]]:
    """Return the rows of a run's curves without what depends on the clock."""
    with (run / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in CLOCK} for row in csv.DictReader(file)]


if __name__ == "__main__":
    sys.exit(main())
