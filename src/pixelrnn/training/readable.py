"""Numbers for people."""

import math


def duration(seconds: float) -> str:
    """Return a duration in words, to two units.

    Example:
        >>> duration(8.2), duration(95), duration(7380), duration(400_000)
        ('8 s', '1 min 35 s', '2 h 3 min', '4 d 15 h')
    """
    whole = round(seconds)
    for name, size, smaller, smaller_size in (
        ("d", 86400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= size:
            count, rest = divmod(whole, size)
            return f"{count} {name} {rest // smaller_size} {smaller}"
    return f"{whole} s"


def two_digits(value: float) -> str:
    """Write a rough figure: two significant digits, thousands separated, no exponent.

    Example:
        >>> two_digits(1712.0), two_digits(0.0471), two_digits(23.4), two_digits(2.0)
        ('1,700', '0.047', '23', '2.0')
    """
    if value <= 0 or not math.isfinite(value):
        return "0"
    decimals = 1 - math.floor(math.log10(value))
    return f"{round(value, decimals):,.{max(0, decimals)}f}"
