"""`pixelrnn info`: what a compressed file holds."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelrnn.cli import console, options
from pixelrnn.units import BITS_PER_BYTE
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from pixelrnn.coding import Album
    from pixelrnn.coding.container import Entry

MAX_ROWS = 40
KINDS = {1: "grey", 2: "grey, alpha", 3: "RGB", 4: "RGB, alpha"}


def info(
    album: options.AlbumFile, model: options.CodingModel = None, as_json: options.AsJson = False
) -> None:
    """Show what a compressed file holds: its model, and of each image size and bits/dim.

    No image is decoded, and the model need not be here.
    """
    from pixelrnn.coding import Album
    from pixelrnn.errors import CompressedFileError

    with Album(album, model=model, needs_model=False) as opened:
        facts = _facts(opened, album)
        with suppress(CompressedFileError):
            facts |= {"label_names": list(opened.model.label_names), "model_is_here": True}
        if as_json:
            console.say_json_with(
                facts, "images", map(partial(_of_image, facts), opened.all_entries)
            )
        else:
            _show(facts, [_of_image(facts, entry) for entry in opened.all_entries[:MAX_ROWS]])


def _of_image(facts: dict[str, Any], entry: "Entry") -> dict[str, Any]:
    about = {key: getattr(entry, key) for key in ("name", "height", "width", "bands")}
    about |= {
        "num_bytes": entry.size,
        "bits_per_dim": entry.bits_per_dim,
        "crc32": f"{entry.crc:08x}",
    }
    if facts["says_what_is_given"]:
        about |= {key: getattr(entry, key) for key in ("label", "small", "factor")}
    return about


def _facts(opened: "Album", album: Path) -> dict[str, Any]:
    header, num_images = opened.header, len(opened.all_entries)
    return {
        "album": str(album),
        "model": header.model,
        "program_hash": header.hash.hex(),
        "tile_pixels": header.tile,
        "num_images": num_images,
        "num_small": num_images - len(opened),  # that are there only because others are given them
        "num_bytes": opened.num_bytes,
        "bits_per_dim": BITS_PER_BYTE * opened.num_bytes / opened.num_dims if num_images else None,
        "model_is_here": False,
        "says_what_is_given": opened.all_entries.given is not None,
        "label_names": [],
    }


def _show(facts: dict[str, Any], images: list[dict[str, Any]]) -> None:
    here = "" if facts["model_is_here"] else ", which is not here"
    tile = f"tiles of {facts['tile_pixels']} pixels" if facts["tile_pixels"] else "no tiles"
    rate = f", {facts['bits_per_dim']:.4f} bits/dim" if facts["num_images"] else ""
    small = f", {facts['num_small']:,} of them small ones of others" if facts["num_small"] else ""
    console.say(f"{facts['album']}: {counted(facts['num_images'], 'image')}{small}, "
        f"{facts['num_bytes']:,} bytes{rate}")  # fmt: skip
    console.say(f"model {facts['model']} (program {facts['program_hash']}){here}; {tile}")
    headings = ["size", "kind", "bytes", "bits/dim"]
    rows = [
        (
            image["name"] or str(n),
            f"{image['height']} x {image['width']}",
            KINDS.get(image["bands"]) or f"{image['bands']} bands",
            f"{image['num_bytes']:,}",
            f"{image['bits_per_dim']:.4f}",
            *([_given(facts, image)] if facts["says_what_is_given"] else []),
        )
        for n, image in enumerate(images)
    ]
    if facts["says_what_is_given"]:
        headings.append("given")
    if rows:
        console.say_table(("image",), headings, rows, box=None, pad_edge=False)
    if facts["num_images"] > MAX_ROWS:
        console.say(f"... and {facts['num_images'] - MAX_ROWS:,} more; --json shows all")


def _given(facts: dict[str, Any], image: dict[str, Any]) -> str:
    """Return what an image is given by in words."""
    label, names = image["label"], facts["label_names"]
    words = [] if label is None else [f"class {names[label] if label < len(names) else label}"]
    if image["small"] is not None:
        words.append(f"image {image['small']}, {image['factor']} times smaller")
    return ", ".join(words)
