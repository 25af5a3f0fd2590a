"""Small images as data URLs, at their own size: the page enlarges them without smoothing."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image


def data_url(image: npt.NDArray[np.uint8], num_levels: int) -> str:
    """Return one image as a PNG in a data URL.

    Args:
        image: uint8 `(C, H, W)`, values below `num_levels`; levels are spread over 0..255. With
            other than one or three channels the first is shown.
        num_levels: how many values a sub-pixel has, 2..256.

    Example:
        >>> data_url(np.zeros((1, 2, 2), dtype=np.uint8), 17)[:22]
        'data:image/png;base64,'
    """
    levels = np.rint(image.astype(np.float64) * (255 / (num_levels - 1))).astype(np.uint8)
    shown = levels.transpose(1, 2, 0) if len(levels) == 3 else levels[0]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(shown)).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
