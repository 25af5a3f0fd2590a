"""Images as pictures: sheets of them as PNG files, and sheets that grow as GIF files.

Levels are spread over 0..255 by a table, tiny images are enlarged without smoothing, and pixels that
are not known yet are a checkerboard, which no image is taken for.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelrnn import deep_images
from pixelrnn.arrays import Flags, Images, Integers
from pixelrnn.files import replacing
from pixelrnn.runs import array_file

Cells = npt.NDArray[Any]

PAPER = 255  # between the images of a sheet
CHECKS = (150, 180)  # greys of what is not known
SHOWN_SIDE = 64  # pixels that a smaller image is enlarged to, about
SHEET_PIXELS = 1 << 26
GIF_PIXELS = 1 << 21  # of a frame
GIF_FRAMES = 64
FRAME_MILLISECONDS = 70
LAST_MILLISECONDS = 3000
write_arrays = array_file.write_arrays  # a third kind of file, beside PNG and GIF


def shades(num_levels: int) -> Images:
    """Return what each level is shown as, `(num_levels,)`: evenly over 0..255.

    Example:
        >>> shades(4).tolist()
        [0, 85, 170, 255]
    """
    table: Images = np.rint(np.arange(num_levels) * (255 / (num_levels - 1))).astype(np.uint8)
    return table


def enlargement(height: int, width: int) -> int:
    """Return how many times an image is enlarged on a sheet.

    Example:
        >>> enlargement(8, 8), enlargement(32, 32), enlargement(1024, 512)
        (8, 2, 1)
    """
    return max(1, SHOWN_SIDE // max(height, width))


def squarish(count: int, height: int, width: int) -> int:
    """Return the number of columns that makes a sheet of images about as wide as high.

    Example:
        >>> squarish(64, 8, 8), squarish(3, 10, 100)
        (8, 1)
    """
    return min(count, max(1, math.ceil(math.sqrt(count * height / width))))


def fitting(count: int, height: int, width: int, pixels: int = SHEET_PIXELS) -> int:
    """Return how many of `count` images a sheet of that many pixels has room for, at least one."""
    scale = enlargement(height, width)
    return max(1, min(count, pixels // (height * width * scale**2)))


def sheet(
    images: Images,
    num_levels: int,
    *,
    columns: int,
    known: Flags | None = None,
    scale: int | None = None,
    paper: int = PAPER,
) -> Images:
    """Lay images out in rows.

    Args:
        images: uint8 `(N, C, H, W)`, values below `num_levels`.
        num_levels: how many values a sub-pixel has, 2..256.
        columns: images in a row.
        known: bool, broadcast to `(N, H, W)`: what is not known is a checkerboard.
        scale: how many times the images are enlarged; by default by `enlargement`.
        paper: the grey between images.

    Returns:
        uint8 `(height, width, C)`.

    Example:
        >>> sheet(np.zeros((3, 1, 4, 4), np.uint8), 2, columns=2, scale=1).shape
        (9, 9, 1)
    """
    count, _, height, width = images.shape
    scale = scale or enlargement(height, width)
    cells = _enlarge(shades(num_levels)[images].transpose(0, 2, 3, 1), scale)
    if known is not None:
        given = _enlarge(np.broadcast_to(known, (count, height, width)), scale)
        board = checkerboard(height * scale, width * scale)
        cells = np.where(given[..., None], cells, board[..., None])
    return _arrange(cells, columns, paper)


def completion_cells(originals: Images, completions: Images, known: Flags) -> tuple[Images, Flags]:
    """Return a row of images for each original: itself, what of it was given, its completions.

    Args:
        originals: uint8 `(N, C, H, W)`.
        completions: uint8 `(N, K, C, H, W)`.
        known: bool `(H, W)`: what was given.

    Returns:
        Images `(N * (2 + K), C, H, W)` and what is known of each, for a `sheet` of 2 + K columns.
    """
    cells = np.concatenate([originals[:, None], originals[:, None], completions], axis=1)
    shown = np.ones((*cells.shape[:2], *known.shape), bool)
    shown[:, 1] = known
    return cells.reshape(-1, *cells.shape[2:]), shown.reshape(-1, *known.shape)


def checkerboard(height: int, width: int) -> Images:
    """Return what stands for unknown pixels, `(height, width)`."""
    side = max(1, max(height, width) // 16)
    dark = (np.arange(height)[:, None] // side + np.arange(width)[None, :] // side) % 2
    return np.where(dark, *CHECKS).astype(np.uint8)


def stages(height: int, width: int, count: int) -> Integers:
    """Return up to `count` numbers of pixels, the last of them all, evenly apart.

    Example:
        >>> stages(2, 2, 3).tolist(), stages(1, 2, 64).tolist()
        ([0, 2, 4], [0, 1, 2])
    """
    return np.unique(np.rint(np.linspace(0, height * width, count)).astype(np.int64))


def first_pixels(count: int, height: int, width: int) -> Flags:
    """Return the mask `(height, width)` of the first `count` pixels in raster order."""
    return np.arange(height * width).reshape(height, width) < count


def gap(height: int, width: int) -> int:
    """Return the pixels between images that are this large on a sheet."""
    return max(1, max(height, width) // 16)


def write_png(path: Path, pixels: Images, *, durable: bool = True) -> None:
    """Write a sheet, uint8 or uint16 `(height, width, C)`, as a PNG in one step; see `files.replacing`.

    Raises:
        OutputError: if the file cannot be written.
    """
    with replacing(path, durable=durable) as beside:
        if pixels.dtype == np.uint16:
            beside.write_bytes(deep_images.encode_png(pixels))
        else:
            picture(pixels).save(beside, format="PNG")


def write_sheet(path: Path, images: Images, num_levels: int, columns: int | None = None) -> int:
    """Write a sheet of as many images as it has room for; return how many.

    Args:
        path: the file, which appears whole or not at all.
        images: uint8 `(N, C, H, W)`, values below `num_levels`.
        num_levels: how many values a sub-pixel has.
        columns: images in a row; by default as many as make the sheet about as wide as high.

    Raises:
        OutputError: if the file cannot be written.
    """
    shown, squarely = _shown(images, SHEET_PIXELS)
    write_png(path, sheet(shown, num_levels, columns=columns or squarely))
    return len(shown)


def _shown(images: Images, pixels: int) -> tuple[Images, int]:
    """Return the first images, as many as there is room for, and how many columns of them."""
    count, _, height, width = images.shape
    shown = images[: fitting(count, height, width, pixels)]
    return shown, squarish(len(shown), height, width)


def picture(pixels: Images) -> Image.Image:
    """Return pixels `(height, width, C)` with one, three or four channels as a Pillow image."""
    shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return Image.fromarray(np.ascontiguousarray(shown))


def write_growth(path: Path, images: Images, num_levels: int, columns: int | None = None) -> None:
    """Write a GIF of a sheet, as `write_sheet`, in which all images grow pixel by pixel in raster order.

    Args:
        path: the file, which appears whole or not at all.
        images: uint8 `(N, C, H, W)`, values below `num_levels`.
        num_levels: how many values a sub-pixel has.
        columns: images in a row, as there.

    Raises:
        OutputError: if the file cannot be written.
    """
    images, squarely = _shown(images, GIF_PIXELS)
    frames, palette = _growth(images, num_levels, columns or squarely)
    drawn = [_indexed(frame, palette) for frame in frames]
    durations = [FRAME_MILLISECONDS] * (len(drawn) - 1) + [LAST_MILLISECONDS]
    with replacing(path) as beside:
        drawn[0].save(
            beside,
            format="GIF",
            save_all=True,
            append_images=drawn[1:],
            duration=durations,
            loop=0,
            optimize=True,  # what did not change is not stored again
        )


def _growth(images: Images, num_levels: int, columns: int) -> tuple[Iterator[Images], bytes]:
    """Return the frames as numbers of colours `(height, width)`, and the colours.

    The colours are chosen once, for the finished sheet, so that nothing flickers.
    """
    _, _, height, width = images.shape
    scale = enlargement(height, width)
    numbers, colours = _numbered(sheet(images, num_levels, columns=columns))
    checks = np.arange(len(CHECKS)) + len(colours)
    palette = np.concatenate([colours, np.repeat(CHECKS, 3).reshape(-1, 3)]).astype(np.uint8)
    board = checkerboard(height * scale, width * scale)
    board = np.where(board == CHECKS[0], checks[0], checks[1]).astype(np.uint8)
    boards = np.broadcast_to(board[None, :, :, None], (len(images), *board.shape, 1))
    unknown = _arrange(boards, columns, 0)[..., 0]

    def frames() -> Iterator[Images]:
        most = max(8, min(GIF_FRAMES, (GIF_FRAMES * GIF_PIXELS) // numbers.size))
        for count in stages(height, width, most):
            hidden = ~_enlarge(first_pixels(int(count), height, width)[None], scale)
            cells = np.broadcast_to(hidden[..., None], boards.shape)
            yield np.where(_arrange(cells, columns, 0)[..., 0], unknown, numbers)

    return frames(), palette.tobytes()


def _numbered(pixels: Images) -> tuple[Images, Images]:
    """Return pixels as numbers of colours, and those colours `(K, 3)`: all, or the 253 that fit best.

    A GIF has 256: two are for what is not known, and one for what did not change since the last frame.
    """
    most = 256 - len(CHECKS) - 1
    wide = np.broadcast_to(pixels, (*pixels.shape[:2], 3)).astype(np.uint32)
    codes = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    found, numbers = np.unique(codes, return_inverse=True)
    if len(found) <= most:
        colours = np.stack([found >> 16, (found >> 8) & 255, found & 255], axis=1)
        return numbers.reshape(codes.shape).astype(np.uint8), colours.astype(np.uint8)
    reduced = picture(pixels).convert("RGB").quantize(most)
    used = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)[:most]
    return np.asarray(reduced), used


def _indexed(numbers: Images, palette: bytes) -> Image.Image:
    height, width = numbers.shape
    drawn = Image.frombytes("P", (width, height), numbers.tobytes())
    drawn.putpalette(palette)
    return drawn


def _enlarge(cells: Cells, scale: int) -> Cells:
    return cells.repeat(scale, axis=1).repeat(scale, axis=2)


def _arrange(cells: Cells, columns: int, paper: int) -> Cells:
    """Put cells `(N, h, w, C)` in rows on paper, with gaps between them."""
    count, height, width, channels = cells.shape
    rows, between = -(-count // columns), gap(height, width)
    shape = (rows * (height + between) - between, columns * (width + between) - between, channels)
    laid = np.full(shape, paper, dtype=cells.dtype)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        top, left = row * (height + between), column * (width + between)
        laid[top : top + height, left : left + width] = cell
    return laid
