"""`pixelrnn models`: the trained models that come with the package, and making integers of one's own."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pixelrnn import shipped
from pixelrnn.cli.console import say, say_json, say_lines, say_table, tell
from pixelrnn.cli.drawing import AsJson, Force, require_writable
from pixelrnn.cli.options import Verb, Verbs
from pixelrnn.errors import OutputError, RecipeError

MEASURED_IMAGES = 512

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    help="Trained models that come with the package, and exporting one's own.",
)


def _weights_config(path: Path) -> dict[str, Any]:
    """Return the configuration of a model from the header of its file, without torch."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as opened:
        config: dict[str, Any] = json.loads((opened.metadata() or {})["config"])
    return config


def _facts(name: str) -> dict[str, Any]:
    from pixelrnn.coding import load_program

    weights = shipped.file_of(name, shipped.WEIGHTS)
    program = shipped.file_of(name, shipped.PROGRAM)
    config = _weights_config(weights)
    return {
        "name": name,
        "kind": config["kind"],
        "channels": config["channels"],
        "num_levels": config["num_levels"],
        "image_size": config["image_size"],
        "likelihood": config["likelihood"]["kind"],
        "weights_bytes": weights.stat().st_size,
        "program_bytes": program.stat().st_size,
        "program_hash": load_program(name).hash.hex(),
        "summary": _summary(name),
    }


def _summary(name: str) -> str:
    """Return the first paragraph of a card, its heading left out."""
    paragraphs = [part.strip() for part in shipped.card(name).split("\n\n")]
    return " ".join(next(part for part in paragraphs if not part.startswith("#")).split())


@app.command("list", cls=Verb)
def list_models(as_json: AsJson = False) -> None:
    """List the models that come with the package."""
    facts = [_facts(name) for name in shipped.names()]
    if as_json:
        say_json(facts)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for column in ("images", "weights", "integers", "what it is"):
        table.add_column(column, overflow="fold")
    for fact in facts:
        kind = "grey" if fact["channels"] == 1 else "RGB"
        table.add_row(
            fact["name"],
            f"{kind}, {fact['num_levels']} levels",
            f"{fact['weights_bytes'] / 1000:.0f} kB",
            f"{fact['program_bytes'] / 1000:.0f} kB",
            fact["summary"],
        )
    say_table(table)


@app.command(cls=Verb)
def info(
    name: Annotated[str, typer.Argument(help="From `pixelrnn models list`.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show a model's card: how it was trained, on what, how good it is, and the hash of its integers."""
    card, facts = shipped.card(name), _facts(name)
    if as_json:
        say_json(facts | {"card": card})
        return
    say_lines(card.rstrip().split("\n"))
    say("")
    say(
        f"weights {facts['weights_bytes']:,} bytes, integers {facts['program_bytes']:,} bytes, "
        f"program {facts['program_hash']}"
    )


@app.command(cls=Verb)
def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN-or-MODEL", help="A run folder or a .safetensors file.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE.safetensors", help="The integer program.")
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME-or-PATH",
            help="Images like those that it was trained on; they say how large its values become.",
            show_default="those of the run's recipe",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="What compressed files call the model.", show_default="the run folder's name"
        ),
    ] = None,
    activation_bits: Annotated[
        int, typer.Option(min=4, max=13, help="Of what is multiplied, its sign left out.")
    ] = 12,
    weight_bits: Annotated[
        int, typer.Option(min=4, max=16, help="Of a weight, sign included.")
    ] = 16,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make an exact integer program of a trained model: what `compress --model` takes.

    It says what rounding costs, in bits/dim on validation images.
    """
    from pixelrnn.coding import name_model, save_program
    from pixelrnn.coding.measuring import measure_files
    from pixelrnn.coding.program_file import check_name
    from pixelrnn.compiling import make_loop_ready
    from pixelrnn.data import load
    from pixelrnn.evaluation import evaluate
    from pixelrnn.models import store
    from pixelrnn.operations.export import export
    from pixelrnn.operations.scales import Widths
    from pixelrnn.training import RunFolder, recipe_of

    require_writable([("-o", out, ".safetensors")], force=force)
    weights = shipped.file_of(run, shipped.WEIGHTS)
    weights = weights / store.MODEL_FILE if weights.is_dir() else weights
    if out.exists() and weights.exists() and out.samefile(weights):
        raise OutputError(f"{out} holds the weights themselves: give another name with -o")
    called = check_name(name or Path(run).resolve().name.removesuffix(".safetensors"))
    model = store.load(run)
    folder = RunFolder.of(Path(run))
    if data is not None:
        images = load(data)
    elif folder.recipe_file.is_file():
        source = recipe_of(folder).data
        images = load(source.source, source.options())
    else:
        raise RecipeError(f"{run} does not say what it was trained on: give --data NAME-or-PATH")
    from pixelrnn.assessment import require_fit
    from pixelrnn.uncertainty import evenly_spread

    require_fit(model, images)
    make_loop_ready(tell)
    widths = Widths(activation_bits, weight_bits)
    program = export(model.lower(images.images("train")), widths)
    named = name_model(called, program)
    save_program(named, out)
    split, count = ("validation", MEASURED_IMAGES) if images.count("validation") else ("train", 64)
    some = images.images(split)[evenly_spread(images.count(split), count)]
    sizes = measure_files(named, some)
    before = evaluate(model, some).bits_per_dim
    result = {
        "out": str(out),
        "name": named.name,
        "program_hash": named.hash.hex(),
        "num_bytes": out.stat().st_size,
        "num_images": len(some),
        "float_bits_per_dim": before,
        "integer_bits_per_dim": sizes.ideal_bits_per_dim,
        "file_bits_per_dim": sizes.file_bits_per_dim,
    }
    text = (
        f"{out}: {result['num_bytes']:,} bytes, program {named.hash.hex()[:32]}; on {len(some)} "
        f"{split} images {before:.4f} bits/dim in floats, {sizes.ideal_bits_per_dim:.4f} in "
        f"integers, {sizes.file_bits_per_dim:.4f} in a file"
    )
    say_json(result) if as_json else say(text)
