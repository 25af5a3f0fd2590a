"""The name of a fault, from where what leaks lies: in words, with what usually causes it."""

import numpy as np

from pixelrnn.arrays import Flags
from pixelrnn.auditing.dependence import Dependence
from pixelrnn.wording import counted, joined

COLOURS = ("red", "green", "blue")
NEARLY_ALL = 0.95
OWN = (
    "its own value: a first mask of type B where A is needed, a residual or skip connection around the "
    "first layer, or outputs that predict the next position and were not shifted by one"
)
LATER_COLOURS = (
    "later colours of its own pixel: colour groups of a mask that do not match how the outputs "
    "are reshaped, "
    "or how an LSTM's or a gate's features are split"
)
OWN_PIXEL = (
    "its own pixel, its own value and later colours: masks that do not tell colours apart, "
    "colour groups that "
    "do not match how the outputs are reshaped (interleaved against contiguous) or how an LSTM's "
    "gates or a "
    "gate's halves are split, or a first mask of type B where A is needed"
)
RIGHT = (
    "to its right in its row: a kernel or recurrence that is not masked there, or the right-hand map of a "
    "Diagonal BiLSTM that was not moved down one row"
)
BELOW_LEFT = (
    "below, only to the left: a column-wise state convolution that reads rows r and r + 1 (padded at the "
    "bottom) instead of r - 1 and r"
)
BELOW = "below: a kernel that is not masked or is padded at the bottom, or rows that are scanned upwards"
ALL = (
    "all that comes later: no mask, attention without its causal mask, LSTMs that run both ways "
    "along rows and "
    "columns, or a norm or mean over positions"
)


def names_of(found: Dependence) -> list[str]:
    """Return what is used that must not be, in words; nothing if nothing is."""
    leaks = found.by_offset(found.leaks)
    if not leaks.any():
        return []
    if not found.order.is_raster:
        return _in_any_order(leaks)
    later = found.by_offset(found.forbidden)
    if found.is_complete and leaks.sum() >= NEARLY_ALL * later.sum() and leaks[..., 1:].size > 1:
        return [ALL]
    row, column = (size // 2 for size in leaks.shape[2:])
    names = _own_pixel(leaks[:, :, row, column])
    plane: Flags = np.asarray(leaks.any(axis=(0, 1)))
    right = plane[row, column + 1 :]
    below = plane[row + 1 :]
    if right.any():
        names.append(f"{_reach(right, 'column')} {RIGHT}")
    if below.any():
        names.append(_below(below, column))
    return names


def _own_pixel(here: Flags) -> list[str]:
    """Return what a pixel uses of itself that it must not; `here` is (used colour, group)."""
    if not here.any():
        return []
    own = bool(here.diagonal().any()) if here.shape[1] == here.shape[0] else bool(here.any())
    pairs = [(used, by) for used, by in np.argwhere(here) if used != by]
    if own and pairs and here.shape[0] > 1:
        return [OWN_PIXEL]
    if own:
        return [OWN]
    return [f"{LATER_COLOURS} ({joined([_pair(*pair) for pair in pairs[:3]])})"]


def _pair(used: int, by: int) -> str:
    return f"{_colour(by)} sees {_colour(used)}"


def _colour(number: int) -> str:
    return COLOURS[number] if number < len(COLOURS) else f"colour {number}"


def _reach(flags: Flags, thing: str) -> str:
    if flags.all():
        return "everything"
    return f"up to {counted(int(np.flatnonzero(flags).max()) + 1, thing)}"


def _below(below: Flags, column: int) -> str:
    rows = _reach(np.asarray(below.any(axis=1)), "row")
    left, right = below[:, :column].any(), below[:, column + 1 :].any()
    straight = below[:, column].any()
    if left and not right and not straight:
        return f"{rows} {BELOW_LEFT}"
    where = {
        (False, False): ", in its own column only",
        (True, False): ", to the left and straight down",
        (False, True): ", to the right",
    }.get((bool(left), bool(right)), "")
    return f"{rows} {BELOW}{where}"


def _in_any_order(leaks: Flags) -> list[str]:
    row, column = (size // 2 for size in leaks.shape[2:])
    names = _own_pixel(leaks[:, :, row, column])
    others: Flags = np.asarray(leaks.any(axis=(0, 1)))
    others[row, column] = False
    if others.any():
        names.append("other pixels that come later in this order")
    return names


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
