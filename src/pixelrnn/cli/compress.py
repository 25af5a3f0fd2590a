"""`pixelrnn compress`: images to one file, exactly."""

import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn.cli import console, options, outputs
from pixelrnn.cli.given import class_of, require_scales
from pixelrnn.errors import CompressedFileError, OutputError
from pixelrnn.shipped import DEFAULT_MODELS, described_defaults, kind_of, mostly
from pixelrnn.units import BITS_PER_BYTE
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from pixelrnn.coding import Codec
    from pixelrnn.coding.container import Entry
    from pixelrnn.data.given_files import GivenImage, GivenImages

    Coded = list[tuple[GivenImage, Entry]]

SUFFIX = ".pxr"


def compress(
    # What cannot be read is named together with the rest.
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", readable=False)],
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE.pxr")] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", **options.CODING_MODEL, show_default=described_defaults()),
    ] = None,
    tile: Annotated[int | None, typer.Option(metavar="PIXELS")] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="NAME-or-NUMBER")] = None,
    labels: Annotated[bool, typer.Option("--labels")] = False,
    small: Annotated[int, typer.Option(min=0, metavar="FACTOR", show_default=False)] = 0,
    skip: Annotated[bool, typer.Option("--skip")] = False,
    keep_smaller: Annotated[bool, typer.Option("--keep-smaller")] = False,
    verify: Annotated[bool, typer.Option("--verify")] = False,
    force: options.Force = False,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Compress images into one file, without losing a bit; Ctrl-C leaves nothing behind.

    Folders are read with their sub-folders, whose names are kept. What is kept is the pixels, turned
    upright, and the files' names; what else a file says (dates, colour profiles) is not, and that is said.

    Args:
        images: Image files, 8 bits, grey or RGB, with or without alpha; or folders of them. With a --model
            of more than 256 levels: PNG or TIFF files of 16 bits.
        out: The compressed file, by default the image's name, with .pxr.
        tile: Side of the squares that are coded independently, so that all cores share an image; 0
            for none. Larger ones compress slightly better, and more slowly. By default 128.
        label: Class of the images, for a --model that was trained with labels.
        labels: Take the class of each image from the name of the folder that it is in.
        small: Put before each image a small one, one pixel of each square of this side, and code the image
            given that; for a --model of several scales, or any other that is given pixels of the image
            itself.
        skip: Leave out, and name, images that cannot be read without loss.
        keep_smaller: Leave out, and name, files that would grow, such as most JPEGs.
        verify: Decode everything again, and compare, before the file takes its name.
    """
    from pixelrnn.coding import DEFAULT_TILE, Codec, load_program
    from pixelrnn.data.given_files import given_images
    from pixelrnn.data.image_files import depth_of
    from pixelrnn.files import replacing

    if out is not None:  # for a folder or a device; what else may be there: see `_output`
        outputs.refuse_existing("-o", out, force=True)
    chosen = load_program(model) if model else None
    given = given_images(images, depth_of(chosen.program.num_levels) if chosen else 8)
    given.refuse(skip=skip)
    out = _output(out, given.images, force=force, all_kept=not (skip or keep_smaller))
    # By the headers alone: pixels are read once, when they are coded.
    kind = mostly(image.shape for image in given.images)
    codec = Codec(
        chosen or load_program(DEFAULT_MODELS[kind]),
        tile=DEFAULT_TILE if tile is None else tile,
        threads=threads,
    )
    label_of = class_of(codec.model, label, labels=labels)
    require_scales(codec.model, small, keep_smaller=keep_smaller)
    if label_of:
        for image in given.images:
            label_of(image.name)  # raises before anything is coded
    given.check_sizes(codec, skip=skip)
    codec.make_ready(console.tell)
    began = time.perf_counter()
    try:
        with replacing(out) as beside:
            kept, larger = _write(
                beside, given, codec, label_of, small, skip=skip, keep_smaller=keep_smaller
            )
            seconds = time.perf_counter() - began
            if verify:
                _verify(beside, kept, codec)
            num_bytes = beside.stat().st_size
    except KeyboardInterrupt:
        raise console.interrupted("stopped: nothing is written") from None
    dims = sum(entry.num_dims for _, entry in kept)
    result = {
        "out": str(out),
        "model": codec.model.name,
        "model_is_for": None if model else kind,
        "program_hash": codec.model.hash.hex(),
        "tile_pixels": codec.tile,
        "num_images": len(kept),
        "num_bytes": num_bytes,
        "input_bytes": sum(image.num_bytes for image, _ in kept),
        "bits_per_dim": BITS_PER_BYTE * num_bytes / dims,
        "seconds": seconds,
        "verified": verify,
        "images": _facts(kept),
        "smaller_as_they_are": _facts(larger),
        "skipped": [{"path": str(e.path), "reason": e.reason} for e in given.refused],
        "left_aside": [{"name": name, "reason": reason} for name, reason in given.left_aside],
        "num_turned_upright": given.num_turned,
        "not_kept": given.not_kept,
    }
    console.say_json(result) if as_json else console.say(_text(result))
    notes = [] if model else _mixed(given.images, kind)
    for note in [*notes, *given.notes(), *_growth(kept, larger, left_out=keep_smaller)]:
        console.tell(note)


def _write(
    path: Path,
    given: "GivenImages",
    codec: "Codec",
    label_of: "Callable[[str], int | None] | None",
    small: int,
    *,
    skip: bool,
    keep_smaller: bool,
) -> "tuple[Coded, Coded]":
    """Write the file; return the images in it, and those left out of it as they would be larger.

    Raises:
        DataError: if no image is left to be in it.
    """
    from pixelrnn.coding import write
    from pixelrnn.data.given_files import nothing_left

    kept: Coded = []
    larger: Coded = []

    def keeps(number: int, entry: "Entry") -> bool:
        image = given.read[number]
        is_kept = not keep_smaller or entry.size < image.num_bytes
        (kept if is_kept else larger).append((image, entry))
        return is_kept

    pixels = sum(image.num_pixels for image in given.images)
    with path.open("wb") as stream, console.progress("compressing", pixels) as on_progress:
        entries = write(
            codec, given.pixels(skip=skip), stream, on_progress=on_progress, keeps=keeps,
            label_of=label_of, factor=small,
        )  # fmt: skip
    if not kept:
        raise nothing_left(given.notes() + _growth(kept, larger, left_out=True))
    return [(image, _with_small(entry, entries)) for image, entry in kept], larger


def _with_small(entry: "Entry", entries: "list[Entry]") -> "Entry":
    """Return the entry of an image with the messages of its small one, too, which it needs."""
    if entry.small is None:
        return entry
    return replace(entry, messages=entries[entry.small].messages + entry.messages)


def _output(out: Path | None, images: "list[GivenImage]", *, force: bool, all_kept: bool) -> Path:
    """Return where to write; no input is ever written over, nor an image that is not among these."""
    if out is None:
        if len(images) != 1:
            raise OutputError(
                f"{len(images)} images go into one file: name it with -o album{SUFFIX}"
            )
        out = images[0].path.with_suffix(SUFFIX)
    if os.path.exists(out):  # noqa: PTH110 - never raises
        if any(out.samefile(image.path) for image in images):
            raise OutputError(f"{out} is one of the images: give another name with -o")
        if not force and all_kept and _is_album_of(out, images):
            console.tell(f"{out} is an album of images of these names alone: it is written again")
            force = True
    outputs.require_writable(("-o", out, SUFFIX), force=force)
    return out


def _is_album_of(path: Path, images: "list[GivenImage]") -> bool:
    """Return whether a file is an album, and every image in it has the name of one of these."""
    from pixelrnn.coding import Album

    with suppress(CompressedFileError), Album(path, needs_model=False) as album:
        return {image.name for image in images}.issuperset(album.names)
    return False


def _verify(path: Path, kept: "Coded", codec: "Codec") -> None:
    """Decode the file by the same model, read from where the user has it, and compare all pixels."""
    import numpy as np

    from pixelrnn.coding import Album
    from pixelrnn.data.given_files import GivenImages

    with (
        Album(path, threads=codec.threads, coding_model=codec.model) as album,
        console.progress("verifying", album.num_pixels) as on_progress,
    ):
        again = GivenImages([image for image, _ in kept]).pixels(skip=False)
        for (name, image), decoded in zip(again, album.in_turn(on_progress), strict=True):
            if not np.array_equal(decoded, image):
                raise CompressedFileError(
                    f"{name} does not decode to the same pixels; this is a fault of pixelrnn, or of "
                    "this machine's memory: no file was written"
                )


def _facts(coded: "Coded") -> list[dict[str, Any]]:
    return [
        {
            "name": image.name,
            "path": str(image.path),
            "input_bytes": image.num_bytes,
            "num_bytes": entry.size,
            "bits_per_dim": entry.bits_per_dim,
        }
        for image, entry in coded
    ]


def _mixed(images: "list[GivenImage]", kind: str) -> list[str]:
    """Return what has to be said where another model would have been taken for some of the images."""
    (other,) = DEFAULT_MODELS.keys() - {kind}
    count = sum(kind_of(*image.header.size) == other for image in images)
    taken, better = DEFAULT_MODELS[kind], DEFAULT_MODELS[other]
    if not count or better == taken:
        return []
    return [
        f"an album has one model: {taken}, for most of its levels are of {kind}; {counted(count, 'image')} "
        f"of {len(images):,}, {other}, would have {better} in an album of their own"
    ]


def _growth(kept: "Coded", larger: "Coded", *, left_out: bool) -> list[str]:
    """Return what has to be said of files that are smaller on disk than in an album."""
    from pixelrnn.data.listing import some

    grew = [
        f"{image.name} ({image.num_bytes:,} to {entry.size:,} bytes)"
        for image, entry in (larger if left_out else kept)
        if left_out or entry.size > image.num_bytes
    ]
    of_all = f"{len(grew):,} of {counted(len(kept) + len(larger), 'file')}"
    text = f"{of_all} grew: {some(grew)}; --keep-smaller leaves such files out"
    if left_out:
        text = f"left out, as they would not shrink, {of_all}: {some(grew)}; they stay as they are on disk"
    return [text] if grew else []


def _text(result: dict[str, Any]) -> str:
    share = result["num_bytes"] / result["input_bytes"]
    chosen = f", the model for {result['model_is_for']}" if result["model_is_for"] else ""
    checked = "; decoded again and compared" if result["verified"] else ""
    return (
        f"{result['out']}: {counted(result['num_images'], 'image')}, {result['num_bytes']:,} bytes, "
        f"{result['bits_per_dim']:.4f} bits/dim by {result['model']}{chosen}; {share:.0%} of the "
        f"{result['input_bytes']:,} bytes of the files, {result['seconds']:.3g} seconds{checked}"
    )
