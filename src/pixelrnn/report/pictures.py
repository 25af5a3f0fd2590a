"""Images for the page, at their own size: the page enlarges them."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pixelrnn import pictures
from pixelrnn.arrays import Flags, Images
from pixelrnn.report.compared import ComparedModel
from pixelrnn.runs import SamplesArrays

MAX_SUB_PIXELS = 200_000  # of one model's samples, for the size of the page
GROWTH_STAGES = 8
COARSE_SIDE = 24  # smaller images are shown with their pixels


@dataclass(frozen=True)
class Sheet:
    """Several images in one picture, with nothing between them but the page.

    Attributes:
        image: the picture; transparent between the images.
        alt: what it shows.
        coarse: whether the images are so small that their pixels are to be seen.
    """

    image: Image.Image
    alt: str
    coarse: bool

    @property
    def url(self) -> str:
        """The picture as a data URL."""
        return _png_url(self.image)


def image_url(image: Images, num_levels: int) -> str:
    """Return one image as a PNG in a data URL.

    Args:
        image: uint8 `(C, H, W)`, values below `num_levels`; levels are spread over 0..255. With
            other than one or three channels the first is shown.
        num_levels: how many values a sub-pixel has, 2..256.

    Example:
        >>> image_url(np.zeros((1, 2, 2), dtype=np.uint8), 17)[:22]
        'data:image/png;base64,'
    """
    shown = pictures.shades(num_levels)[image if len(image) == 3 else image[:1]]
    return pixels_url(shown.transpose(1, 2, 0))


def pixels_url(pixels: Images) -> str:
    """Return pixels, uint8 `(H, W, C)`, as a PNG in a data URL."""
    return _png_url(pictures.picture(pixels))


def sheet(
    images: Images, num_levels: int, *, columns: int, alt: str, known: Flags | None = None
) -> Sheet:
    """Return images in rows.

    Args:
        images: uint8 `(N, C, H, W)`, values below `num_levels`.
        num_levels: how many values a sub-pixel has.
        columns: images in a row.
        alt: what the picture shows.
        known: bool, broadcast to `(N, H, W)`: what is not known is a checkerboard.
    """
    images = images if images.shape[1] == 3 else images[:, :1]
    pixels = pictures.sheet(images, num_levels, columns=columns, known=known, scale=1)
    opaque = np.ones((len(images), 1, *images.shape[2:]), np.uint8)
    alpha = pictures.sheet(opaque, 2, columns=columns, scale=1, paper=0)
    shown = pictures.picture(pixels)
    shown.putalpha(pictures.picture(alpha))
    return Sheet(shown, alt, coarse=max(images.shape[2:]) < COARSE_SIDE)


def _samples(model: ComparedModel) -> SamplesArrays:
    assert model.run.samples is not None
    return model.run.samples


def samples_shown(model: ComparedModel) -> Images:
    """Return as many of a model's samples as the page has room for, at least one."""
    samples = _samples(model).samples
    return samples[: max(1, MAX_SUB_PIXELS // samples[0].size)]


def samples_sheet(model: ComparedModel) -> Sheet:
    """Show a model's samples."""
    shown = samples_shown(model)
    columns = min(len(shown), 8 if len(shown) > 16 else 4)
    alt = f"{len(shown)} samples of {model.name}"
    return sheet(shown, model.run.result.num_levels, columns=columns, alt=alt)


def growth_sheet(model: ComparedModel) -> Sheet:
    """Show how the first sample grows."""
    first = _samples(model).samples[:1]
    height, width = first.shape[2:]
    stages = pictures.stages(height, width, GROWTH_STAGES + 1)[1:]
    known = np.stack([pictures.first_pixels(int(each), height, width) for each in stages])
    growing = np.repeat(first, len(stages), axis=0)
    alt = f"The first sample of {model.name}, growing pixel by pixel"
    levels = model.run.result.num_levels
    return sheet(growing, levels, columns=len(stages), known=known, alt=alt)


def completions_sheet(model: ComparedModel) -> Sheet:
    """Show test images, what was given of each, and a model's completions, a row for each."""
    found = _samples(model)
    count, completions = found.completions.shape[:2]
    cells, known = pictures.completion_cells(found.completed_images, found.completions, found.known)
    alt = f"{count} test images, what {model.name} was given of each, and its completions"
    levels = model.run.result.num_levels
    return sheet(cells, levels, columns=2 + completions, known=known, alt=alt)


def _png_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
