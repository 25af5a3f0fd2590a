"""`pixelrnn decompress`: exactly the images that went in."""

import time
from collections.abc import Sequence
from functools import cache
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

SHOWN_LETTERS = 80  # of a name
NUM_NAMED = 3  # of the names that are changed; the others are counted


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
        names = file_names(opened.entries.names)
        make_folder(out)
        _refuse_existing(out, names, force=force)
        opened.make_ready(tell)
        done, stopped, folder = 0, False, ""
        pixels = opened.num_pixels
        try:
            with pixels_progress("decompressing", pixels) as advance:
                for name, image in zip(names, opened.in_turn(advance), strict=True):
                    if (parent := name.rpartition("/")[0]) != folder:
                        folder = parent
                        make_folder(out / folder)
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
    if note := _changes(opened.entries.names, names):
        tell(note)
    if stopped:
        tell(f"stopped: {done:,} of {counted(len(names), 'image')} were finished and are kept")
        raise typer.Exit(130)


def _refuse_existing(out: Path, names: Sequence[str], *, force: bool) -> None:
    """Raise an OutputError, before anything is written, if something is in the way."""
    if not any(out.iterdir()):
        return

    @cache
    def is_folder(parent: str) -> bool:
        if parent and not is_folder(parent.rpartition("/")[0]):
            return False
        if (out / parent).exists() and not (out / parent).is_dir():
            raise _in_the_way(out / parent)
        return (out / parent).exists()

    first, count = None, 0
    for name in names:
        if is_folder(name.rpartition("/")[0]) and (file := out / name).exists():
            if file.is_dir():
                raise _in_the_way(file)
            first, count = first or file, count + 1
    if first and not force:
        more = f", and {count - 1} more" if count > 1 else ""
        raise OutputError(
            f"{first} is there already{more}: give another folder with -o, or --force to write over them"
        )


def _in_the_way(path: Path) -> OutputError:
    return OutputError(f"{path} is in the way: give another folder with -o")


def _changes(names: Sequence[str], files: Sequence[str]) -> str:
    """Return what has to be said of names that are no file names everywhere, or ""."""
    count, named = 0, []
    for name, file in zip(names, files, strict=True):
        if is_changed(name, file):
            count += 1
            if count <= NUM_NAMED:
                named.append(f"{_short(name)} is {_short(file)}")
    if not count:
        return ""
    are = "name is" if count == 1 else "names are"
    more = f" and {count - NUM_NAMED:,} more" if count > NUM_NAMED else ""
    return f"{count:,} {are} changed, so that every system can hold all: {', '.join(named)}{more}"


def _short(name: str) -> str:
    return name if len(name) <= SHOWN_LETTERS else name[: SHOWN_LETTERS - 3] + "..."


def _result(
    opened: "Album", album: Path, out: Path, names: list[str], seconds: float, stopped: bool
) -> dict[str, object]:
    return {
        "album": str(album),
        "out": str(out),
        "model": opened.header.model,
        "num_images": len(names),
        "files": names,
        "names": opened.entries.names[: len(names)],
        "seconds": seconds,
        "finished": not stopped,
    }
