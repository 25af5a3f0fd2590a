"""`pixelrnn decompress`: exactly the images that went in."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelrnn.cli.console import say, say_json, tell
from pixelrnn.cli.drawing import AsJson, Force, Threads, pixels_progress
from pixelrnn.cli.file_names import file_names, is_changed
from pixelrnn.cli.options import CodingModelOption
from pixelrnn.errors import OutputError
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from pixelrnn.coding import Album


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

    Folders are made as the names in it say, none outside of FOLDER.
    Every image is checked before it is written. Ctrl-C keeps those that are finished.
    """
    from pixelrnn import pictures
    from pixelrnn.coding import Album
    from pixelrnn.files import make_folder

    began = time.perf_counter()
    with Album(album, model=model, threads=threads) as opened:
        names = file_names(opened.names)
        make_folder(out)
        _refuse_existing(out, names, force=force)
        opened.make_ready(tell)
        done, stopped = 0, False
        pixels = opened.num_pixels
        try:
            with pixels_progress("decompressing", pixels) as advance:
                for name, image in zip(names, opened.in_turn(advance), strict=True):
                    if "/" in name:
                        make_folder((out / name).parent)
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
    say_json(result) if as_json else say(text)
    if note := _changes(opened.names, names):
        tell(note)
    if stopped:
        tell(f"stopped: {done:,} of {counted(len(names), 'image')} were finished and are kept")
        raise typer.Exit(130)


def _refuse_existing(out: Path, names: list[str], *, force: bool) -> None:
    """Raise an OutputError, before anything is written, if something is in the way."""
    there = [name for name in names if (out / name).exists()]
    folders = sorted({parent for name in names for parent in (out / name).parents if parent != out})
    in_the_way = [out / name for name in there if (out / name).is_dir()]
    in_the_way += [folder for folder in folders if folder.exists() and not folder.is_dir()]
    if in_the_way:
        raise OutputError(f"{in_the_way[0]} is in the way: give another folder with -o")
    if there and not force:
        raise OutputError(
            f"{out / there[0]} is there already"
            + (f", and {len(there) - 1} more" if len(there) > 1 else "")
            + ": give another folder with -o, or --force to write over them"
        )


def _changes(names: list[str], files: list[str]) -> str:
    """Return what has to be said of names that are no file names everywhere, or ""."""
    from pixelrnn.data.listing import some

    pairs = zip(names, files, strict=True)
    changed = [f"{name} is {file}" for name, file in pairs if is_changed(name, file)]
    if not changed:
        return ""
    are = "name is" if len(changed) == 1 else "names are"
    return f"{len(changed):,} {are} changed, so that every system can hold all: {some(changed)}"


def _result(
    opened: "Album", album: Path, out: Path, names: list[str], seconds: float, stopped: bool
) -> dict[str, object]:
    return {
        "album": str(album),
        "out": str(out),
        "model": opened.header.model,
        "num_images": len(names),
        "files": names,
        "names": opened.names[: len(names)],
        "seconds": seconds,
        "finished": not stopped,
    }
