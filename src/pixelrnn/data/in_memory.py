"""Images that are in memory already: arrays of numpy, tensors, and data sets of torch.

torch is not imported here: a tensor is known by what it can do.
"""

import operator
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from pixelrnn.data.dataset import DataSet, Images, Labels
from pixelrnn.data.splits import splits_of
from pixelrnn.errors import DataError

IN_MEMORY = "in memory"  # the source of such images in a recipe
Channels = Literal["first", "last"]
WANTED = "uint8 (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 or 3 channels"
# Floats k / 255, as torchvision's ToTensor makes them, are the levels k again within this.
NEAR = 1e-3
MOST_CLASSES = 1 << 31  # a number beyond is none of a class


def from_array(
    train: Any,
    validation: Any = None,
    test: Any = None,
    *,
    num_levels: int = 256,
    channels: Channels | None = None,
    name: str = IN_MEMORY,
) -> DataSet:
    """Return images in memory as a data set; see `DataSet.from_array`."""
    given = {"train": train, "validation": validation, "test": test}
    parts = {
        split: _channels_first(array, channels, split)
        for split, array in given.items()
        if array is not None
    }
    return _split(parts, num_levels, name, {})


def from_torch(
    train: Any,
    validation: Any = None,
    test: Any = None,
    *,
    num_levels: int = 256,
    name: str = IN_MEMORY,
) -> DataSet:
    """Return a data set of torch as one of ours; see `DataSet.from_torch`."""
    given = {"train": train, "validation": validation, "test": test}
    read = {split: _stack(each, split) for split, each in given.items() if each is not None}
    labels = {split: numbers for split, (_, numbers) in read.items() if numbers is not None}
    parts = {split: images for split, (images, _) in read.items()}
    return _split(parts, num_levels, name, labels if len(labels) == len(parts) else {})


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


def _split(
    parts: dict[str, Images], num_levels: int, name: str, labels: dict[str, Labels]
) -> DataSet:
    if "validation" in parts and "test" not in parts:
        raise DataError("validation images came without test images: give both, or the latter")
    (train, validation, test), rule = splits_of(parts, "as given")
    return DataSet(
        name=name,
        num_levels=num_levels,
        train=train,
        validation=validation,
        test=test,
        source=IN_MEMORY,
        licence="the owner's",
        notes=(),
        split_rule=rule,
        labels=splits_of(labels, "")[0] if labels else None,
    )


def _channels_first(images: Any, channels: Channels | None, split: str) -> Images:
    array = _array(images)
    found = f"{split} images are {array.dtype} {array.shape}, but must be {WANTED}"
    if array.dtype != np.uint8:
        raise DataError(f"{found}: {_advice(array.dtype)}")
    if array.ndim == 3:
        array = array[:, np.newaxis]
    elif array.ndim != 4:
        raise DataError(f"{found}: a single image needs a first axis, x[None]")
    elif channels is None:
        channels = _guess(array.shape, found)
    if channels == "last":
        array = array.transpose(0, 3, 1, 2)
    if array.shape[1] not in (1, 3):
        raise DataError(f"{found}: {array.shape[1]} channels are neither 1 nor 3")
    if 0 in array.shape:
        raise DataError(f"{found}: there are no pixels in it")
    return np.ascontiguousarray(array)


def _guess(shape: tuple[int, ...], found: str) -> Channels:
    first, last = shape[1] in (1, 3), shape[3] in (1, 3)
    if first == last:
        raise DataError(
            f'{found}: say where they are, with channels="first" or channels="last"'
            if first
            else f"{found}: neither axis 1 nor axis 3 has 1 or 3 channels"
        )
    return "first" if first else "last"


def _advice(dtype: "np.dtype[Any]") -> str:
    if dtype.kind == "f":
        return "if its values are 0 ... 1, give (x * 255).round().astype('uint8')"
    return "convert with x.astype('uint8') if every value is 0 ... 255"


