"""The page of the most unusual images: each with its map, what it costs, and how unusual that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from markupsafe import Markup

from pixelrnn.arrays import Images
from pixelrnn.report.charts import STYLE
from pixelrnn.report.page import write_page
from pixelrnn.report.pictures import image_url, pixels_url
from pixelrnn.report.templates import environment

COARSE_SIDE = 24  # smaller images are shown with their pixels
MOST_SIDE = 512  # of larger images every second pixel is shown, or every third
CAPTIONS = {
    "bits": "Where the bits are: black costs nothing, the brightest as much as a blind guess, or more.",
    "ratio": "Beyond the background model: red costs more than it needs, blue less; 4 bits/dim at most.",
}


class Shown(Protocol):
    """One of the most unusual images; see `scoring.job.Unusual`."""

    @property
    def name(self) -> str:
        """Of the image."""

    @property
    def image(self) -> Images:
        """The image, `(C, H, W)`."""

    @property
    def maps(self) -> dict[str, Images]:
        """Pictures `(H, W, 3)`, by what they show."""

    @property
    def row(self) -> dict[str, Any]:
        """Its figures."""


@dataclass(frozen=True)
class Card:
    """An image as the page shows it.

    Attributes:
        name: of the image.
        urls: of the image and of its maps.
        height: in pixels.
        width: in pixels.
        row: its figures.
    """

    name: str
    urls: list[str]
    height: int
    width: int
    row: dict[str, Any]

    @property
    def coarse(self) -> bool:
        """Whether it is so small that its pixels are to be seen."""
        return max(self.height, self.width) < COARSE_SIDE


def build(unusual: Sequence[Shown], result: Mapping[str, Any], out: Path, num_levels: int) -> Path:
    """Write one self-contained HTML page.

    Args:
        unusual: the most unusual images, the most unusual first.
        result: what `pixelrnn score --json` prints.
        out: the file to write, which appears whole or not at all.
        num_levels: of the images.

    Raises:
        OutputError: if it cannot be written.
    """
    cards = [
        Card(
            each.name,
            [
                image_url(_thinned(each.image.transpose(1, 2, 0)).transpose(2, 0, 1), num_levels),
                *(pixels_url(_thinned(shown)) for shown in each.maps.values()),
            ],
            each.image.shape[1],
            each.image.shape[2],
            each.row,
        )
        for each in unusual
    ]
    kinds = list(unusual[0].maps) if unusual else []
    page = (
        environment()
        .get_template("unusual.html.jinja")
        .render(
            style=Markup(STYLE),
            cards=cards,
            captions=[CAPTIONS[kind] for kind in kinds],
            result=result,
        )
    )
    write_page(out, page, "--html")
    return out


def _thinned(pixels: Images) -> Images:
    """Return pixels `(H, W, C)` as the page has room for them."""
    step = -(-max(pixels.shape[:2]) // MOST_SIDE)
    return pixels[::step, ::step]
