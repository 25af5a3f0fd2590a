"""Figures, counts, names and errors as people read them: said once, for every part."""

import difflib
import math
from collections.abc import Iterable, Sequence


def counted(number: int, thing: str, things: str = "") -> str:
    """Return a number and a thing, in the plural where there is not one.

    Args:
        number: how many.
        thing: in the singular, perhaps with its verb.
        things: in the plural; by default with an s.

    Example:
        >>> counted(1, "image"), counted(1200, "image"), counted(2, "name is", "names are")
        ('1 image', '1,200 images', '2 names are')
    """
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


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


def colours(channels: int) -> str:
    """Return what images of so many channels are called.

    Example:
        >>> colours(1), colours(3), colours(2)
        ('grey', 'RGB', '2-channel')
    """
    return {1: "grey", 3: "RGB"}.get(channels, f"{channels}-channel")


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


def suggestion(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Return a question in brackets whether the nearest known word is meant; "" if none is near.

    Example:
        >>> suggestion("digitz", ["digits", "photos"]), suggestion("zebra", ["digits"])
        (' (did you mean digits?)', '')
    """
    near = _near(word, known)
    return f" (did you mean {prefix}{near}?)" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a clause that suggests the nearest known word, or lists them all.

    Example:
        >>> nearest("digitz", ["digits", "photos"])
        '; did you mean digits?'
        >>> nearest("zebra", ["digits", "photos"])
        '; choose one of digits, photos'
    """
    known = sorted(known)
    near = _near(word, known)
    return f"; did you mean {near}?" if near else f"; choose one of {', '.join(known)}"


def choice(word: str, known: Iterable[str]) -> str:
    """Return a clause that suggests the nearest known word, if one is near, and lists them all.

    Example:
        >>> choice("digitz", ["digits", "photos"])
        'did you mean digits? Known are digits and photos'
    """
    known = list(known)
    near = _near(word, known)
    meant = f"did you mean {near}? " if near else ""
    return f"{meant}{'Known' if near else 'known'} are {joined(known)}" if known[1:] else meant


def joined(words: Sequence[str]) -> str:
    """Join words as in a sentence.

    Example:
        >>> joined(["red", "green", "blue"])
        'red, green and blue'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _near(word: str, known: Iterable[str]) -> str:
    """Return the known word that is nearest, or ""."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or else its type.

    Example:
        >>> first_line(ValueError("this" + chr(10) + "and that")), first_line(EOFError())
        ('this', 'EOFError')
    """
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def as_ascii(text: str, most: int = 60) -> str:
    r"""Return text from elsewhere for a line of a message: all but ASCII as escapes, cut to `most` letters.

    Example:
        >>> as_ascii("caf\u00e9" + chr(27))
        'caf\\xe9\\x1b'
    """
    return ascii(text)[1:-1][:most]


def told(error: BaseException, most: int = 200) -> str:
    """Return what an error of another's code is and says, in one line of at most so many letters and more.

    Example:
        >>> told(KeyError("oops"))
        "KeyError: 'oops'"
    """
    return f"{type(error).__name__}: {as_ascii(first_line(error), most)}"


def without_surrogates(text: str) -> str:
    r"""Return text with "?" for each half of a character: what a name of a file that is not UTF-8 has.

    Example:
        >>> without_surrogates("caf\udce9")
        'caf?'
    """
    return text.encode(errors="replace").decode()
