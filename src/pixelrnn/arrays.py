"""Arrays that are handed from part to part, by what their numbers are."""

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]  # (N, C, H, W) between parts, (H, W, C) in the compiled loop
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MAX_CHANNELS = 16  # of an image
