"""Compiled loops over whole maps, which training and evaluation on a processor spend their time in.

numpy and numba only: arrays in, arrays out. `layers/` and `likelihoods/` make them differentiable, and say
the same in torch for every other device. Arrays are flat, of float32 or float64, and are written in
place; a place in one is a number, a row of one is `stride` numbers from the next.

    products.py      weights times rows of a map, the gradient of the weights
    tiles.py         one tile of a product, in registers
    convolution.py   chains of masked convolutions over an image
    plans.py         where the weights of a chain lie for it
    recurrence.py    the LSTM over lines of some images      lanes.py      its cell, over a run of lanes
    softmax.py       the last layer of a network and a softmax over levels, a few pixels at a time
    mixture.py       the mixture of discretised logistics    logistics.py  its bins and weights
    elementary.py    exp, log, sigmoid, tanh
    memory.py        memory that is used again      threads.py  a share of the images for each thread
    compiled.py      functions compiled once on a machine, kept on disk
"""

import sys
import zlib
from pathlib import Path
from typing import Protocol

# numba compiles again where the file of a cached function has changed, but not where a function that it
# calls has. A default argument is part of what it looks up: this one stands for all the sources.
FINGERPRINT = zlib.crc32(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
)


class Device(Protocol):
    """Where a tensor is, as torch says it."""

    type: str


class Tensor(Protocol):
    """What is asked of a tensor of torch, which is not imported here."""

    @property
    def device(self) -> Device:
        """Where it is."""

    @property
    def dtype(self) -> object:
        """The type of its numbers."""


def is_supported(tensor: Tensor) -> bool:
    """Return whether the loops take a tensor: float32 or float64, in the processor's memory.

    While torch exports a model it follows its own operations only, and the loops take none.

    Example:
        >>> import torch
        >>> is_supported(torch.zeros(1)), is_supported(torch.zeros(1, dtype=torch.bfloat16))
        (True, False)
    """
    is_plain = tensor.device.type == "cpu" and str(tensor.dtype) in (
        "torch.float32",
        "torch.float64",
    )
    return is_plain and not is_exporting()


def is_exporting() -> bool:
    """Return whether torch exports a model at this moment; where there is no torch, it does not."""
    compiler = getattr(sys.modules.get("torch"), "compiler", None)
    ask = getattr(compiler, "is_exporting", None)  # from torch 2.7 on
    return bool(ask and ask())
