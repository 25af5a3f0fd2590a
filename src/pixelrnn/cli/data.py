"""`pixelrnn data`: what sets of images there are, what one holds, and fetching it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from pixelrnn.cli import console, inputs, options
from pixelrnn.errors import DataError, RecipeError
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from pixelrnn.data import DataOptions, DataSet
    from pixelrnn.data.catalogue import NamedSet

HELP = "Sets of images: what there is, and fetching it."
app = typer.Typer(cls=options.Verbs, no_args_is_help=True, help=HELP)

SHOWN_CLASSES = 12


@app.command("list", cls=options.Verb)
def list_sets(as_json: options.AsJson = False) -> None:
    """List the named sets: what they are, how large, their licence, and where they are on this machine."""
    from rich import box

    from pixelrnn.data import DataOptions
    from pixelrnn.data.catalogue import CATALOGUE

    facts = [_catalogue_facts(entry, DataOptions()) for entry in CATALOGUE.values()]
    if as_json:
        console.say_json(facts)
        return
    headings = ("name", "images", "C x H x W", "train / validation / test", "here?", "licence")
    console.say_table(headings, (), map(_row, facts), box=box.SIMPLE)


def _row(fact: dict[str, Any]) -> tuple[str, ...]:
    counts = " / ".join(f"{split['num_images']:,}" for split in fact["splits"].values())
    shape = " x ".join(map(str, fact["image_shape"]))
    here = f"in {fact['found']}" if fact["found"] else "yes"
    if not fact["here"]:
        here = f"no: {_megabytes(fact['num_bytes'])}"
    classes = f"; {fact['num_classes']} classes" if fact["num_classes"] else ""
    return fact["name"], fact["description"] + classes, shape, counts, here, fact["licence"]


@app.command(cls=options.Verb)
def info(
    source: str, settings: options.DataSettings = None, as_json: options.AsJson = False
) -> None:
    """Show one set of images: source, licence, files, checksums, splits and what was converted.

    Args:
        source: A named set, or a folder, array or archive.
    """
    from pixelrnn.data import load
    from pixelrnn.data.catalogue import CATALOGUE
    from pixelrnn.data.loading import check_options

    asked = inputs.data_options({}, settings or ())
    if asked.also:
        raise RecipeError("data.also mixes sets for a run: ask for each of them by itself")
    entry = CATALOGUE.get(source)
    facts: dict[str, Any] = {}
    if entry is not None:
        check_options(asked, entry.options, source)
        facts = _catalogue_facts(entry, asked)
    # What must be downloaded first is described from the catalogue: `info` fetches nothing.
    if entry is None or facts["here"]:
        facts |= _measured_facts(load(source, asked))
    if as_json:
        console.say_json(facts)
    else:
        _print_facts(facts)


@app.command(cls=options.Verb)
def fetch(name: str, settings: options.DataSettings = None) -> None:
    """Download a named set; an interrupted download is resumed. Nothing to do if it is here.

    Args:
        name: A named set.
    """
    from pixelrnn.data import finding
    from pixelrnn.data.catalogue import CATALOGUE
    from pixelrnn.data.loading import check_options, nothing_called

    if name not in CATALOGUE:
        raise DataError(nothing_called(name))
    asked = inputs.data_options({}, settings or ())
    check_options(asked, CATALOGUE[name].options, name)
    files = CATALOGUE[name].files(asked)
    if not files:
        console.say(f"{name} is here: it is part of an installed package")
    elif found := finding.locate(name, asked):
        console.say(f"{name} is here: {found.path}, checked")
    else:
        for path, remote in zip(finding.fetch(name, asked), files, strict=True):
            console.say(f"{path}  ({remote.checksum.replace(':', ' ')})")


def _catalogue_facts(entry: "NamedSet", options: "DataOptions") -> dict[str, Any]:
    from pixelrnn.data import SPLITS
    from pixelrnn.data.finding import locate

    files = entry.files(options)
    found = locate(entry.name, options) if files else None
    return {
        **{key: getattr(entry, key) for key in ("name", "description", "source", "licence")},
        "image_shape": list(entry.image_shape),
        "num_levels": entry.num_levels(options),
        "num_classes": 0 if options.binarisation == "fixed" else entry.num_classes,
        "here": found is not None or not files,
        "found": str(found.path) if found else None,
        "num_bytes": sum(remote.num_bytes for remote in files),
        "files": [asdict(remote) | {"path": str(remote.path)} for remote in files],
        "splits": {
            split: {"num_images": count, "sha256": None}
            for split, count in zip(SPLITS, entry.splits(options), strict=True)
        },
    }


def _measured_facts(data: "DataSet") -> dict[str, Any]:
    from pixelrnn.data import SPLITS
    from pixelrnn.uncertainty import count_pictures

    keys = ("name", "source", "licence", "num_levels", "num_classes", "split_rule")
    return {
        **{key: getattr(data, key) for key in keys},
        "image_shape": [data.channels, data.height, data.width],
        "class_names": list(data.class_names),
        "splits": {
            split: {
                "num_images": data.count(split),
                "num_pictures": count_pictures(data.count(split), data.pictures_of(split)),
                "sha256": data.sha256(split),
            }
            for split in SPLITS
        },
        "notes": list(data.notes),
    }


def _print_facts(facts: dict[str, Any]) -> None:
    from rich import box

    from pixelrnn.uncertainty import images_of_pictures

    keys = ("name", "description", "source", "licence")
    rows: list[tuple[str, str]] = [(key, facts[key]) for key in keys if key in facts]
    channels, height, width = facts["image_shape"]
    rows.append(("images", f"{channels} x {height} x {width}, {facts['num_levels']} levels"))
    for split, fact in facts["splits"].items():
        sha256 = f"sha256 {fact['sha256']}" if fact["sha256"] else "sha256 known once it is here"
        count = fact["num_images"]
        images = images_of_pictures(count, fact.get("num_pictures", count))
        rows.append((split, f"{images}, {sha256}"))
    if "split_rule" in facts:
        rows.append(("splits", facts["split_rule"]))
    if facts["num_classes"]:
        rows.append(("labels", _classes(facts)))
    if facts.get("found"):
        rows.append(("found", facts["found"]))
    for remote in [] if facts.get("found") else facts.get("files", ()):
        rows += [
            ("file", remote["url"]),
            ("", f"{_megabytes(remote['num_bytes'])}, {remote['checksum']}"),
            ("", f"{remote['path']} (not here: see `pixelrnn data fetch`)"),
        ]
    rows += [("note", note) for note in facts.get("notes", ())]
    console.say_table(("", ""), (), rows, box=box.SIMPLE, show_header=False)


def _classes(facts: dict[str, Any]) -> str:
    names = facts.get("class_names", [])
    some = ", ".join(names[:SHOWN_CLASSES]) + (", ..." if names[SHOWN_CLASSES:] else "")
    return counted(facts["num_classes"], "class", "classes") + (f": {some}" if some else "")


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"
