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

What `save` takes besides: `model` (name or path; by default the one that `pixelrnn compress` takes for
images of the sizes that these have when they are given), `tile` (pixels),
`transparency` (as PNG does), and `save_all=True` for all frames of the image and of those in
`append_images`, which `seek` finds again.

Modes L, LA, RGB and RGBA are kept. What others show is kept where these can show it: 1 becomes L, a
palette becomes RGB, and a transparent colour or a transparent palette becomes alpha. All other modes are
refused. Pixels are all that is kept: EXIF, and with it an orientation (`ImageOps.exif_transpose` turns the
pixels upright first), colour profiles, texts, resolutions and durations are not.
"""

import io
import os
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL._util import DeferredError

from pixelrnn.coding import DEFAULT_TILE, Album, Codec, load_program, write
from pixelrnn.coding.container import MAGIC
from pixelrnn.errors import PixelRNNError
from pixelrnn.shipped import DEFAULT_MODELS, mostly

FORMAT, SUFFIX, MIME = "PXR", ".pxr", "image/x-pxr"
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
# The mode of a file that shows the same as a mode of Pillow, and the same with a transparent colour.
SHOWN_AS = {"1": "L", "L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA", "P": "RGB", "PA": "RGBA"}
WITH_TRANSPARENCY = {"1": "LA", "L": "LA", "RGB": "RGBA", "P": "RGBA"}
HELD_BYTES = 1 << 26  # of a file, up to which it is read at once: then it may be written over


class PxrError(PixelRNNError, OSError):
    """A compressed file that Pillow cannot decode, or an image that cannot be saved as one."""


class UnreadablePxrError(PxrError, UnidentifiedImageError):
    """A compressed file that Pillow cannot open."""


class PxrDecoder(ImageFile.PyDecoder):
    """Decodes one image of an album, which Pillow asks for when pixels are wanted."""

    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        """Decode the image into the memory that Pillow has for it; see Pillow.

        Raises:
            PxrError: if it is damaged.
        """
        album, frame = self.args
        with _errors_as(PxrError):
            self.set_as_raw(album.pixels(frame).tobytes())
        return -1, 0


class PxrImageFile(ImageFile.ImageFile):
    """A compressed file; its images are frames, decoded when their pixels are asked for."""

    format = FORMAT
    format_description = "pixelrnn, lossless"
    # Also of a copy that came by pickle, which Pillow gives the pixels of one frame.
    n_frames = 1
    is_animated = False
    _frame = 0

    def _open(self) -> None:
        stream: Any = self.fp
        with _errors_as(UnreadablePxrError):
            is_small = stream.seek(0, io.SEEK_END) <= HELD_BYTES
            self._fp = _in_memory(stream) if is_small else stream
            self._album = Album(self._fp)
        if not len(self._album):
            raise UnreadablePxrError("the compressed file holds no image")
        self.n_frames = len(self._album)
        self.is_animated = self.n_frames > 1
        self._close_exclusive_fp_after_loading = is_small or not self.is_animated
        self._show(0)

    def _show(self, frame: int) -> None:
        entry = self._album.entries[frame]
        self._frame = frame
        self._size = (entry.width, entry.height)
        self._mode = MODES[entry.bands]
        self._im = None
        self.tile = [("pxr", (0, 0, *self._size), 0, (self._album, frame))]  # type: ignore[list-item]
        self.info = {"model": self._album.header.model, "name": entry.name}

    def seek(self, frame: int) -> None:
        """Go to an image of the file.

        Raises:
            EOFError: if there are not so many.
            PIL.Image.DecompressionBombError: if it has more pixels than Pillow's limit allows.
            ValueError: if the file is closed.
        """
        if not 0 <= frame < self.n_frames:
            raise EOFError("attempt to seek outside sequence")
        if frame == self._frame:
            return
        if isinstance(self._fp, DeferredError):
            raise self._fp.ex
        entry = self._album.entries[frame]
        Image._decompression_bomb_check((entry.width, entry.height))
        self._go_on_reading()
        self._show(frame)

    def _go_on_reading(self) -> None:
        """Give Pillow a file to close once the next frame is loaded: that in memory must stay open."""
        if not isinstance(self._fp, io.BytesIO):
            self.fp = self._fp  # type: ignore[assignment]
            return
        if self._exclusive_fp and self.fp is not None:
            self.fp.close()
        self.fp = io.BytesIO()

    def tell(self) -> int:
        """Return which image of the file it is, from 0."""
        return self._frame

    def verify(self) -> None:
        """Decode all images of the file, and close it; to be called directly after opening it.

        Raises:
            PxrError: if one is damaged.
            RuntimeError: if the pixels were loaded before.
        """
        if getattr(self, "fp", None) is None:
            raise RuntimeError("verify must be called directly after open")
        for frame, entry in enumerate(self._album.entries):
            Image._decompression_bomb_check((entry.width, entry.height))
            with _errors_as(PxrError):
                self._album.pixels(frame)
        super().verify()

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """Save as Pillow does; the file that is being read may be written over."""
        if self.is_animated and not isinstance(self._fp, io.BytesIO) and self._is_own_file(fp):
            self.load()
            file: Any = self._fp
            self._fp = _in_memory(file)
            self._album = Album(self._fp)
            self._close_exclusive_fp_after_loading = True
            if self._exclusive_fp:
                file.close()
        super().save(fp, format, **params)

    def _is_own_file(self, place: Any) -> bool:
        try:
            return Path(place).samefile(os.fsdecode(self.filename))
        except (OSError, TypeError, ValueError):  # a file object, or a file that is not there
            return False


def _in_memory(stream: IO[bytes]) -> io.BytesIO:
    stream.seek(0)
    return io.BytesIO(stream.read())


@contextmanager
def _errors_as(kind: type[PxrError]) -> Iterator[None]:
    """Make our errors some that Pillow's users know."""
    try:
        yield
    except PixelRNNError as error:
        raise kind(str(error)) from error


