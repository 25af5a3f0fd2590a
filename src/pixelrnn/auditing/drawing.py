"""A picture of what a position depends on, in letters."""

from pixelrnn.auditing.findings import MEANINGS, Picture
from pixelrnn.auditing.naming import COLOURS

LETTERS = ".-#O!?"  # later, not used, used, the position, a leak, not looked at
WIDEST, TALLEST = 100, 40  # letters


def lines(picture: Picture) -> list[str]:
    r"""Return it as lines of letters, colours side by side; of a large image what is around the position.

    Example:
        >>> import numpy as np
        >>> print(*lines(Picture(0, 1, 0, np.array([[[2, 3, 4]]]))), sep="\\n")
        #O!
    """
    channels, height, width = picture.cells.shape
    columns = _around(picture.column, width, WIDEST // channels)
    rows = _around(picture.row, height, TALLEST)
    cells = picture.cells[:, rows, columns]
    found = []
    if channels > 1:
        names = [COLOURS[n] if channels == 3 else f"colour {n}" for n in range(channels)]
        found.append(
            "  ".join(name[: cells.shape[2]].ljust(cells.shape[2]) for name in names).rstrip()
        )
    for row in range(cells.shape[1]):
        found.append("  ".join("".join(LETTERS[cell] for cell in plane[row]) for plane in cells))
    return found


def key(picture: Picture) -> list[str]:
    """Return what the letters that occur mean."""
    return [
        f"{LETTERS[cell]} {meaning}"
        for cell, meaning in enumerate(MEANINGS)
        if (picture.cells == cell).any()
    ]


def _around(middle: int, size: int, most: int) -> slice:
    first = max(0, min(middle - most // 2, size - most))
    return slice(first, first + most)