def _array(images: Any) -> "np.ndarray[Any, Any]":
    """Return an array or a tensor as an array."""
    if hasattr(images, "detach"):
        return np.asarray(images.detach().cpu().numpy())
    if not isinstance(images, np.ndarray):
        raise DataError(f"images in memory are an array or a tensor, not {type(images).__name__}")
    return images


def _stack(dataset: Sequence[Any], split: str) -> tuple[Images, Labels | None]:
    """Return the images of a data set of torch, `(N, C, H, W)`, and its labels, `(N,)`, if it has some."""
    try:
        count = len(dataset)
    except TypeError as error:
        raise DataError(
            f"the {split} data set has no length: give one that is indexed, or DataSet.from_array"
        ) from error
    if not count:
        raise DataError(f"the {split} data set is empty")
    images, labels = [], []
    for n in range(count):
        item = dataset[n]
        labels.append(_label(item))
        images.append(_one(item, f"image {n} of the {split} data set"))
        if images[-1].shape != images[0].shape:
            raise DataError(
                f"image {n} of the {split} data set has the shape {images[-1].shape} (C, H, W), the first "
                f"{images[0].shape}: resize them in the data set's transform"
            )
    known = [label for label in labels if 0 <= label < MOST_CLASSES]
    return np.stack(images), np.array(known, np.int64) if len(known) == count else None


def _label(item: Any) -> int:
    """Return the class of an item of a data set, the second of a tuple; -1 if it has none."""
    if isinstance(item, dict):
        item = (None, item.get("label"))
    try:
        return operator.index(item[1]) if isinstance(item, tuple | list) else -1
    except (TypeError, IndexError):
        return -1


def _one(item: Any, where: str) -> Images:
    """Return one item of a data set, an image or a tuple that begins with one, as `(C, H, W)`."""
    if isinstance(item, dict):
        item = item.get("image", item.get("pixel_values", item))
    if isinstance(item, tuple | list) and item:
        item = item[0]
    if hasattr(item, "getbands"):
        return _of_pillow(item, where)
    if not hasattr(item, "shape") or not hasattr(item, "dtype"):
        raise DataError(
            f"{where} is {type(item).__name__}: give a tensor, an array or Pillow's image"
        )
    is_tensor, array = hasattr(item, "detach"), _array(item)
    if array.dtype.kind == "f":
        array = _levels(array, where)
    if array.dtype != np.uint8:
        raise DataError(f"{where} is of {array.dtype}: {_advice(array.dtype)}")
    if array.ndim == 2:
        return array[np.newaxis]
    first, last = (shape in (1, 3) for shape in (array.shape[0], array.shape[-1]))
    if array.ndim != 3 or not (first or last):
        raise DataError(f"{where} has the shape {array.shape}: give (H, W), or 1 or 3 channels too")
    # Where both may be: tensors have their channels first, arrays of numpy last, by custom.
    return array if first and (is_tensor or not last) else array.transpose(2, 0, 1)


def _levels(array: "np.ndarray[Any, Any]", where: str) -> Images:
    """Return floats k / 255 as k."""
    levels = array.astype(np.float64) * 255
    nearest = np.clip(np.nan_to_num(levels).round(), 0, 255)
    if not np.all(np.abs(levels - nearest) < NEAR):
        raise DataError(
            f"{where} holds floats that are not levels / 255: leave out transforms such as Normalize, or "
            "give uint8"
        )
    found: Images = nearest.astype(np.uint8)
    return found


def _of_pillow(image: Any, where: str) -> Images:
    if image.mode not in ("L", "RGB"):
        raise DataError(f'{where} is of mode {image.mode}: use image.convert("L") or "RGB"')
    pixels = np.array(image, np.uint8)
    height, width, *_ = pixels.shape
    images: Images = pixels.reshape(height, width, -1).transpose(2, 0, 1)
    return images
