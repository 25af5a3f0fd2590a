"""The compiled loops, made ready: said before it is waited for, and kept out of timings.

numba compiles a loop when it is first used on a machine, which takes a while, and keeps it on disk;
later it is loaded in an instant.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pixelrnn.coding import Codec, load_program
from pixelrnn.kernels.compiled import notify_of_compiling

if TYPE_CHECKING:
    from pixelrnn.models import AnyModelConfig

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
    return Codec(load_program("digits-pixelcnn")).make_ready(on_compiling)


def make_layers_ready(
    config: "AnyModelConfig", on_compiling: Callable[[str], None] | None = None
) -> float:
    """Compile what a model's training and evaluation on the processor need, or load it.

    Args:
        config: of the model; only its kind, channels and likelihood matter.
        on_compiling: called with a line for the user before any of it is compiled.

    Returns:
        Seconds that it took.

    Example:
        >>> from pixelrnn.models import PixelCNNConfig
        >>> make_layers_ready(PixelCNNConfig(channels=1)) >= 0
        True
    """
    import torch  # noqa: PLC0415 - the loop is made ready without it

    from pixelrnn.models import build  # noqa: PLC0415

    started = time.perf_counter()
    sizes = {"num_levels": 4, "features": 3, "layers": 1, "head_features": 3}
    images = torch.zeros(2, config.channels, 3, 4, dtype=torch.uint8)
    with (
        notify_of_compiling(on_compiling, COMPILING_LAYERS),
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
