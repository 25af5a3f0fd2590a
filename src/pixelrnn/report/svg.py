"""Matplotlib figures as inline SVG that takes its colours and letters from the page.

Artists are drawn in stand-in colours; in the SVG each becomes a custom property of the style sheet,
so that one figure serves a light page, a dark one and paper.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

INK = "#010101"
MUTED = "#020202"
RULE = "#030303"
PAPER = "#040404"
LATER = "#050505"
BLIND = "#060606"
ALARM = "#070707"
NUM_SERIES = 8

_PROPERTIES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    PAPER: "paper",
    LATER: "later",
    BLIND: "blind",
    ALARM: "alarm",
}
# The names of the settings are a literal type in some versions of matplotlib only.
_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text: small, sharp, in the page's letters
    "svg.hashsalt": "pixelrnn",  # the same figure gives the same bytes
    "text.parse_math": False,  # a name with dollar signs is a name
    "font.size": 12,
}


def series(index: int) -> str:
    """Return the stand-in colour of the run with this number.

    Example:
        >>> series(0), series(8)
        ('#080800', '#080800')
    """
    return f"#0808{index % NUM_SERIES:02x}"


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """Make a transparent figure of `width` x `height` pixels; draw and render it inside.

    Example:
        >>> with figure(100, 50) as drawing:
        ...     render(drawing, name="empty", alt="nothing")[:24]
        Markup('<svg class="figure" role')
    """
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # A name in a script that the measuring font lacks is still drawn by the browser.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")


def recolour(drawing: Figure) -> None:
    """Give a figure the colours of a light page in place of the stand-ins, for a file of its own."""
    style = (resources.files("pixelrnn.report") / "style.css").read_text(encoding="utf-8")
    light = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", style.partition("}")[0]))
    palette = {stand_in: light[name] for stand_in, name in _PROPERTIES.items()}
    palette |= {series(index): light[f"series-{index}"] for index in range(NUM_SERIES)}
    drawing.draw_without_rendering()  # makes the ticks
    for artist in drawing.findobj():
        for each in (artist, getattr(artist, "arrow_patch", None)):
            for name in ("color", "facecolor", "edgecolor", "markerfacecolor"):
                _replace_colour(each, name, palette)


def _replace_colour(artist: Any, name: str, palette: Mapping[str, str]) -> None:
    if not (hasattr(artist, f"get_{name}") and hasattr(artist, f"set_{name}")):
        return
    value = getattr(artist, f"get_{name}")()
    if isinstance(value, np.ndarray):  # of a collection of lines: one for all
        value = value[0] if len(value) else "none"
    found = palette.get(to_hex(value))
    if found is not None:
        getattr(artist, f"set_{name}")(found)


def render(drawing: Figure, *, name: str, alt: str) -> Markup:
    """Return a figure as an `<svg>` element for the body of a page.

    Args:
        drawing: the figure, made by `figure`.
        name: a prefix for its identifiers, distinct on the page, of letters, digits and hyphens.
        alt: what the figure shows, for those who do not see it.
    """
    buffer = io.StringIO()
    drawing.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    view_box = re.search(r'viewBox="([^"]+)"', text)
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'(?<=[ "(])(id="|url\(#|xlink:href="#)', rf"\1{name}-", body)
    body = body.replace("xlink:href=", "href=")
    for colour, variable in _PROPERTIES.items():
        body = body.replace(colour, f"var(--{variable})")
    body = re.sub(r"#0808(0[0-7])", lambda match: f"var(--series-{int(match.group(1), 16)})", body)
    width = view_box.group(1).split()[2] if view_box else "0"
    opening = Markup(
        '<svg class="figure" role="img" aria-label="{}" viewBox="{}" style="max-width: {}px">'
    ).format(escape(alt), view_box.group(1) if view_box else "", width)
    # Safe as it is: matplotlib escapes the texts that it writes.
    return opening + Markup(body.strip())