def _save(
    image: Image.Image, stream: IO[bytes], filename: str | bytes, *, save_all: bool = False
) -> None:
    settings = image.encoderinfo
    images = [image, *settings.get("append_images", [])] if save_all else [image]
    with closing(_frames(images, settings, all_frames=save_all)) as frames, _errors_as(PxrError):
        codec = _codec(settings, _shapes(images, all_frames=save_all))
        write(codec, (("", _pixels(*each)) for each in frames), stream)  # type: ignore[arg-type]


def _shapes(images: list[Image.Image], *, all_frames: bool) -> Iterator[tuple[int, int, int]]:
    """Yield height, width and bands of what is saved, without a look at other frames than these."""
    for each in images:
        bands = Image.getmodebands(SHOWN_AS.get(each.mode, "RGB"))
        for _ in range(getattr(each, "n_frames", 1) if all_frames else 1):
            yield each.height, each.width, bands


def _codec(settings: dict[str, Any], shapes: Iterator[tuple[int, int, int]]) -> Codec:
    model = settings.get("model") or DEFAULT_MODELS[mostly(shapes)]
    tile = settings.get("tile", DEFAULT_TILE)
    if not isinstance(model, (str, os.PathLike)) or not isinstance(tile, int):
        raise PxrError(f"model = {model!r} must be a name or a path, tile = {tile!r} pixels")
    return Codec(
        load_program(model if isinstance(model, str) else Path(os.fsdecode(model))), tile=tile
    )


def _frames(
    images: list[Image.Image], settings: dict[str, Any], *, all_frames: bool
) -> Generator[tuple[Image.Image, dict[str, Any]]]:
    """Yield images at the frames that are meant, with the settings that are for each.

    Each is left at the frame that it was at.
    """
    for each in images:
        before = each.tell()
        try:
            for frame in range(getattr(each, "n_frames", 1)) if all_frames else [before]:
                if frame != each.tell():
                    each.seek(frame)
                yield each, settings | getattr(each, "encoderinfo", {})
        finally:
            if before != each.tell():
                each.seek(before)


def _pixels(frame: Image.Image, settings: dict[str, Any]) -> np.ndarray:
    """Return the pixels that an image shows, uint8 `(H, W, 1 to 4)`.

    Raises:
        PxrError: if there are none, or not in modes L, LA, RGB and RGBA.
    """
    if frame.mode not in SHOWN_AS:
        raise PxrError(
            f"cannot write mode {frame.mode} as {FORMAT}: convert it to {', '.join(MODES.values())} first"
        )
    if not frame.width or not frame.height:
        raise PxrError(
            f"cannot write an image of {frame.width} x {frame.height} pixels as {FORMAT}"
        )
    frame.load()
    shown = _with_alpha(frame, settings) or frame
    if shown.mode != SHOWN_AS[shown.mode]:
        shown = shown.convert(SHOWN_AS[shown.mode])
    return np.array(shown, np.uint8).reshape(shown.height, shown.width, -1)


def _with_alpha(frame: Image.Image, settings: dict[str, Any]) -> Image.Image | None:
    """Return an image with its transparent colour or palette as alpha, or nothing if it has none."""
    transparency = settings.get("transparency", frame.info.get("transparency"))
    if frame.mode not in WITH_TRANSPARENCY:
        if settings.get("transparency") is not None:
            raise PxrError(
                f"cannot use transparency for mode {frame.mode}: it has alpha of its own"
            )
        return None
    if transparency is None:
        return frame.convert("RGBA") if frame.mode == "P" and frame.has_transparency_data else None
    marked = frame.copy()
    marked.info["transparency"] = transparency
    try:
        if isinstance(transparency, tuple | list) != (frame.mode == "RGB"):
            raise TypeError("three levels are one of RGB, and RGB has three")
        return marked.convert(WITH_TRANSPARENCY[frame.mode])
    except (TypeError, ValueError) as error:
        raise PxrError(
            f"transparency = {transparency!r} is not a colour of mode {frame.mode}: {error}"
        ) from error


# Pillow's own PIXAR takes the same suffix when all its formats are loaded: that must not come later.
Image.init()
Image.register_open(FORMAT, PxrImageFile, lambda prefix: prefix.startswith(MAGIC))
Image.register_decoder("pxr", PxrDecoder)
Image.register_save(FORMAT, _save)
Image.register_save_all(FORMAT, partial(_save, save_all=True))
Image.register_extension(FORMAT, SUFFIX)
Image.register_mime(FORMAT, MIME)
