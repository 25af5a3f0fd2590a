"""`pixelrnn data`: what sets of images there are, what one holds, and fetching it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn.cli.console import say, say_json, say_table
from pixelrnn.cli.options import Verb, Verbs
from pixelrnn.errors import RecipeError
from pixelrnn.untrusted import printable
from pixelrnn.wording import suggestion

if TYPE_CHECKING:
    from pixelrnn.data import DataOptions, DataSet
    from pixelrnn.data.catalogue import NamedSet

app = typer.Typer(
    cls=Verbs, no_args_is_help=True, help="Sets of images: what there is, and fetching it."
)

SHOWN_CLASSES = 12

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option, such as data.patch_size=32."),
]


@app.command("list", cls=Verb)
def list_sets(as_json: AsJson = False) -> None:
    """List the named sets: what they are, how large, their licence, and where they are on this machine."""
    from rich.text import Text  # file names may have [brackets], which are no markup

    from pixelrnn.data import DataOptions
    from pixelrnn.data.catalogue import CATALOGUE

    facts = [_catalogue_facts(entry, DataOptions()) for entry in CATALOGUE.values()]
    if as_json:
        say_json(facts, indent=2)
        return
    table = _table("name", "images", "C x H x W", "train / validation / test", "here?", "licence")
    for fact in facts:
        counts = " / ".join(f"{split['num_images']:,}" for split in fact["splits"].values())
        shape = " x ".join(map(str, fact["image_shape"]))
        here = f"in {fact['found']}" if fact["found"] else "yes"
        if not fact["here"]:
            here = f"no: {_megabytes(fact['num_bytes'])}"
        classes = f"; {fact['num_classes']} classes" if fact["num_classes"] else ""
        what = fact["description"] + classes
        table.add_row(fact["name"], what, shape, counts, Text(printable(here)), fact["licence"])
    say_table(table)


@app.command(cls=Verb)
def info(
    source: Annotated[str, typer.Argument(help="A named set, or a folder, array or archive.")],
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Show one set of images: source, licence, files, checksums, splits and what was converted."""
    from pixelrnn.data import load
    from pixelrnn.data.catalogue import CATALOGUE
    from pixelrnn.data.loading import check_options

    options = _options(settings or [])
    if options.also:
        raise RecipeError("data.also mixes sets for a run: ask for each of them by itself")
    entry = CATALOGUE.get(source)
    facts: dict[str, Any] = {}
    if entry is not None:
        check_options(options, entry.options, source)
        facts = _catalogue_facts(entry, options)
    # What must be downloaded first is described from the catalogue: `info` fetches nothing.
    if entry is None or facts["here"]:
        facts |= _measured_facts(load(source, options))
    if as_json:
        say_json(facts, indent=2)
    else:
        _print_facts(facts)


@app.command(cls=Verb)
def fetch(
    name: Annotated[str, typer.Argument(help="A named set.")],
    settings: Settings = None,
) -> None:
    """Download a named set; an interrupted download is resumed. Nothing to do if it is here."""
    from pixelrnn.data import finding
    from pixelrnn.data.catalogue import CATALOGUE
    from pixelrnn.data.loading import check_options, nothing_called
    from pixelrnn.errors import DataError

    if name not in CATALOGUE:
        raise DataError(nothing_called(name))
    options = _options(settings or [])
    check_options(options, CATALOGUE[name].options, name)
    files = CATALOGUE[name].files(options)
    if not files:
        say(f"{name} is here: it is part of an installed package")
    elif found := finding.locate(name, options):
        say(f"{name} is here: {found.path}, checked")
    else:
        for path, remote in zip(finding.fetch(name, options), files, strict=True):
            say(f"{path}  ({remote.checksum.replace(':', ' ')})")


