"""`pixelrnn models`: the trained models that come with the package, and making integers of one's own."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelrnn import shipped
from pixelrnn.cli import console, inputs, options, outputs
from pixelrnn.errors import OutputError

MEASURED_IMAGES = 512

HELP = "Trained models that come with the package, and exporting your own."
app = typer.Typer(cls=options.Verbs, no_args_is_help=True, help=HELP)


def _facts(name: str) -> dict[str, Any]:
    from pixelrnn.coding import load_program

    weights, program = (shipped.file_of(name, kind) for kind in (shipped.WEIGHTS, shipped.PROGRAM))
    config = shipped.config(name)
    # The first paragraph of the card, its heading left out.
    paragraphs = shipped.card(name).split("\n\n")
    summary = next(part for part in paragraphs if not part.strip().startswith("#"))
    return {
        "name": name,
        **{key: config[key] for key in ("kind", "channels", "num_levels", "image_size")},
        "likelihood": config["likelihood"]["kind"],
        "weights_bytes": weights.stat().st_size,
        "program_bytes": program.stat().st_size,
        "program_hash": load_program(name).hash.hex(),
        "summary": " ".join(summary.split()),
    }


@app.command("list", cls=options.Verb)
def list_models(as_json: options.AsJson = False) -> None:
    """List the models that come with the package."""
    facts = [_facts(name) for name in shipped.names()]
    if as_json:
        console.say_json(facts)
        return
    headings = ("name", "images", "weights", "integers", "what it is")
    rows = [
        (
            fact["name"],
            f"{'grey' if fact['channels'] == 1 else 'RGB'}, {fact['num_levels']} levels",
            f"{fact['weights_bytes'] / 1000:.0f} kB",
            f"{fact['program_bytes'] / 1000:.0f} kB",
            fact["summary"],
        )
        for fact in facts
    ]
    console.say_table(headings, (), rows, box=None, pad_edge=False)


@app.command(cls=options.Verb)
def info(name: str, as_json: options.AsJson = False) -> None:
    """Show a model's card: how it was trained, on what, how good it is, and the hash of its integers.

    Args:
        name: From `pixelrnn models list`.
    """
    card, facts = shipped.card(name), _facts(name)
    if as_json:
        console.say_json(facts | {"card": card})
        return
    console.say_lines(card.rstrip().split("\n"))
    console.say("")
    console.say(
        f"weights {facts['weights_bytes']:,} bytes, integers {facts['program_bytes']:,} bytes, "
        f"program {facts['program_hash']}"
    )


@app.command(cls=options.Verb)
def export(
    model: options.Model,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.safetensors")],
    data: options.Data = None,
    name: str | None = None,
    activation_bits: Annotated[int, typer.Option(min=4, max=13)] = 12,
    weight_bits: Annotated[int, typer.Option(min=4, max=16)] = 16,
    force: options.Force = False,
    as_json: options.AsJson = False,
) -> None:
    """Make an exact integer program of a trained model: what `compress --model` takes.

    It says what rounding costs, in bits/dim on validation images.

    Args:
        out: The file for the integer program.
        data: Images like those that it was trained on, on which the ranges of its values are
            measured; by default those of the run's recipe.
        name: Name of the model in compressed files, by default that of the run folder.
        activation_bits: Bits of what is multiplied, without the sign.
        weight_bits: Bits of a weight, with the sign.
    """
    from pixelrnn.coding import name_model, save_program
    from pixelrnn.coding.measuring import measure_files
    from pixelrnn.coding.program_file import check_name
    from pixelrnn.compiling import make_loop_ready
    from pixelrnn.evaluation import evaluate, labels_for, typical
    from pixelrnn.models import store
    from pixelrnn.operations.export import export as export_program
    from pixelrnn.operations.scales import Widths
    from pixelrnn.uncertainty import evenly_spread

    outputs.require_writable(("-o", out, ".safetensors"), force=force)
    weights = shipped.file_of(model, shipped.WEIGHTS)
    weights = weights / store.MODEL_FILE if weights.is_dir() else weights
    if out.exists() and weights.exists() and out.samefile(weights):
        raise OutputError(f"{out} holds the weights themselves: give another name with -o")
    called = check_name(name or model.resolve().name.removesuffix(".safetensors"))
    loaded, images = inputs.model_and_images(model, data)
    make_loop_ready(console.tell)
    given, of_given = typical(loaded, images)
    program = export_program(given.lower(of_given), Widths(activation_bits, weight_bits))
    named = name_model(called, program, loaded.config.label_names)
    save_program(named, out)
    split, count = ("validation", MEASURED_IMAGES) if images.count("validation") else ("train", 64)
    chosen = evenly_spread(images.count(split), count)
    some, labels = images.images(split)[chosen], labels_for(loaded, images, split)
    if labels is not None:
        labels = labels[chosen]
        loaded = loaded.given(labels)
    sizes = measure_files(named, some, labels)
    result = {
        "out": str(out),
        "name": named.name,
        "program_hash": named.hash.hex(),
        "num_bytes": out.stat().st_size,
        "num_images": len(some),
        "float_bits_per_dim": evaluate(loaded, some).bits_per_dim,
        "integer_bits_per_dim": sizes.ideal_bits_per_dim,
        "file_bits_per_dim": sizes.file_bits_per_dim,
    }
    text = (
        f"{out}: {result['num_bytes']:,} bytes, program {named.hash.hex()[:32]}; on {len(some)} {split} "
        f"images {result['float_bits_per_dim']:.4f} bits/dim in floats, "
        f"{sizes.ideal_bits_per_dim:.4f} in integers, {sizes.file_bits_per_dim:.4f} in a file"
    )
    console.say_json(result) if as_json else console.say(text)
