"""The scores there are, a file each; a file that is added is found."""

from pixelrnn.registry import import_all

import_all(__name__, __path__)
