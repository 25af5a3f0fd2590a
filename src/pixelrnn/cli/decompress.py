"""`pixelrnn decompress`: exactly the images that went in."""

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelrnn.cli import console, options
from pixelrnn.errors import DataError, OutputError
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from pixelrnn.coding.index import Index
    from pixelrnn.coding.originals import Originals

MAX_BANDS = 4  # of a PNG file: red, green, blue, alpha
SHOWN_LETTERS = 80  # of a name
NUM_NAMED = 3  # of the names that are changed; the others are counted


def decompress(
    album: options.AlbumFile,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER")] = Path(),
    model: options.CodingModel = None,
    force: options.Force = False,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Write the images of a compressed file as PNG files, exactly the pixels that went in.

    Folders are made as the names in it say, none outside of FOLDER.
    Every image is checked before it is written. Ctrl-C keeps those that are finished.

    Args:
        out: Where the images go, as PNG files.
    """
    from pixelrnn import pictures
    from pixelrnn.coding import Album
    from pixelrnn.coding.file_names import FileNames
    from pixelrnn.files import make_folder

    began = time.perf_counter()
    with Album(album, model=model, threads=threads) as opened:
        _require_pictures(album, opened.entries)
        names = FileNames(opened.entries.names)
        make_folder(out)
        _refuse_existing(out, names, force=force)
        opened.make_ready(console.tell)
        done, folder = 0, ""
        with (
            suppress(KeyboardInterrupt),
            console.progress("decompressing", opened.num_pixels) as on_progress,
        ):
            for name, image in zip(names, opened.in_turn(on_progress), strict=True):
                if (parent := name.rpartition("/")[0]) != folder:
                    folder = parent
                    make_folder(out / folder)
                pictures.write_png(out / name, image)
                done += 1
        seconds = time.perf_counter() - began
        result = {
            "album": str(album),
            "out": str(out),
            "model": opened.header.model,
            "num_images": done,
            "files": names[:done],
            "names": opened.entries.names[:done],
            "seconds": seconds,
            "finished": done == len(names),
        }
    what = f"{out / names[0]}: 1 image" if done == 1 else f"{out}: {done:,} images as PNG"
    console.say_json(result) if as_json else console.say(f"{what}, {seconds:.3g} seconds")
    if note := _changes(opened.entries.names, names):
        console.tell(note)
    console.require_finished(done, len(names))


def _require_pictures(album: Path, entries: "Index | Originals") -> None:
    """Raise a DataError if an image has more bands than a PNG file."""
    if entries.runs.bands.max(initial=0) <= MAX_BANDS:
        return
    for number, entry in enumerate(entries):
        if entry.bands > MAX_BANDS:
            name = _short(entry.name) or f"image {number}"
            raise DataError(
                f"{album}: {name} has {entry.bands} bands, and a PNG file "
                f"at most {MAX_BANDS}: get arrays in Python, by pixelrnn.open({str(album)!r})"
            )


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
    from pixelrnn.coding.file_names import is_changed

    both = enumerate(zip(names, files, strict=True))
    changed = [n for n, (name, file) in both if is_changed(name, file)]
    if not changed:
        return ""
    named = [f"{_short(names[n])} is {_short(files[n])}" for n in changed[:NUM_NAMED]]
    are = counted(len(changed), "name is", "names are")
    more = f" and {len(changed) - NUM_NAMED:,} more" if changed[NUM_NAMED:] else ""
    return f"{are} changed, so that every system can hold all: {', '.join(named)}{more}"


def _short(name: str) -> str:
    return name if len(name) <= SHOWN_LETTERS else name[: SHOWN_LETTERS - 3] + "..."
