"""Operations: what a program is made of, a file each; see `base.py`.

linear.py       weighted sums of taps
relu.py         max(x, 0); in integers, what makes wide results narrow
add.py          sums of maps
lstm.py         the LSTM's cell
gate.py         the gated activation
embed.py        rows of a table
attend.py       attention to earlier pixels

scales.py       what real number an integer stands for      export.py    from floats to integers
checks.py       nothing lies outside                        bounds.py    no sum leaves 32 bits
oracle.py       a program of floats in plain numpy
gating.py       what lstm and gate share
products.py, attention_products.py    sums of products
tables.py, work.py    what compiled steps read and write
"""

from pixelrnn.operations.base import OPERATIONS, Kind, register
from pixelrnn.registry import import_all

import_all(__name__, __path__)

__all__ = ["OPERATIONS", "Kind", "register"]
