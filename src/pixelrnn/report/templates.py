"""The templates of the page, and what they can call."""

import functools

import jinja2

from pixelrnn import __version__
from pixelrnn.report import curves, formats, maps, pictures
from pixelrnn.report.alarms import of_group
from pixelrnn.report.charts import NUM_SERIES
from pixelrnn.uncertainty import MIN_PICTURES, SIGNIFICANCE, least_deviations, p_value
from pixelrnn.wording import colours, counted, joined

_TEX = {letter: "\\" + letter for letter in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def tex(text: str) -> str:
    r"""Escape what LaTeX would read as a command, in one line.

    Example:
        >>> print(tex("50 % & more"))
        50 \% \& more
    """
    return "".join(_TEX.get(letter, letter) for letter in " ".join(text.split()))


@functools.cache
def environment() -> jinja2.Environment:
    """Return the environment in which the templates of this package are rendered."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("pixelrnn", "report"),
        autoescape=jinja2.select_autoescape(("html.jinja",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (formats.bits, formats.error, formats.number, formats.count, formats.percent,
                     colours, counted, joined, p_value, least_deviations, tex):  # fmt: skip
        found.filters[function.__name__] = function
    found.globals |= {
        "alarms_of": of_group,
        "curves": curves,
        "formats": formats,
        "maps": maps,
        "pictures": pictures,
        "min_pictures": MIN_PICTURES,
        "num_series": NUM_SERIES,
        "significance": SIGNIFICANCE,
        "version": __version__,
    }
    return found
