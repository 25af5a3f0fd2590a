"""What torch is told beside the model: types, the precision of GPUs, the default device, where to run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from pixelrnn.errors import DeviceError

DEVICES = "auto, cpu, cuda, cuda:0 (or another number), or mps"


@contextmanager
def usual_torch() -> Iterator[None]:
    """Let torch make float32 on the processor inside the `with`, whatever its user made the default.

    And let float32 be float32 on a GPU, whose convolutions would take 10 bits of each number for 23.

    Example:
        >>> with torch.device("meta"), usual_torch():
        ...     torch.zeros(1).device
        device(type='cpu')
    """
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    short = torch.backends.cudnn.allow_tf32
    # The type is of the whole process, and a device slows every operation: neither is set in vain.
    with ExitStack() as stack:
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
            stack.callback(torch.set_default_dtype, dtype)
        if device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if short:
            torch.backends.cudnn.allow_tf32 = False
            stack.callback(setattr, torch.backends.cudnn, "allow_tf32", short)
        yield


def find_device(name: str | torch.device) -> torch.device:
    """Return a device of this machine by its name; "auto" is the fastest that there is.

    Raises:
        DeviceError: if it has no such device.

    Example:
        >>> find_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if _count(kind)))
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(f"there is no device {name!r}: give {DEVICES}") from error
    count = _count(device.type)
    if (device.index or 0) >= count:
        have = f"{count} of {device.type}" if count else f"no {device.type}"
        raise DeviceError(f"there is no device {device} here: torch finds {have}; give {DEVICES}")
    return device


def _count(kind: str) -> int:
    """Return how many devices of a kind there are, of those that a model can run on."""
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    return int(kind == "cpu")


def is_recorded(tensor: Tensor) -> bool:
    """Return whether what is done to a tensor now is recorded for later: nothing in it can be read.

    Example:
        >>> is_recorded(torch.zeros(1))
        False
    """
    return tensor.is_cuda and torch.cuda.is_current_stream_capturing()
