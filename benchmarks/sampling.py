"""How fast images are sampled: the stepper beside the usual loop, one run, medians side by side.

The usual loop passes the whole image through the network for every pixel (for every sub-pixel where the
network takes the colours one after the other) and keeps one value of each pass. A pass costs the same
at every pixel, so a few are timed and scaled. What it does besides, sampling values, is left out, in
its favour. Compilation and start-up are measured apart.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.in_turn import measure_in_turn
from pixelrnn.compiling import make_loop_ready
from pixelrnn.models import AutoregressiveModel
from pixelrnn.processes import usable_cores
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.drawing import draw

REPEATS = 5
PASS_PIXELS = 1 << 18  # of all images in one pass of the whole-image loop: its memory
_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")

Size = tuple[int, int]


@dataclass(frozen=True)
class Timing:
    """Medians for a batch of images of one size.

    Attributes:
        size: (height, width).
        batch: images sampled together.
        repeats: times that each was measured, in turn.
        threads: "all threads".
        stepper_seconds_1_thread: for the batch.
        stepper_seconds_all_threads: for the batch.
        whole_image_pass_seconds: one pass of the batch through the network, on all threads.
        whole_image_passes: how many a batch needs.
        whole_image_images_timed: in a pass; scaled to the batch where they are fewer.
        multiplications_per_pixel: of weights, none of them masked.
    """

    size: Size
    batch: int
    repeats: int
    threads: int
    stepper_seconds_1_thread: float
    stepper_seconds_all_threads: float
    whole_image_pass_seconds: float
    whole_image_passes: int
    whole_image_images_timed: int
    multiplications_per_pixel: int

    @property
    def whole_image_seconds_scaled(self) -> float:
        """What the usual loop would need for the batch."""
        return self.whole_image_pass_seconds * self.whole_image_passes

    @property
    def speed_up(self) -> float:
        """How many times faster the stepper is, both on all threads."""
        return self.whole_image_seconds_scaled / self.stepper_seconds_all_threads

    @property
    def gflops_per_core(self) -> float:
        """Billions of floating-point operations per second on one core, two for each weight."""
        pixels = self.batch * self.size[0] * self.size[1]
        return 2e-9 * self.multiplications_per_pixel * pixels / self.stepper_seconds_1_thread

    @property
    def thread_scaling(self) -> float | None:
        """How many times faster all threads are than one; None if there are too few images."""
        if self.batch < self.threads or self.threads == 1:
            return None
        return self.stepper_seconds_1_thread / self.stepper_seconds_all_threads

    def as_dict(self) -> dict[str, Any]:
        """Return fields and derived figures, units in their names."""
        derived = ("whole_image_seconds_scaled", "speed_up", "gflops_per_core", "thread_scaling")
        return asdict(self) | {name: getattr(self, name) for name in derived}


@dataclass
class SamplingBenchmark:
    """What was measured of one model.

    Attributes:
        timings: of every size and batch.
        peak_memory_mb: above that before, for one image of each size; None where unknown.
        ready_seconds: to compile the loop, or to load it; in no other figure.
        lowering_seconds: to export the model for the loop; in no other figure.
        finished: False after Ctrl-C.
    """

    timings: list[Timing] = field(default_factory=list)
    peak_memory_mb: dict[Size, float | None] = field(default_factory=dict)
    ready_seconds: float = 0.0
    lowering_seconds: float = 0.0
    finished: bool = True

    def size_ratios(self) -> list[dict[str, Any]]:
        """Return how time grows with the image, one thread, the smallest batch, against the first."""
        batch = min((timing.batch for timing in self.timings), default=0)
        found = [timing for timing in self.timings if timing.batch == batch]
        return [
            {
                "size": other.size,
                "against_size": found[0].size,
                "pixels_ratio": _pixels(other.size) / _pixels(found[0].size),
                "seconds_ratio": other.stepper_seconds_1_thread / found[0].stepper_seconds_1_thread,
            }
            for other in found[1:]
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "compiling_or_loading_seconds": self.ready_seconds,
            "lowering_seconds": self.lowering_seconds,
            "timings": [timing.as_dict() for timing in self.timings],
            "size_ratios": self.size_ratios(),
            "one_image_peak_memory_mb": [
                {"size": size, "peak_memory_mb": peak} for size, peak in self.peak_memory_mb.items()
            ],
            "finished": self.finished,
        }


def benchmark_sampling(
    model: AutoregressiveModel,
    sizes: Sequence[Size],
    batches: Sequence[int],
    *,
    threads: int | None = None,
    repeats: int = REPEATS,
    on_compiling: Callable[[str], None] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> SamplingBenchmark:
    """Measure how fast a model samples; Ctrl-C ends it with what is measured so far.

    Args:
        model: the model, float32 on the CPU.
        sizes: (height, width) of images.
        batches: numbers of images sampled together.
        threads: what "all threads" are; by default one for each usable core.
        repeats: measurements of each, in turn; fewer where they take more than a minute.
        on_compiling: called with a line for the user if the loop must be compiled first.
        on_progress: called with the repetitions done since its last call, of at most
            `len(sizes) * len(batches) * repeats`.

    Example:
        >>> from pixelrnn.models import PixelCNNConfig, build
        >>> model = build(PixelCNNConfig(channels=1, features=4, layers=1))
        >>> found = benchmark_sampling(model, [(4, 4)], [1], repeats=1)
        >>> found.timings[0].whole_image_passes
        16
    """
    threads = threads or usable_cores()
    found = SamplingBenchmark(ready_seconds=make_loop_ready(on_compiling))
    started = time.perf_counter()
    coder, multiplications = model.coder(), model.lower().multiplications
    found.lowering_seconds = time.perf_counter() - started
    torch_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        for size in sizes:  # before torch has taken memory that could be used again
            found.peak_memory_mb[size] = one_image_peak_memory_mb(model, coder, size)
        for size, batch in itertools.product(sizes, batches):
            blank = np.zeros((batch, model.config.channels, *size), np.uint8)
            few = torch.from_numpy(blank[: max(1, PASS_PIXELS // _pixels(size))].copy())
            ways = [partial(draw, coder, blank, np.array(False), threads=n) for n in (1, threads)]
            measured = measure_in_turn(
                [*ways, partial(_whole_image_pass, model, few)], repeats, on_progress
            )
            one, every, whole = measured.seconds
            timing = Timing(
                size=size,
                batch=batch,
                repeats=measured.repeats,
                threads=threads,
                stepper_seconds_1_thread=one,
                stepper_seconds_all_threads=every,
                whole_image_pass_seconds=whole * batch / len(few),
                whole_image_passes=_pixels(size) * model.likelihood.groups,
                whole_image_images_timed=len(few),
                multiplications_per_pixel=multiplications,
            )
            found.timings.append(timing)
            if not measured.finished:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        found.finished = False
    finally:
        torch.set_num_threads(torch_threads)
    return found


def _whole_image_pass(model: AutoregressiveModel, images: Tensor) -> None:
    """Pass images through the network and keep the parameters of one pixel."""
    with torch.inference_mode():
        model(images)[..., -1, -1].clone()


def _pixels(size: Size) -> int:
    return size[0] * size[1]


def one_image_peak_memory_mb(model: AutoregressiveModel, coder: Coder, size: Size) -> float | None:
    """Return by how much one image raises the memory of the process, in millions of bytes."""
    with suppress(OSError):
        _CLEAR.write_text("5")  # forget the peak so far
    before = _status_mb("VmRSS:")
    draw(coder, np.zeros((1, model.config.channels, *size), np.uint8), np.array(False), threads=1)
    peak = _status_mb("VmHWM:")
    return None if before is None or peak is None else max(0.0, peak - before)


def _status_mb(key: str) -> float | None:
    if not _STATUS.is_file():
        return None
    for line in _STATUS.read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024 / 1e6
    return None
