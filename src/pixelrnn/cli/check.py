"""`pixelrnn check`: does a trained model keep the contract?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn.cli.console import say, say_json, tell
from pixelrnn.cli.drawing import AsJson
from pixelrnn.cli.options import images_progress

if TYPE_CHECKING:
    from pixelrnn.audit import Check
    from pixelrnn.coding import CodingModel
    from pixelrnn.data import Images


def check(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="RUN-or-MODEL",
            help="A run folder, a .safetensors file, or a name from `pixelrnn models list`.",
        ),
    ],
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Only what takes seconds: what `compare` and `evaluate` check."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check that a trained model keeps the contract: causal, normalised, and its program the same model.

    With the weights that it has, it must use no sub-pixel that it has yet to predict, its probabilities
    must sum to one, an image must cost the same in any batch, and its program must compute the same;
    without --quick also draw what it scores and code exactly, in integers that say what the floats say. A
    line a check says what was covered. The exit code is 1 where one fails, with the sub-pixel at fault.
    """
    from pixelrnn.audit import ContractViolation, checks
    from pixelrnn.models import store

    loaded = store.load(model)
    images, about = _images(model)
    found: list[dict[str, str]] = []
    violation = None
    try:
        for each in checks(loaded, images, coding=_coding(model), quick=quick):
            found.append({"check": each.name, "covered": _run(each)})
            if not as_json:
                say(f"{each.name}: {found[-1]['covered']}")
    except ContractViolation as error:
        violation = error
    if as_json:
        say_json(_result(model, about, found, violation))
    if violation is not None:
        raise ContractViolation(f"{model} breaks the contract: {violation}") from violation
    if not as_json:
        say(f"{model} keeps the contract, on {about}")


def _result(
    model: Path, about: str, found: list[dict[str, str]], violation: Exception | None
) -> dict[str, Any]:
    return {
        "model": str(model),
        "images": about,
        "kept": violation is None,
        "violation": None if violation is None else str(violation),
        "checks": found,
    }


def _run(each: "Check") -> str:
    with images_progress(each.name, 1) as on_progress:
        return each.run(lambda done, total: on_progress(done / total))


def _images(model: Path) -> "tuple[Images | None, str]":
    """Return images that a run is for, and which: its training images, or none where they are not here."""
    from pixelrnn.data import load
    from pixelrnn.errors import DataError
    from pixelrnn.training import RunFolder, recipe_of

    run = RunFolder.of(model)
    if not run.recipe_file.is_file():
        return None, "random images"
    table = recipe_of(run).data
    try:
        data = load(table.source, table.options())
    except DataError as error:
        tell(f"random images are taken instead of the run's own: {error}")
        return None, "random images"
    return data.images("train"), f"training images of {data.name} and random ones"


def _coding(model: Path) -> "CodingModel | None":
    """Return the integers that come with a model of the package."""
    from pixelrnn import shipped
    from pixelrnn.coding import load_program

    return None if model.exists() else load_program(shipped.file_of(model, shipped.PROGRAM))
