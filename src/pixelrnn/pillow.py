"""`import pixelrnn.pillow`: Pillow reads and writes compressed images, by the suffix `.pxr`.

Example:
    >>> import io
    >>> from PIL import Image
    >>> import pixelrnn.pillow
    >>> image = Image.new("RGB", (5, 4), (200, 30, 30))
    >>> file = io.BytesIO()
    >>> image.save(file, "PXR")
    >>> with Image.open(file) as again:
    ...     again.format, again.mode, again.size, again.getpixel((0, 0))
    ('PXR', 'RGB', (5, 4), (200, 30, 30))

What `save` takes besides: `model` (name or path; by default colour-pixelcnn), `tile` (pixels), and
`save_all=True` with `append_images=[...]` for several images, which `seek` finds again. What `open` gives
are the images of one file as frames. Modes are L, LA, RGB and RGBA; Pillow's own `convert` makes one of
these of any other.
"""

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from PIL import Image, ImageFile

from pixelrnn.coding import DEFAULT_TILE, Album, Codec, load_program, write
from pixelrnn.coding.container import MAGIC
from pixelrnn.errors import PixelRNNError
from pixelrnn.shipped import DEFAULT_MODEL

FORMAT, SUFFIX, MIME = "PXR", ".pxr", "image/x-pxr"
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class PxrImageFile(ImageFile.ImageFile):
    """A compressed file; its images are frames, decoded when their pixels are asked for."""

    format = FORMAT
    format_description = "pixelrnn, lossless"

    def _open(self) -> None:
        try:
            self._album = Album(self.fp)  # type: ignore[arg-type]
        except PixelRNNError as error:
            raise OSError(str(error)) from error
        if not len(self._album):
            raise OSError("the compressed file holds no image")
        self.n_frames = len(self._album)
        self.is_animated = self.n_frames > 1
        self._show(0)

    def _show(self, frame: int) -> None:
        entry = self._album.entries[frame]
        self._frame = frame
        self._is_decoded = False
        self._size = (entry.width, entry.height)
        self._mode = MODES[entry.bands]
        self.info = {"model": self._album.header.model, "name": entry.name}

    def load(self) -> Any:
        """Decode the image at hand; Pillow calls it.

        Raises:
            OSError: if it is damaged.
        """
        if not self._is_decoded:
            try:
                pixels = self._album.pixels(self._frame)
            except PixelRNNError as error:
                raise OSError(str(error)) from error
            shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
            self.im = Image.fromarray(np.ascontiguousarray(shown)).im
            self._is_decoded = True
            if not self.is_animated and self._exclusive_fp and self.fp is not None:
                self.fp.close()  # as Pillow does where it opened the file and has all of it
                self.fp = None
        return Image.Image.load(self)

    def seek(self, frame: int) -> None:
        """Go to an image of the file; raises EOFError if there are not so many."""
        if frame != self._frame:
            if not 0 <= frame < self.n_frames:
                raise EOFError(f"the file has {self.n_frames} images, counted from 0")
            self._show(frame)

    def tell(self) -> int:
        """Return which image of the file it is, from 0."""
        return self._frame


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


def _save(
    image: Image.Image, stream: IO[bytes], filename: str | bytes, *, save_all: bool = False
) -> None:
    settings: dict[str, Any] = image.encoderinfo
    tile = settings.get("tile", DEFAULT_TILE)
    frames = [image, *settings.get("append_images", [])] if save_all else [image]
    try:
        codec = Codec(load_program(settings.get("model", DEFAULT_MODEL)), tile=tile)
        write(codec, _pixels(frames), stream)  # type: ignore[arg-type]
    except PixelRNNError as error:
        raise OSError(str(error)) from error


def _save_all(image: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    _save(image, stream, filename, save_all=True)


def _pixels(frames: list[Image.Image]) -> Iterator[tuple[str, np.ndarray]]:
    for frame in frames:
        if frame.mode not in MODES.values():
            raise OSError(
                f"cannot write mode {frame.mode} as {FORMAT}: convert it to "
                f"{', '.join(MODES.values())} first"
            )
        yield "", np.array(frame, np.uint8).reshape(frame.height, frame.width, -1)


# Pillow's own PIXAR takes the same suffix when all its formats are loaded: that must not come later.
Image.init()
Image.register_open(FORMAT, PxrImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_save_all(FORMAT, _save_all)
Image.register_extension(FORMAT, SUFFIX)
Image.register_mime(FORMAT, MIME)
