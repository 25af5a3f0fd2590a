"""Images to train and evaluate on: uint8 `(N, C, H, W)`, with splits that never change.

`load` takes the name of a set in the catalogue, a folder of images, an array file or a CIFAR
archive; `DataSet.from_array` and `from_torch` take what is in memory. Nothing here imports torch;
libraries that read files are imported when they are needed.

Example:
    >>> from pixelrnn.data import load
    >>> digits = load("digits")
    >>> digits.images("validation").shape, digits.num_levels
    ((150, 1, 8, 8), 17)
"""

from pixelrnn.arrays import Images
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.loading import load
from pixelrnn.data.options import DataOptions
from pixelrnn.data.splits import SPLITS

__all__ = ["SPLITS", "DataOptions", "DataSet", "Images", "load"]
