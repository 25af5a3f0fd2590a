"""`pixelrnn check`: does a trained model keep the contract?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelrnn.cli import console, inputs, options
from pixelrnn.errors import DataError

if TYPE_CHECKING:
    from pixelrnn.data import Images


def check(
    model: options.Model,
    quick: Annotated[bool, typer.Option("--quick")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Check that a trained model keeps the contract: causal, normalised, and its program the same model.

    With the weights that it has, it must use no sub-pixel that it has yet to predict, its probabilities
    must sum to one, an image must cost the same in any batch, and its program must compute the same;
    without --quick also sample what it scores and code exactly, in integers that say what the floats say.
    One line per check says what was covered. The exit code is 1 where one fails, and the sub-pixel at
    fault is named.

    Args:
        quick: Only the checks that take seconds, which `compare` and `evaluate` run as well.
    """
    from pixelrnn import contract
    from pixelrnn.coding import load_program
    from pixelrnn.models import store

    loaded = store.load(model)
    images, about = _images(model)
    coding = None if model.exists() else load_program(str(model))  # it comes with the package
    found, violation = [], None
    try:
        for each in contract.checks(loaded, images, coding=coding, quick=quick):
            with console.progress(each.name, 1) as on_progress:
                covered = each.run(on_progress)
            found.append({"check": each.name, "covered": covered})
            if not as_json:
                console.say(f"{each.name}: {covered}")
    except contract.ContractViolation as error:
        violation = error
    if as_json:
        console.say_json(
            {
                "model": str(model),
                "images": about,
                "kept": violation is None,
                "violation": violation and str(violation),
                "checks": found,
            }
        )
    if violation is not None:
        raise contract.ContractViolation(f"{model} breaks the contract: {violation}") from violation
    if not as_json:
        console.say(f"{model} keeps the contract, on {about}")


def _images(model: Path) -> "tuple[Images | None, str]":
    """Return images that a run is for, and which: its training images, or none where they are not here."""
    if not inputs.recorded(model):
        return None, "random images"
    try:
        data = inputs.images_for(model)
    except DataError as error:
        console.tell(f"random images are taken instead of the run's own: {error}")
        return None, "random images"
    return data.images("train"), f"training images of {data.name} and random ones"
