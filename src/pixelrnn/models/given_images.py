"""What people hand to a model: images of numpy or of torch, checked against it."""

import numpy as np
import torch
from torch import Tensor

from pixelrnn.arrays import Images
from pixelrnn.errors import ImageMismatchError
from pixelrnn.models.torch_state import is_recorded
from pixelrnn.wording import colours, counted

AnyImages = Tensor | Images
TENSORS = (torch.uint8, torch.int32)  # of up to 256 levels, and of more
LEVELS = "levels as uint8, or uint16 where there are more than 256,"


def as_tensor(images: AnyImages, device: torch.device) -> Tensor:
    """Return images as a tensor; those of numpy go to the device, tensors stay where they are.

    Raises:
        ImageMismatchError: if they are neither.

    Example:
        >>> as_tensor(np.zeros((2, 1, 4, 4), np.uint8), torch.device("cpu")).shape
        torch.Size([2, 1, 4, 4])
    """
    if isinstance(images, Tensor):
        return images.int() if images.dtype == torch.uint16 else images
    _require_levels(images)
    wide = images.astype(np.int32) if images.dtype == np.uint16 else images
    return torch.from_numpy(np.array(wide, order="C")).to(device)


def as_levels(levels: Tensor, num_levels: int) -> Tensor:
    """Return levels, of which there are so many, as tensors of them are: of one byte, or of four.

    Example:
        >>> as_levels(torch.tensor([3, 300]), 1024).dtype
        torch.int32
    """
    return levels.to(TENSORS[num_levels > 1 << 8])


def as_array(images: AnyImages) -> Images:
    """Return images as an array of numpy; raises `ImageMismatchError` for what is neither.

    Example:
        >>> as_array(torch.zeros(2, 1, 4, 4, dtype=torch.uint8)).shape
        (2, 1, 4, 4)
    """
    if isinstance(images, Tensor):
        array = images.detach().cpu().numpy()
        return array.astype(np.uint16) if array.dtype == np.int32 else array
    _require_levels(images)
    return images


def _require_levels(images: object) -> None:
    if not isinstance(images, np.ndarray):
        raise ImageMismatchError(
            f"a model takes {LEVELS} (B, C, H, W) as a tensor or an array of numpy, not "
            f"{type(images).__name__}: give np.stack(images)"
        )
    if images.dtype not in (np.uint8, np.uint16):
        raise ImageMismatchError(_no_levels(images.dtype, images.shape))


def check_images(images: AnyImages, channels: int, num_levels: int) -> None:
    """Raise `ImageMismatchError` unless the images are `(B, C, H, W)` of such levels; B may be 0.

    Args:
        images: a tensor or an array.
        channels: colours that they must have.
        num_levels: values must be below it.
    """
    shape = tuple(images.shape)
    if images.dtype not in (*TENSORS, np.uint8, np.uint16):
        raise ImageMismatchError(_no_levels(images.dtype, shape))
    if len(shape) == 3 and channels in (shape[0], 1):
        advice = "images[None]" if shape[0] == channels else "images[:, None]"
        raise ImageMismatchError(
            f"a model takes images (B, C, H, W), not one of shape {shape}: give {advice}"
        )
    if len(shape) != 4:
        raise ImageMismatchError(_no_levels(images.dtype, shape))
    if shape[1] != channels:
        turned = f"; give images.{_turned(images)}, if the channels are last" * (
            shape[3] == channels
        )
        raise ImageMismatchError(
            f"this model is of {colours(channels)} images, but these have "
            f"{counted(shape[1], 'channel')}: use a model trained on such images{turned}"
        )
    if 0 in shape[2:]:
        raise ImageMismatchError(
            f"images of shape {shape} have no pixels: there is nothing to score"
        )
    if isinstance(images, Tensor) and is_recorded(images):
        return
    highest, lowest = (int(images.max()), int(images.min())) if shape[0] else (0, 0)
    if lowest < 0:
        raise ImageMismatchError(f"a level is 0 or more, but a sub-pixel is {lowest}")
    if highest >= num_levels:
        raise ImageMismatchError(
            f"this model is of images with {num_levels} levels (0 to {num_levels - 1}), "
            f"but a sub-pixel is {highest}"
        )


def _turned(images: AnyImages) -> str:
    return "permute(0, 3, 1, 2)" if isinstance(images, Tensor) else "transpose(0, 3, 1, 2)"


def _no_levels(dtype: object, shape: tuple[int, ...]) -> str:
    return f"a model takes {LEVELS} (B, C, H, W), not {dtype} of shape {shape}"
