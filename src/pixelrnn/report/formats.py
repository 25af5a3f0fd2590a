"""How figures are written on the page and in its figures."""

import math

MISSING = "\N{EN DASH}"


def bits(value: float | None) -> str:
    """Write bits/dim with four decimals.

    Example:
        >>> bits(2.08127), bits(None) == MISSING
        ('2.0813', True)
    """
    return MISSING if value is None or not math.isfinite(value) else f"{value:.4f}"


def error(value: float | None) -> str:
    """Write a standard error: four decimals, but at least two and at most three significant digits.

    Example:
        >>> error(0.01234), error(0.98765), error(0.00034512), error(0.0)
        ('0.0123', '0.988', '0.00035', '0.0000')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    decimals = 4
    if value and abs(value) < 1e-3:
        decimals = min(1 - math.floor(math.log10(abs(value))), 9)
    elif abs(value) >= 0.1:
        decimals = max(2 - math.floor(math.log10(abs(value))), 0)
    return f"{value:.{decimals}f}"


def number(value: float | None, significant: int = 3) -> str:
    """Write a measured quantity: `significant` digits, thousands separated, no exponent.

    Example:
        >>> number(812.34), number(12345.6), number(1.234), number(0.0)
        ('812', '12,346', '1.23', '0')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    magnitude = math.floor(math.log10(abs(value))) if value else significant
    return f"{value:,.{max(significant - 1 - magnitude, 0)}f}"


def count(value: int | None) -> str:
    """Write a count with separated thousands.

    Example:
        >>> count(43072)
        '43,072'
    """
    return MISSING if value is None else f"{value:,}"


def channel_names(channels: int) -> tuple[str, ...]:
    """Name the channels of an image.

    Example:
        >>> channel_names(3)
        ('red', 'green', 'blue')
    """
    named = {1: ("grey",), 3: ("red", "green", "blue")}
    return named.get(channels, tuple(f"channel {i + 1}" for i in range(channels)))


def percent(value: float) -> str:
    """Write a share in percent.

    Example:
        >>> percent(12.34)
        '12.3 %'
    """
    return f"{value:.1f} %".replace("-", "\N{MINUS SIGN}")
