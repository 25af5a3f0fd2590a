"""What a run computes on: devices, precision, threads, and memory that is kept for the next step."""

import ctypes
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException

from pixelrnn.errors import RecipeError
from pixelrnn.kernels.threads import end as end_workers
from pixelrnn.processes import usable_cores
from pixelrnn.training.tables import TrainingTable

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # as malloc.h numbers them
_DEFAULTS = {_TRIM_THRESHOLD: 128 << 10, _TOP_PAD: 128 << 10, _MMAP_MAX: 65536}
_KEEPING = {_TRIM_THRESHOLD: -1, _TOP_PAD: 256 << 20, _MMAP_MAX: 0}


def make_fabric(training: TrainingTable, say: Callable[[str], None]) -> Fabric:
    """Return the devices of a run, and what connects them; nothing is started yet.

    Raises:
        RecipeError: if this machine does not have the devices that the recipe asks for.
    """
    several = training.devices * training.num_nodes > 1
    try:
        with quiet():
            return Fabric(
                accelerator=training.accelerator,
                strategy="ddp" if several else "auto",
                devices=training.devices,
                num_nodes=training.num_nodes,
                precision=_precision(training, say),
            )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise RecipeError(
            f"training.accelerator = {training.accelerator}, devices = {training.devices}, "
            f"precision = {training.precision} does not work on this machine: {error}"
        ) from error


def _precision(
    training: TrainingTable, say: Callable[[str], None]
) -> Literal["32-true", "bf16-mixed"]:
    if training.precision == "32-true":
        return training.precision
    if training.accelerator in ("auto", "gpu") and torch.cuda.is_available():
        has_units = torch.cuda.is_bf16_supported()
    else:
        has_units = training.precision == "bf16-mixed" and _processor_has_matrix_units()
    if training.precision == "bf16-mixed" and not has_units:
        say("this machine has no units for half precision: training in single precision, 32-true")
    return "bf16-mixed" if has_units else "32-true"


def _processor_has_matrix_units() -> bool:
    """Return whether products in half precision are what the processor is fastest at (AMX)."""
    ask = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(ask and ask())


@contextmanager
def threads(count: int | None, processes: int = 1) -> Iterator[None]:
    """Use so many threads inside the `with`, or torch's number, if each process may use so many cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or max(1, min(before, usable_cores() // processes)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def tuned() -> Iterator[None]:
    """Have the processor and the allocator suit training, in all threads inside the `with`.

    Arithmetic gives zero for numbers below the normal ones: decay takes the weights of dead features among
    them, with which a processor is several times as slow. And glibc, where it is there, keeps what is
    freed for the next step's arrays: otherwise every large one is new pages, which the system clears first.
    """
    smallest = torch.tensor(torch.finfo(torch.float32).tiny)
    before = bool(smallest / 2 == 0)
    _set_flushing(True)
    _set_allocator(_KEEPING)
    try:
        yield
    finally:
        _set_allocator(_DEFAULTS)
        _set_flushing(before)


def _set_flushing(on: bool) -> None:
    """Set it for this thread and those that it starts: compiled loops have to start theirs anew."""
    torch.set_flush_denormal(on)
    end_workers()


def _set_allocator(values: Mapping[int, int]) -> None:
    set_one = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_one:
        for parameter, value in values.items():
            set_one(parameter, value)


def reset_peak_memory() -> None:
    """Forget the peak so far, where the system allows it (Linux)."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def peak_memory_mb() -> float:
    """Return the peak resident memory since `reset_peak_memory`, or else since the start, in 10^6 bytes.

    On a GPU its memory is added, since both are needed.
    """
    on_gpu = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else 0.0
    return on_gpu + _resident_mb()


def _resident_mb() -> float:
    if _STATUS.is_file():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return 0.0
    import resource  # noqa: PLC0415 - it does not exist on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what Fabric says about things that are so on purpose."""
    logger = logging.getLogger("lightning_fabric")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
