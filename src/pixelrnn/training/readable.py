"""Numbers for people."""


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
