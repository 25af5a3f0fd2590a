"""Charts by matplotlib: inline SVG that takes colours and letters from the page, or files of their own.

A chart is drawn in the colours of the style sheet, by their names ("ink", "series-0"). On the page each
stays a custom property of the style sheet, so that one chart serves a light page, a dark one and paper; in
a file it is the colour of a light page.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.colors import get_named_colors_mapping
from matplotlib.figure import Figure

NUM_SERIES = 8
DOTS_PER_INCH = 300  # of a PNG file
STYLE = (resources.files("pixelrnn.report") / "style.css").read_text(encoding="utf-8")
LIGHT = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", STYLE.partition("}")[0]))
_NAMES = tuple(LIGHT)
_ON_PAGE = {name: f"#0101{number:02x}" for number, name in enumerate(_NAMES)}  # stand-ins
# The names of the settings are a literal type in some versions of matplotlib only.
_SETTINGS: Any = {
    "svg.hashsalt": "pixelrnn",  # the same chart gives the same bytes
    "text.parse_math": False,  # a name with dollar signs is a name
    "font.size": 12,
}


def series(number: int) -> str:
    """Return the name of a model's colour.

    Example:
        >>> series(0), series(8)
        ('series-0', 'series-0')
    """
    return f"series-{number % NUM_SERIES}"


@dataclass(frozen=True)
class Chart:
    """Something that can be drawn.

    Attributes:
        width: of the drawing area, in pixels.
        height: likewise.
        draw: draws it on an empty figure of that size.
        alt: what it shows, for those who do not see it.
        crop: whether the image ends where the drawing does, which may lie outside of the area.
    """

    width: float
    height: float
    draw: Callable[[Figure], None]
    alt: str
    crop: bool = True

    def svg(self, name: str) -> Markup:
        """Return an `<svg>` element for the body of a page.

        Args:
            name: a prefix for its identifiers, distinct on the page, of letters, digits and hyphens.
        """
        buffer = io.StringIO()
        self._save(buffer, "svg", _ON_PAGE, {"svg.fonttype": "none"}, transparent=True)
        text = buffer.getvalue()
        found = re.search(r'viewBox="(\S+ \S+ (\S+) \S+)"', text)
        assert found is not None
        body = text[text.index(">", text.index("<svg")) + 1 :]
        body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->\s*", "", body, flags=re.DOTALL)
        body = re.sub(r'(?<=[ "(])(id="|url\(#|xlink:href="#)', rf"\1{name}-", body)
        body = body.replace("xlink:href=", "href=")
        body = re.sub(r"#0101(\w\w)", lambda hit: f"var(--{_NAMES[int(hit[1], 16)]})", body)
        opening = Markup(
            '<svg class="figure" role="img" aria-label="{}" viewBox="{}" style="max-width: {}px">'
        ).format(self.alt, found[1], found[2])
        # Safe as it is: matplotlib escapes the texts that it writes.
        return opening + Markup(body.strip())

    def write(self, path: Path, kind: str) -> None:
        """Write it as a file, "svg" or "png", in the colours of a light page."""
        self._save(path, kind, LIGHT, {"svg.fonttype": "path"}, facecolor="white")

    def _save(
        self, out: Any, kind: str, colours: dict[str, str], settings: Any, **options: Any
    ) -> None:
        if kind == "svg":
            options["metadata"] = {"Date": None}
        if self.crop:
            options |= {"bbox_inches": "tight", "pad_inches": 0.08}
        with mpl.rc_context(_SETTINGS | settings), warnings.catch_warnings(), _named(colours):
            # A name in a script that the measuring font lacks is still drawn by the browser.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            drawing = Figure(figsize=(self.width / 72, self.height / 72), dpi=72, facecolor="none")
            self.draw(drawing)
            drawing.savefig(out, format=kind, dpi=DOTS_PER_INCH if kind == "png" else 72, **options)


@contextmanager
def _named(colours: dict[str, str]) -> Iterator[None]:
    """Let matplotlib know the colours by their names."""
    known: Any = get_named_colors_mapping()
    for name, colour in colours.items():
        known[name] = colour
    try:
        yield
    finally:
        for name in colours:
            del known[name]
