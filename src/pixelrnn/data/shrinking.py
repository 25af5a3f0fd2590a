"""Small images of large ones: one pixel of each square."""

from dataclasses import replace

from pixelrnn.data.dataset import DataSet
from pixelrnn.data.patches import Uncut


def shrunk(data: DataSet, factor: int) -> DataSet:
    """Return the images of a set, of which the top left pixel of each square is kept.

    They are what a model of several scales takes for small images; see `graph/conditions.py`.

    Args:
        data: the images.
        factor: side of a square in pixels.

    Example:
        >>> import numpy as np
        >>> data = DataSet.from_array(np.arange(10 * 25, dtype=np.uint8).reshape(10, 5, 5))
        >>> shrunk(data, 2).images("train")[0, 0].tolist()
        [[0, 2, 4], [10, 12, 14], [20, 22, 24]]
    """
    each = (slice(None),) * 2 + (slice(None, None, factor),) * 2
    parts = {split: replace(part, images=part.images[each]) for split, part in data.parts.items()}
    uncut = data.uncut and Uncut(
        tuple(picture[each[1:]] for picture in data.uncut.pictures), data.uncut.numbers
    )
    return replace(
        data,
        name=f"{data.name} (one pixel of {factor}x{factor})",
        parts=parts,
        uncut=uncut,
        notes=(*data.notes, f"one pixel of each square of {factor} x {factor} is kept"),
    )
