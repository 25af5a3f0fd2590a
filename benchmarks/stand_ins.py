"""What stands in for the images of a recipe, so that its speed can be measured without them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.training.recipe import Recipe

COARSE_PIXELS = 8  # between the values that are drawn; between them images are smooth
NOISE = 0.02  # of the whole range, so that no level is certain


def for_known_images(recipe: Recipe) -> Recipe:
    """Return the recipe with channels, levels and size of its images, where these are known by name.

    Others (a folder, an array) would have to be read: for them the recipe is returned as it is, with
    the size that it asks for, if it does.

    Example:
        >>> from pixelrnn.training.recipe import load_recipe
        >>> for_known_images(load_recipe("digits-pixelcnn")).model.image_size
        (8, 8)
    """
    options = recipe.data.options()
    side = options.patch_size
    size = (side, side) if side else options.size or recipe.model.image_size
    values: dict[str, object] = {"image_size": size}
    if entry := CATALOGUE.get(recipe.data.source):
        channels, height, width = entry.image_shape
        values = {
            "channels": channels,
            "num_levels": entry.num_levels(options),
            "image_size": (side, side) if side else (height, width),
        }
    return recipe.model_copy(update={"model": recipe.model.model_copy(update=values)})


def smooth_images(
    count: int, channels: int, height: int, width: int, num_levels: int, seed: int = 0
) -> Tensor:
    """Draw smooth images with a little noise, uint8 `(count, channels, height, width)`.

    Example:
        >>> images = smooth_images(2, 3, 20, 30, num_levels=17)
        >>> tuple(images.shape), int(images.max()) < 17
        ((2, 3, 20, 30), True)
    """
    generator = torch.Generator().manual_seed(seed)
    coarse_size = (height // COARSE_PIXELS + 2, width // COARSE_PIXELS + 2)
    coarse = torch.rand(count, channels, *coarse_size, generator=generator)
    values = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=True)
    values += NOISE * torch.randn(values.shape, generator=generator)
    return (values * num_levels).clamp(0, num_levels - 1).to(torch.uint8)
