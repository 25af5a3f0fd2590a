"""`pixelrnn decompress`: exactly the images that went in."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelrnn.cli.coding_options import CodingModelOption, Force, counted
from pixelrnn.cli.drawing import AsJson, Threads, pixels_progress, tell
from pixelrnn.errors import OutputError

if TYPE_CHECKING:
    from pixelrnn.coding import Album

MAX_STEM_BYTES = 200  # file systems allow 255, and a few are added


def decompress(
    album: Annotated[
        Path,
        typer.Argument(metavar="FILE.pxr", help="From `pixelrnn compress`.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="FOLDER", help="Where the images go, as PNG files."),
    ] = Path(),
    model: CodingModelOption = None,
    force: Force = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Write the images of a compressed file as PNG files, exactly the pixels that went in.

    Every image is checked before it is written. Ctrl-C keeps those that are finished.
    """
    from pixelrnn import pictures
    from pixelrnn.coding import Album
    from pixelrnn.files import make_folder

    began = time.perf_counter()
    with Album(album, model=model, threads=threads) as opened:
        names = file_names(opened.names)
        make_folder(out)
        there = [name for name in names if (out / name).exists()]
        if there and not force:
            raise OutputError(
                f"{out / there[0]} is there already"
                + (f", and {len(there) - 1} more" if len(there) > 1 else "")
                + ": give another folder with -o, or --force to write over them"
            )
        opened.make_ready(tell)
        done, stopped = 0, False
        pixels = opened.num_pixels
        try:
            with pixels_progress("decompressing", pixels) as advance:
                for name, image in zip(names, opened.in_turn(advance), strict=True):
                    pictures.write_png(out / name, image)
                    done += 1
        except KeyboardInterrupt:
            stopped = True
        result = _result(opened, album, out, names[:done], time.perf_counter() - began, stopped)
    text = (
        f"{out}: {counted(done, 'image')} as PNG, {result['seconds']:.3g} seconds"
        if done != 1
        else f"{out / names[0]}: 1 image, {result['seconds']:.3g} seconds"
    )
    typer.echo(json.dumps(result, indent=1) if as_json else text)
    if stopped:
        tell(f"stopped: {done:,} of {counted(len(names), 'image')} were finished and are kept")
        raise typer.Exit(130)


def _result(
    opened: "Album", album: Path, out: Path, names: list[str], seconds: float, stopped: bool
) -> dict[str, object]:
    return {
        "album": str(album),
        "out": str(out),
        "model": opened.header.model,
        "num_images": len(names),
        "files": names,
        "seconds": seconds,
        "finished": not stopped,
    }


def file_names(names: list[str]) -> list[str]:
    """Return a PNG file name for each image, all different, and none that leaves the folder.

    Example:
        >>> file_names(["cat.jpg", "../cat.png", "", ".."])
        ['cat.png', 'cat-2.png', '2.png', '3.png']
    """
    digits = len(str(max(len(names) - 1, 0)))
    taken: set[str] = set()
    result = []
    for n, name in enumerate(names):
        plain = name.replace("\\", "/").rsplit("/", 1)[-1]
        stem = Path(plain).stem if plain.strip(".") else ""
        stem = "".join(c for c in stem if c.isprintable())
        stem = stem.encode()[:MAX_STEM_BYTES].decode(errors="ignore").strip()
        stem = stem.lstrip(".") or f"{n:0{digits}}"
        candidate, again = stem, 1
        while candidate.lower() in taken:  # some file systems do not tell cases apart
            again += 1
            candidate = f"{stem}-{again}"
        taken.add(candidate.lower())
        result.append(f"{candidate}.png")
    return result
