"""`pixelrnn compress`: images to one file, exactly."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn.cli.coding_options import (
    CodingModelOption,
    counted,
    image_headers,
    pixels_of,
)
from pixelrnn.cli.drawing import AsJson, Threads, pixels_progress, require_writable, tell
from pixelrnn.errors import CompressedFileError, OutputError
from pixelrnn.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from pixelrnn.data.image_files import ImageHeader

SUFFIX = ".pxr"


def compress(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE...",
            help="Image files, 8 bits, grey or RGB, with or without alpha; or folders of them.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE.pxr",
            help="The compressed file.",
            show_default="the image's name, with .pxr",
        ),
    ] = None,
    model: CodingModelOption = None,
    tile: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Side of the squares that are coded by themselves, on all cores at a time; 0 for "
            "none. Larger is smaller by a little, and slower.",
            show_default="128",
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Decode it all again before the file takes its name."),
    ] = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Compress images into one file, without losing a bit; Ctrl-C leaves nothing behind.

    What is kept is the pixels and the files' names; what else a file says (dates, colour profiles) is not.
    """
    from pixelrnn.coding import DEFAULT_TILE, Codec, load_program, write
    from pixelrnn.files import replacing

    headers = image_headers(images)
    out = _output(out, headers)
    codec = Codec(
        load_program(model or DEFAULT_MODEL),
        tile=DEFAULT_TILE if tile is None else tile,
        threads=threads,
    )
    codec.make_ready(tell)
    pixels = sum(header.size[0] * header.size[1] for header in headers)
    began = time.perf_counter()
    try:
        with replacing(out) as beside:
            with beside.open("wb") as stream, pixels_progress("compressing", pixels) as advance:
                entries = write(codec, pixels_of(headers), stream, on_progress=advance)
            seconds = time.perf_counter() - began
            if verify:
                _verify(beside, headers, codec, pixels)
            num_bytes = beside.stat().st_size
    except KeyboardInterrupt:
        tell("stopped: nothing is written")
        raise typer.Exit(130) from None
    dims = sum(entry.height * entry.width * entry.bands for entry in entries)
    result = {
        "out": str(out),
        "model": codec.model.name,
        "program_hash": codec.model.hash.hex(),
        "tile_pixels": codec.tile,
        "num_images": len(entries),
        "num_bytes": num_bytes,
        "input_bytes": sum(header.path.stat().st_size for header in headers),
        "bits_per_dim": 8 * num_bytes / dims,
        "seconds": seconds,
        "verified": verify,
    }
    typer.echo(json.dumps(result, indent=1) if as_json else _text(result))


def _output(out: Path | None, headers: "list[ImageHeader]") -> Path:
    """Return where to write; no input is ever written over."""
    if out is None:
        if len(headers) > 1:
            raise OutputError(
                f"{len(headers)} images go into one file: name it with -o album{SUFFIX}"
            )
        out = headers[0].path.with_suffix(SUFFIX)
        if out.exists():
            raise OutputError(f"{out} is there already: give -o, to write over it or elsewhere")
    require_writable([("-o", out, SUFFIX)])
    for header in headers:
        if out.exists() and out.samefile(header.path):
            raise OutputError(f"{out} is one of the images: give another name with -o")
    return out


def _verify(path: Path, headers: "list[ImageHeader]", codec: Any, pixels: int) -> None:
    """Decode the file by the same model, read from where the user has it, and compare all pixels."""
    import numpy as np

    from pixelrnn.coding.album import Album

    album = Album(path, threads=codec.threads, needs_model=False, coding_model=codec.model)
    with album, pixels_progress("verifying", pixels) as advance:
        given = pixels_of(headers)
        for (name, image), decoded in zip(given, album.in_turn(advance), strict=True):
            if not np.array_equal(decoded, image):
                raise CompressedFileError(
                    f"{name} does not decode to the same pixels; this is a fault of pixelrnn, or of "
                    "this machine's memory: no file was written"
                )


def _text(result: dict[str, Any]) -> str:
    share = result["num_bytes"] / result["input_bytes"]
    checked = "; decoded again and compared" if result["verified"] else ""
    return (
        f"{result['out']}: {counted(result['num_images'], 'image')}, {result['num_bytes']:,} bytes, "
        f"{result['bits_per_dim']:.4f} bits/dim by {result['model']}; {share:.0%} of the "
        f"{result['input_bytes']:,} bytes of the files, {result['seconds']:.3g} seconds{checked}"
    )