def _options(settings: list[str]) -> "DataOptions":
    import tomllib

    import pydantic

    from pixelrnn.data import DataOptions

    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise RecipeError(f"--set {setting}: write it as KEY=VALUE, such as data.patch_size=32")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        values[key.strip().removeprefix("data.")] = value
    try:
        return DataOptions(**values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] != "extra_forbidden":
            raise RecipeError(f"--set data.{key}: {first['msg']}") from error
        meant = suggestion(key, DataOptions.model_fields, "data.")
        known = ", ".join(f"data.{name}" for name in DataOptions.model_fields)
        raise RecipeError(f"there is no option data.{key}{meant}: there are {known}") from error


def _catalogue_facts(entry: "NamedSet", options: "DataOptions") -> dict[str, Any]:
    from pixelrnn.data import SPLITS
    from pixelrnn.data.finding import locate

    files = entry.files(options)
    found = locate(entry.name, options) if files else None
    return {
        "name": entry.name,
        "description": entry.description,
        "source": entry.source,
        "licence": entry.licence,
        "image_shape": list(entry.image_shape),
        "num_levels": entry.num_levels(options),
        "num_classes": 0 if options.binarisation == "fixed" else entry.num_classes,
        "here": found is not None or not files,
        "found": str(found.path) if found else None,
        "num_bytes": sum(remote.num_bytes for remote in files),
        "files": [
            {
                "url": remote.url,
                "num_bytes": remote.num_bytes,
                "checksum": remote.checksum,
                "path": str(remote.path),
            }
            for remote in files
        ],
        "splits": {
            split: {"num_images": count, "sha256": None}
            for split, count in zip(SPLITS, entry.splits(options), strict=True)
        },
    }


def _measured_facts(data: "DataSet") -> dict[str, Any]:
    from pixelrnn.data import SPLITS
    from pixelrnn.uncertainty import count_pictures

    return {
        "name": data.name,
        "source": data.source,
        "licence": data.licence,
        "image_shape": [data.channels, data.height, data.width],
        "num_levels": data.num_levels,
        "num_classes": data.num_classes,
        "class_names": list(data.class_names),
        "splits": {
            split: {
                "num_images": data.count(split),
                "num_pictures": count_pictures(data.count(split), data.pictures_of(split)),
                "sha256": data.sha256(split),
            }
            for split in SPLITS
        },
        "split_rule": data.split_rule,
        "notes": list(data.notes),
    }


def _print_facts(facts: dict[str, Any]) -> None:
    from rich.text import Text  # file names may have [brackets], which are no markup

    from pixelrnn.uncertainty import images_of_pictures

    table = _table("", "")
    table.show_header = False
    for key in ("name", "description", "source", "licence"):
        if key in facts:
            table.add_row(key, Text(printable(facts[key])))
    channels, height, width = facts["image_shape"]
    table.add_row("images", f"{channels} x {height} x {width}, {facts['num_levels']} levels")
    for split, fact in facts["splits"].items():
        sha256 = f"sha256 {fact['sha256']}" if fact["sha256"] else "sha256 known once it is here"
        count = fact["num_images"]
        images = images_of_pictures(count, fact.get("num_pictures", count))
        table.add_row(split, f"{images}, {sha256}")
    if "split_rule" in facts:
        table.add_row("splits", Text(printable(facts["split_rule"])))
    if facts["num_classes"]:
        table.add_row("labels", Text(printable(_classes(facts))))
    if facts.get("found"):
        table.add_row("found", Text(printable(facts["found"])))
    for remote in [] if facts.get("found") else facts.get("files", ()):
        table.add_row(
            "file",
            f"{remote['url']}\n{_megabytes(remote['num_bytes'])}, {remote['checksum']}\n"
            f"{remote['path']} (not here: see `pixelrnn data fetch`)",
        )
    for note in facts.get("notes", ()):
        table.add_row("note", Text(printable(note)))
    say_table(table)


def _classes(facts: dict[str, Any]) -> str:
    names = facts.get("class_names", [])
    some = ", ".join(names[:SHOWN_CLASSES]) + (", ..." if names[SHOWN_CLASSES:] else "")
    classes = "1 class" if facts["num_classes"] == 1 else f"{facts['num_classes']} classes"
    return classes + (f": {some}" if some else "")


def _table(*columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"
