"""Measured figures as the tables of benchmarks have them."""


def three_digits(value: float | None) -> str:
    """Write a measured figure: three significant digits, or all before the point; nothing for None.

    Example:
        >>> three_digits(12345.6), three_digits(1.2345), three_digits(None)
        ('12,346', '1.23', '')
    """
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
