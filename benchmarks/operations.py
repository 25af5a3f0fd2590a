"""How many floating-point operations a training step needs, counted over the weights that exist.

A weight is used at every pixel, in three products: forward, in the gradient to the layer's input, and in
the gradient to the weight itself. Each is a multiplication and an addition. Where the input is the
image, no gradient to it is needed. Biases and element-wise work count nothing.
"""

from collections.abc import Iterator

from torch import nn

from pixelrnn.errors import RecipeError
from pixelrnn.layers import LineLSTM, MaskedConv2d
from pixelrnn.models import AutoregressiveModel, ResidualModel

OPERATIONS = 2  # a multiplication and an addition
PRODUCTS, PRODUCTS_OF_AN_IMAGE = 3, 2


def training_flops_per_image(model: AutoregressiveModel, height: int, width: int) -> int:
    """Return the floating-point operations of one training image of `height` x `width` pixels.

    Taps that fall outside the image are counted, as if they were inside.

    Example:
        Two maps from image and border by 24 taps, a block of 2 + 5 + 2 weights, a head of 2 + 2.

        >>> from pixelrnn.models import PixelCNNConfig, build
        >>> sizes = {"channels": 1, "num_levels": 2, "features": 1, "layers": 1, "head_features": 1}
        >>> model = build(PixelCNNConfig(**sizes, likelihood={"kind": "categorical"}))
        >>> training_flops_per_image(model, 1, 1) == 2 * (2 * 2 * 2 * 24 + 3 * (9 + 4))
        True
    """
    if not isinstance(model, ResidualModel):
        raise RecipeError(f"the operations of a {model.config.kind} are not known: bench others")
    from_the_image = [model.stem]
    if model.prediction is not None:
        from_the_image.append(model.prediction.conv)
    products = 0
    for owner, weight in used_weights(model):
        reads_the_image = any(owner is conv for conv in from_the_image)
        products += weight.numel() * (PRODUCTS_OF_AN_IMAGE if reads_the_image else PRODUCTS)
    return OPERATIONS * products * height * width


def used_weights(model: AutoregressiveModel) -> Iterator[tuple[nn.Module, nn.Parameter]]:
    """Yield the weights that are multiplied at every pixel, each with the layer that has it."""
    for module in model.modules():
        if isinstance(module, MaskedConv2d):
            yield module, module.weight
        elif isinstance(module, LineLSTM):
            yield module, module.state_to_state
