"""Images that are in memory already: arrays of numpy, tensors, and data sets of torch.

torch is not imported here: a tensor is known by what it can do.
"""

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import MAX_CHANNELS, Images
from pixelrnn.data.arrays import are_channels_first, levels_of, require_images
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.splits import SPLITS, Part, split_images
from pixelrnn.errors import DataError

IN_MEMORY = "in memory"  # the source of such images in a recipe
Array = npt.NDArray[Any]
Channels = Literal["first", "last"]
WANTED = (
    f"uint8 or uint16 (N, H, W), (N, C, H, W) or (N, H, W, C) with up to {MAX_CHANNELS} channels"
)
# Floats k / 255, as torchvision's ToTensor makes them, are the levels k again within this.
NEAR = 1e-3
MOST_CLASSES = 1 << 31  # a number beyond is none of a class


def from_array(
    *given: Any,
    num_levels: int | None = None,
    channels: Channels | None = None,
    name: str = IN_MEMORY,
) -> DataSet:
    """Return images in memory as a data set; see `DataSet.from_array`."""
    return _data_set(given, partial(_channels_first, channels), num_levels, name)


def from_torch(*given: Any, num_levels: int = 256, name: str = IN_MEMORY) -> DataSet:
    """Return a data set of torch as one of ours; see `DataSet.from_torch`."""
    return _data_set(given, _stack, num_levels, name)


def as_data_set(images: Any) -> DataSet:
    """Return what people hand over in place of a data set as one.

    Raises:
        DataError: if it is none of an array, a tensor and a data set of torch.
    """
    if isinstance(images, DataSet):
        return images
    if hasattr(images, "dtype") and hasattr(images, "shape"):
        return from_array(images)
    if hasattr(images, "__getitem__") and not isinstance(images, str | bytes | dict):
        return from_torch(images)
    raise DataError(
        f"images in memory are an array of numpy, a data set of torch with a length, or a DataSet, not "
        f"{type(images).__name__}; for a name or a path: pixelrnn.data.load(...)"
    )


def _data_set(
    given: Sequence[Any], read: Callable[[Any, str], Part], num_levels: int | None, name: str
) -> DataSet:
    parts = {
        split: read(each, split)
        for split, each in zip(SPLITS, given, strict=False)
        if each is not None or split == "train"
    }
    if "validation" in parts and "test" not in parts:
        raise DataError("validation images came without test images: give both, or the latter")
    split = split_images(parts, "as given")
    num_levels = num_levels or levels_of(part.images for part in parts.values())
    return DataSet(name=name, num_levels=num_levels, source=IN_MEMORY, **split)


def _channels_first(channels: Channels | None, images: Any, split: str) -> Part:
    array = _array(images)
    found = f"{split} images are {array.dtype} {array.shape}, but must be {WANTED}"
    require_images(array.shape, array.dtype, found, "give")
    if array.ndim == 3:
        array = array[:, np.newaxis]
    elif (channels or _guess(array, found)) == "last":
        array = array.transpose(0, 3, 1, 2)
    if array.shape[1] > MAX_CHANNELS:
        raise DataError(f"{found}: {array.shape[1]} channels are too many")
    return Part(array)


def _guess(array: Array, found: str) -> Channels:
    shape = array.shape
    first, last = shape[1] in (1, 3), shape[3] in (1, 3)
    if first and last:
        raise DataError(f'{found}: say where they are, with channels="first" or channels="last"')
    if not first and not last and not are_channels_first(shape, array.dtype):
        raise DataError(f'{found}: say where they are, with channels="first" or channels="last"')
    return "last" if last else "first"


def _array(images: Any) -> Array:
    """Return an array or a tensor as an array."""
    if hasattr(images, "detach"):
        return np.asarray(images.detach().cpu().numpy())
    if not isinstance(images, np.ndarray):
        raise DataError(f"images in memory are an array or a tensor, not {type(images).__name__}")
    return images


def _stack(dataset: Sequence[Any], split: str) -> Part:
    """Return the images of a data set of torch, with their labels if all have one."""
    name = f"the {split} data set"
    try:
        count = len(dataset)
    except TypeError as error:
        raise DataError(
            f"{name} has no length: give one that is indexed, or DataSet.from_array"
        ) from error
    if not count:
        raise DataError(f"{name} is empty")
    images, labels = [], []
    for n in range(count):
        item = dataset[n]
        labels.append(_label(item))
        images.append(_image(item, f"image {n} of {name}"))
        if images[-1].shape != images[0].shape:
            raise DataError(
                f"image {n} of {name} has the shape {images[-1].shape} (C, H, W), the first "
                f"{images[0].shape}: resize them in the data set's transform"
            )
    is_labelled = all(0 <= label < MOST_CLASSES for label in labels)
    return Part(np.stack(images), np.array(labels, np.int64) if is_labelled else None)


def _label(item: Any) -> int:
    """Return the class of an item of a data set, the second of a tuple; -1 if it has none."""
    if isinstance(item, dict):
        item = (None, item.get("label"))
    try:
        return operator.index(item[1]) if isinstance(item, tuple | list) else -1
    except (TypeError, IndexError):
        return -1


def _image(item: Any, where: str) -> Images:
    """Return one item of a data set, an image or a tuple that begins with one, as `(C, H, W)`."""
    if isinstance(item, dict):
        item = item.get("image", item.get("pixel_values", item))
    if isinstance(item, tuple | list) and item:
        item = item[0]
    is_tensor = hasattr(item, "detach")
    if hasattr(item, "getbands"):
        if item.mode not in ("L", "RGB"):
            raise DataError(f'{where} is of mode {item.mode}: use image.convert("L") or "RGB"')
        array: Images = np.array(item, np.uint8)
    elif hasattr(item, "shape") and hasattr(item, "dtype"):
        array = _as_bytes(_array(item), where)
    else:
        raise DataError(
            f"{where} is {type(item).__name__}: give a tensor, an array or Pillow's image"
        )
    if array.ndim == 2:
        return array[np.newaxis]
    first, last = (side in (1, 3) for side in (array.shape[0], array.shape[-1]))
    if array.ndim != 3 or not (first or last):
        raise DataError(f"{where} has the shape {array.shape}: give (H, W), or 1 or 3 channels too")
    # Where both may be: tensors have their channels first, arrays of numpy last, by custom.
    return array if first and (is_tensor or not last) else array.transpose(2, 0, 1)


def _as_bytes(array: Array, where: str) -> Images:
    """Return levels, or floats that are levels / 255, as levels."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise DataError(
            f"{where} is of {array.dtype}: convert with x.astype('uint8') if every value is 0 ... 255"
        )
    levels = array.astype(np.float64) * 255
    nearest = np.clip(np.nan_to_num(levels).round(), 0, 255)
    if not np.all(np.abs(levels - nearest) < NEAR):
        raise DataError(
            f"{where} holds floats that are not levels / 255: leave out transforms such as Normalize, or "
            "give uint8"
        )
    found: Images = nearest.astype(np.uint8)
    return found
