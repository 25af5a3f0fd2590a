"""The name of a fault, from where what leaks lies: in words, with what usually causes it."""

from typing import NamedTuple

import numpy as np

from pixelrnn.arrays import Flags
from pixelrnn.auditing.dependence import Dependence
from pixelrnn.wording import counted, joined

COLOURS = ("red", "green", "blue")
NEARLY_ALL = 0.95


class Use(NamedTuple):
    """Something that is used and must not be.

    Attributes:
        what: it is, from the position that uses it.
        cause: what usually causes it.
    """

    what: str
    cause: str


OWN = Use(
    "its own value",
    "a first mask of type B where A is needed, a later kernel that reads one pixel to the right, a "
    "residual or skip connection around the first layer, or outputs that predict the next position "
    "and were not shifted by one",
)
GROUPS = (
    "colour groups of a mask that do not match how the outputs are reshaped (interleaved against "
    "contiguous), or how an LSTM's gates or a gate's halves are split"
)
OWN_PIXEL = Use(
    "its own value and later colours of its own pixel",
    f"masks that do not tell colours apart, {GROUPS}, or a first mask of type B where A is needed",
)
RIGHT = (
    "a kernel or recurrence that is not masked to the right, or the right-hand map of a Diagonal "
    "BiLSTM that was not moved down one row"
)
BELOW_LEFT = (
    "a column-wise state convolution that reads rows r and r + 1 (padded at the bottom) instead of r "
    "- 1 and r"
)
BELOW = (
    "a kernel that is not masked below or is padded at the bottom, or rows that are scanned upwards"
)
ALL = Use(
    "all that comes later",
    "no mask, attention without its causal mask, LSTMs that run both ways along rows and columns, or "
    "a norm or mean over positions",
)
LATER = Use("other pixels that come later in this order", "a mask of another order")


def in_words(found: Dependence) -> str:
    """Return what is used that must not be, and what usually causes it."""
    uses = uses_of(found)
    if not uses:
        return "it uses what comes later"
    causes = "; ".join(dict.fromkeys(use.cause for use in uses))
    return f"it uses {joined([use.what for use in uses])}. Usual causes: {causes}"


def uses_of(found: Dependence) -> list[Use]:
    """Return what is used that must not be; nothing if nothing is."""
    leaks = found.by_offset(found.leaks)
    if not leaks.any():
        return []
    row, column = (size // 2 for size in leaks.shape[2:])
    uses = _own_pixel(leaks[:, :, row, column])
    plane: Flags = np.asarray(leaks.any(axis=(0, 1)))
    if not found.order.is_raster:
        plane[row, column] = False
        return [*uses, LATER] if plane.any() else uses
    later = found.by_offset(found.forbidden)
    if found.is_complete and leaks.sum() >= NEARLY_ALL * later.sum() and plane.size > 1:
        return [ALL]
    right, below = plane[row, column + 1 :], plane[row + 1 :]
    if right.any():
        uses.append(Use(f"{_reach(right, 'column')} to its right in its row", RIGHT))
    if below.any():
        uses.append(_below(below, column))
    return uses


def _own_pixel(here: Flags) -> list[Use]:
    """Return what a pixel uses of itself that it must not; `here` is (used colour, group)."""
    if not here.any():
        return []
    own = bool(here.diagonal().any()) if here.shape[1] == here.shape[0] else bool(here.any())
    pairs = [(used, by) for used, by in np.argwhere(here) if used != by]
    if own:
        return [OWN_PIXEL if pairs else OWN]
    seen = joined([_pair(*pair) for pair in pairs[:3]])
    return [Use(f"later colours of its own pixel ({seen})", GROUPS)]


def _pair(used: int, by: int) -> str:
    return f"{colour(by)} sees {colour(used)}"


def colour(number: int) -> str:
    """Return what a colour is called."""
    return COLOURS[number] if number < len(COLOURS) else f"colour {number}"


def _reach(flags: Flags, thing: str) -> str:
    if flags.all():
        return "everything"
    return f"up to {counted(int(np.flatnonzero(flags).max()) + 1, thing)}"


def _below(below: Flags, column: int) -> Use:
    rows = f"{_reach(np.asarray(below.any(axis=1)), 'row')} below"
    left, right = bool(below[:, :column].any()), bool(below[:, column + 1 :].any())
    if left and not right and not below[:, column].any():
        return Use(f"{rows}, only to the left", BELOW_LEFT)
    where = {(False, False): " in its own column", (True, False): ", to the left and straight down",
             (False, True): ", to the right"}.get((left, right), "")  # fmt: skip
    return Use(f"{rows}{where}", f"{BELOW}; {BELOW_LEFT}" if left else BELOW)


def other_order(found: Dependence) -> str:
    """Return the name of another order in which it would be causal; "" if there is none that is usual."""
    if not found.is_complete:
        return ""
    channels, height, width = found.order.positions.shape
    channel, row, column = np.indices((channels, height, width))
    per_pixel = channels * (row * width + column)
    orders = {
        "column by column": channels * (column * height + row) + channel,
        "colours in reverse (blue, green, red)": per_pixel + channels - 1 - channel,
        "all of one colour after all of another": (channel * height + row) * width + column,
        "from the last pixel to the first": (height * width * channels - 1)
        - (per_pixel + channels - 1 - channel),
        "from the last sub-pixel to the first": (height * width * channels - 1)
        - per_pixel
        - channel,
        "right to left in each row": channels * (row * width + width - 1 - column) + channel,
        "from the bottom row up": channels * ((height - 1 - row) * width + column) + channel,
    }
    moved = found.moved.numpy()
    places = [found.order.place(step) for step in found.steps]
    for name, positions in orders.items():
        of_groups = positions if moved.shape[1] == channels else positions.min(axis=0)[None]
        used = np.array([positions[place.channel, place.row, place.column] for place in places])
        if not (moved & (used[:, None, None, None] >= of_groups)).any():
            return name
    return ""
