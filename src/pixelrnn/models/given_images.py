"""What people hand to a model: images of numpy or of torch, checked against it."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelrnn.errors import ImageMismatchError

AnyImages = Tensor | npt.NDArray[np.uint8]


def as_tensor(images: AnyImages, device: torch.device) -> Tensor:
    """Return images as a tensor; those of numpy go to the device, tensors stay where they are.

    Raises:
        ImageMismatchError: if they are neither.

    Example:
        >>> as_tensor(np.zeros((2, 1, 4, 4), np.uint8), torch.device("cpu")).shape
        torch.Size([2, 1, 4, 4])
    """
    if isinstance(images, Tensor):
        return images
    _require_bytes(images)
    return torch.from_numpy(np.array(images, order="C")).to(device)


def as_array(images: AnyImages) -> npt.NDArray[np.uint8]:
    """Return images as an array of numpy; raises `ImageMismatchError` for what is neither.

    Example:
        >>> as_array(torch.zeros(2, 1, 4, 4, dtype=torch.uint8)).shape
        (2, 1, 4, 4)
    """
    if isinstance(images, Tensor):
        return images.detach().cpu().numpy()
    _require_bytes(images)
    return images


def _require_bytes(images: object) -> None:
    if not isinstance(images, np.ndarray):
        raise ImageMismatchError(
            "a model takes uint8 images (B, C, H, W) as a tensor or an array of numpy, not "
            f"{type(images).__name__}: give np.stack(images)"
        )
    if images.dtype != np.uint8:
        raise ImageMismatchError(_not_bytes(images.dtype, images.shape))


def check_images(images: AnyImages, channels: int, num_levels: int) -> None:
    """Raise `ImageMismatchError` unless the images are uint8 `(B, C, H, W)` of such levels; B may be 0.

    Args:
        images: a tensor or an array.
        channels: colours that they must have.
        num_levels: values must be below it.
    """
    shape = tuple(images.shape)
    if images.dtype not in (torch.uint8, np.uint8):
        raise ImageMismatchError(_not_bytes(images.dtype, shape))
    if len(shape) == 3 and channels in (shape[0], 1):
        advice = "images[None]" if shape[0] == channels else "images[:, None]"
        raise ImageMismatchError(
            f"a model takes uint8 images (B, C, H, W), not one of shape {shape}: give {advice}"
        )
    if len(shape) != 4:
        raise ImageMismatchError(_not_bytes(images.dtype, shape))
    if shape[1] != channels:
        turned = f"; give images.{_turned(images)}, if the channels are last" * (
            shape[3] == channels
        )
        raise ImageMismatchError(
            f"this model is of {_kind(channels)}, but the images have {shape[1]}: "
            f"use a model trained on such images{turned}"
        )
    if 0 in shape[2:]:
        raise ImageMismatchError(
            f"images of shape {shape} have no pixels: there is nothing to score"
        )
    highest = int(images.max()) if shape[0] else 0
    if highest >= num_levels:
        raise ImageMismatchError(
            f"this model is of images with {num_levels} levels (0 to {num_levels - 1}), "
            f"but a sub-pixel is {highest}"
        )


def _kind(channels: int) -> str:
    """Return what images of so many channels are called."""
    known = {1: "grey images (1 channel)", 3: "colour images (3 channels)"}
    return known.get(channels, f"images of {channels} channels")


def _turned(images: AnyImages) -> str:
    return "permute(0, 3, 1, 2)" if isinstance(images, Tensor) else "transpose(0, 3, 1, 2)"


def _not_bytes(dtype: object, shape: tuple[int, ...]) -> str:
    return f"a model takes uint8 images (B, C, H, W), not {dtype} of shape {shape}"
