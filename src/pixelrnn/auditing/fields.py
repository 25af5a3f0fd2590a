"""Which earlier positions are never used: blind spots, in words."""

import numpy as np

from pixelrnn.arrays import Flags
from pixelrnn.auditing.dependence import Dependence
from pixelrnn.auditing.findings import HOLDS, UNTOLD, Finding
from pixelrnn.auditing.naming import colour
from pixelrnn.wording import counted, joined

CHECK = "uses what comes earlier"
BLIND = (
    "anything of other columns (a k x 1 kernel that lies along the column instead of the row?)",
    "anything of other rows (a kernel or recurrence that never leaves its row?)",
)
LEAST = 3  # rows or columns of an image that make these worth saying


def look(found: Dependence, *, coupled: bool) -> Finding:
    """Say which earlier positions no output was seen to use.

    Args:
        found: what moved as each position was changed alone.
        coupled: whether the colours of a pixel are coupled by its distribution.
    """
    earlier = found.by_offset(~found.forbidden)
    used = found.by_offset(found.moved & ~found.forbidden)
    covered = f"{counted(len(found.steps), 'position')} changed alone, on two images"
    if not used.any():
        return Finding(
            CHECK, UNTOLD, "no earlier position moves anything: its outputs are constant", covered
        )
    row, column = (size // 2 for size in used.shape[2:])
    notes = []
    if not coupled:
        notes += _own_pixel(used[:, :, row, column], earlier[:, :, row, column])
    notes += _colours(used, earlier, row, column)
    plane = np.asarray(used.any(axis=(0, 1))), np.asarray(earlier.any(axis=(0, 1)))
    if found.order.is_raster:
        notes += _plane(*plane, row, column)
    elif (missing := plane[1] & ~plane[0]).any():
        notes.append(f"{int(missing.sum()):,} of {int(plane[1].sum()):,} offsets to earlier pixels")
    if not notes:
        return Finding(CHECK, HOLDS, "every earlier position is used by some later one", covered)
    return Finding(
        CHECK,
        UNTOLD,
        f"never used: {joined(notes)}. That is no leak, but it costs likelihood; whether it is "
        "meant cannot be told",
        covered,
    )


def _own_pixel(used: Flags, earlier: Flags) -> list[str]:
    """Say which earlier colours of its own pixel a colour never sees."""
    missing = [
        f"{colour(by)} never sees {colour(of)} of its own pixel"
        for of, by in np.argwhere(earlier & ~used)
    ]
    return missing


def _colours(used: Flags, earlier: Flags, row: int, column: int) -> list[str]:
    """Say which colours of other pixels a colour never sees."""
    elsewhere, possible = used.copy(), earlier.copy()
    elsewhere[:, :, row, column] = possible[:, :, row, column] = False
    if not elsewhere.any():
        return []
    blind = possible.any(axis=(2, 3)) & ~elsewhere.any(axis=(2, 3))
    return [
        f"{colour(by)} never sees {colour(of)} of other pixels" for of, by in np.argwhere(blind)
    ]


def _plane(used: Flags, earlier: Flags, row: int, column: int) -> list[str]:
    """Say which offsets to earlier pixels are never used; rows and columns are those of what is used."""
    others = earlier.copy()
    others[row, column] = False
    seen = used & others
    if not others.any():
        return []
    if not seen.any():
        return ["any other pixel"]
    columns, rows = np.asarray(seen.any(axis=0)), np.asarray(seen.any(axis=1))
    notes = []
    # Offsets are from -(size - 1) to size - 1.
    if used.shape[1] >= 2 * LEAST - 1 and not (
        columns[:column].any() or columns[column + 1 :].any()
    ):
        return [BLIND[0]]
    if used.shape[0] >= 2 * LEAST - 1 and not rows[:row].any():
        return [BLIND[1]]
    left, right, up = (
        _extent(columns[:column][::-1]),
        _extent(columns[column + 1 :]),
        _extent(rows[:row][::-1]),
    )
    box = others.copy()
    box[: row - up] = False
    box[:, : column - left] = False
    box[:, column + right + 1 :] = False
    holes = _holes(seen, others, row)
    missing = box & ~seen & ~holes
    if holes.any():
        notes.append(
            f"{counted(int(holes.sum()), 'offset')} between others that are used, the nearest "
            f"{_nearest(holes, row, column)}: holes, as "
            "where the skewed map is reversed instead of the image, or of kernels with gaps"
        )
    if missing.any():
        notes += _blind_spot(missing, row, column)
    if (others & ~box).any():
        notes.append(
            f"anything beyond {counted(up, 'row')} up, {counted(left, 'column')} left and {right} right"
        )
    return notes


def _extent(flags: Flags) -> int:
    found = np.flatnonzero(flags)
    return int(found.max()) + 1 if len(found) else 0


def _holes(seen: Flags, possible: Flags, row: int) -> Flags:
    """Return offsets that are not used though offsets on both sides of them in their row are."""
    before = np.logical_or.accumulate(seen, axis=1)
    after = np.logical_or.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    found: Flags = possible & ~seen & before & after
    found[row] = False
    return found


def _nearest(flags: Flags, row: int, column: int) -> str:
    offsets = np.argwhere(flags) - (row, column)
    down, right = offsets[np.abs(offsets).sum(axis=1).argmin()]
    side = f"{abs(right)} to the {'right' if right > 0 else 'left'}" if right else "straight above"
    return f"{counted(-int(down), 'row')} up, {side}"


def _blind_spot(missing: Flags, row: int, column: int) -> list[str]:
    right, left = missing[:, column + 1 :].any(), missing[:, :column].any()
    where = {
        (True, False): "to the upper right",
        (False, True): "to the left",
        (True, True): "to the upper right and to the left",
        (False, False): "straight above",
    }[bool(right), bool(left)]
    return [
        f"a blind spot {where}, {counted(int(missing.sum()), 'offset')}, the nearest "
        f"{_nearest(missing, row, column)}"
    ]
