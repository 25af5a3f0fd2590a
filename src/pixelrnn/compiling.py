"""The compiled loops, made ready: said before it is waited for, and kept out of timings.

numba compiles a loop when it is first used on a machine, which takes a while, and keeps it on disk;
later it is loaded in an instant.
"""

import time
from collections.abc import Callable

import torch

from pixelrnn.kernels.compiled import told_of_compiling
from pixelrnn.models import AnyModelConfig, PixelCNNConfig, build
from pixelrnn.stepper.machine import is_compiled

COMPILING = "compiling the pixel loop, once on this machine: 10 to 30 seconds"
COMPILING_LAYERS = "compiling the layers, once on this machine: 10 to 60 seconds"


def make_loop_ready(on_compiling: Callable[[str], None] | None = None) -> float:
    """Compile the pixel loop, or load what was compiled before.

    Args:
        on_compiling: called with a line for the user before it is compiled.

    Returns:
        Seconds that it took.

    Example:
        >>> make_loop_ready() >= 0
        True
    """
    started = time.perf_counter()
    if not is_compiled():
        tiny = PixelCNNConfig(channels=1, num_levels=2, features=1, layers=1, head_features=1)
        with told_of_compiling(on_compiling, COMPILING):
            build(tiny).sample(1, size=(2, 3))
    return time.perf_counter() - started


def make_layers_ready(
    config: AnyModelConfig, on_compiling: Callable[[str], None] | None = None
) -> float:
    """Compile what a model's training and evaluation on the processor need, or load it.

    Args:
        config: of the model; only its kind, channels and likelihood matter.
        on_compiling: called with a line for the user before any of it is compiled.

    Returns:
        Seconds that it took.

    Example:
        >>> make_layers_ready(PixelCNNConfig(channels=1)) >= 0
        True
    """
    started = time.perf_counter()
    sizes = {"num_levels": 4, "features": 3, "layers": 1, "head_features": 3}
    images = torch.zeros(2, config.channels, 3, 4, dtype=torch.uint8)
    with (
        told_of_compiling(on_compiling, COMPILING_LAYERS),
        torch.random.fork_rng(devices=[]),
    ):
        model = build(
            config.model_copy(
                update={key: sizes[key] for key in sizes if key in type(config).model_fields}
            )
        )
        model.nats(images).backward()
        with torch.inference_mode():
            model.log_prob_map(images, dtype=torch.float64)  # as evaluation asks for it
    return time.perf_counter() - started
