"""A user's modules, borrowed: in another precision or mode for a while, and given back as they were."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class _InPrecision(TorchFunctionMode):
    """Whatever asks for float32 in here gets another type of floats: `.float()`, constants, stray tensors.

    Tensors that are written into stay as they are.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.float:
            return args[0].to(self.dtype)
        name = getattr(func, "__name__", "")
        writes = "out" in kwargs or name in {"__setitem__", "__set__"} or _is_in_place(name)
        return func(*self._mapped(args, writes), **self._mapped(kwargs, writes))

    def _mapped(self, value: Any, writes: bool) -> Any:
        if value is torch.float32:
            return self.dtype
        if isinstance(value, Tensor) and value.dtype == torch.float32 and not writes:
            return value.to(self.dtype)
        if type(value) in {tuple, list}:
            return type(value)(self._mapped(each, writes) for each in value)
        if type(value) is dict:
            return {key: self._mapped(each, writes) for key, each in value.items()}
        return value


def _is_in_place(name: str) -> bool:
    if name.startswith("__"):
        return name.startswith("__i") and name not in {"__index__", "__int__", "__invert__"}
    return name.endswith("_")


@contextmanager
def borrowed(
    modules: Sequence[nn.Module], dtype: torch.dtype | None = None, *, training: bool = False
) -> Iterator[None]:
    """Set modules to a mode and a precision; give weights, buffers, modes and random states back after.

    Args:
        modules: those that a function uses.
        dtype: of weights, buffers and all that is computed; by default as they are.
        training: whether they are in training mode; else in evaluation mode.
    """
    every = list({id(each): each for module in modules for each in module.modules()}.values())
    modes = [(module, module.training) for module in every]
    # Those that were compiled to a graph keep their own weights: of them the mode alone is set.
    every = [each for each in every if not isinstance(each, torch.jit.ScriptModule)]
    tensors = {id(each): each for module in every for each in module.parameters(recurse=False)}
    data = [(each, each.data) for each in tensors.values()]
    buffers = [(module, dict(module._buffers)) for module in every]
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    default = torch.get_default_dtype()
    try:
        for parameter, value in data:
            parameter.data = _copied(value, dtype)
        for module, values in buffers:
            for name, buffer in values.items():
                module._buffers[name] = None if buffer is None else _copied(buffer, dtype)
        for module, _ in modes:
            module.training = training
        if dtype is None:
            yield
        else:
            torch.set_default_dtype(dtype)
            with _InPrecision(dtype):
                yield
    finally:
        torch.set_default_dtype(default)
        for parameter, value in data:
            parameter.data = value
        for module, values in buffers:
            module._buffers.update(values)
        for module, mode in modes:
            module.training = mode
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])


def _copied(value: Tensor, dtype: torch.dtype | None) -> Tensor:
    return value.to(dtype, copy=True) if dtype and value.is_floating_point() else value.clone()


def seed_all(seed: int) -> None:
    """Set every generator that a model may draw from; `borrowed` gives their states back."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
