"""`pixelrnn audit`: is a model, ours or another's, causal, normalised, and its figure what it says?"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn.cli import console, foreign, inputs, options, outputs
from pixelrnn.errors import AuditFailure, DataError, RecipeError

if TYPE_CHECKING:
    from pixelrnn.auditing import Audit, Finding, Picture
    from pixelrnn.data import DataSet

COLOURS = {".": "bright_black", "-": "yellow", "#": "blue", "O": "bold", "!": "bold red"}
PositiveMinutes = options.positive_number("minutes, such as 2")


def audit(
    subject: Annotated[str, typer.Argument(metavar="MODULE:NAME or RUN-or-MODEL")],
    shape: Annotated[str | None, typer.Option(metavar="CxHxW")] = None,
    levels: options.PositiveOrNone = None,
    order: Annotated[str, typer.Option(metavar="raster or FILE.npy")] = "raster",
    how_given: Annotated[str, typer.Option("--inputs")] = "",
    layout: str = "",
    log_prob: Annotated[bool, typer.Option("--log-prob")] = False,
    data: options.Data = None,
    split: options.Split = "test",
    settings: options.DataSettings = None,
    count: Annotated[int | None, typer.Option("-n", "--count", parser=options.positive)] = None,
    reported: Annotated[str | None, typer.Option(metavar="NUMBER")] = None,
    batch_size: options.PositiveOrNone = None,
    sample: Annotated[str | None, typer.Option(metavar="MODULE:NAME or METHOD")] = None,
    at: Annotated[str | None, typer.Option(metavar="ROW,COLUMN,COLOUR")] = None,
    minutes: Annotated[float, typer.Option(parser=PositiveMinutes)] = 2.0,
    quick: Annotated[bool, typer.Option("--quick")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE.html")] = None,
    as_json: options.AsJson = False,
    force: options.Force = False,
) -> None:
    """Audit an autoregressive model: is it causal, normalised, and is its figure what it says?

    MODULE:NAME, or FILE.py:NAME, is a module of torch, a function from images to logits, or a function
    without arguments that returns one of them; --shape and --levels say what images it is of. A trained
    model of this package needs neither, and is held to its whole contract: causal, normalised, its program
    the same model, samples and codes as it scores. Each check has a verdict: holds, fails, or cannot be
    told and why. The exit code is 1 where one fails.

    Args:
        subject: A model from elsewhere; or a run folder, a .safetensors file, or a name from `models list`.
        shape: Channels, height and width of an image, such as 3x8x8.
        levels: Levels of a sub-pixel, such as 256.
        order: In which sub-pixels are predicted; a file has the position of each, (H, W) or (C, H, W).
        how_given: How it is given images, such as levels, unit ([0, 1]) or symmetric ([-1, 1]), perhaps
            with axes such as "(B, H, W, C)"; by default what it takes.
        layout: Of its outputs, such as "(B, K*C, H, W)" or "mixture (B, 10*n, H, W)"; by default what fits.
        log_prob: It gives log-probabilities in nats, of images or of sub-pixels.
        count: Only the first images.
        reported: The bits/dim that were reported for these images, with all their digits.
        batch_size: With which they were computed.
        sample: What samples images, given their number.
        at: Draw what this position depends on; by default one that leaks.
        minutes: How long it may take, about.
        quick: Of a model of this package only the checks that take seconds.
        html: Also write a page with the picture.
    """
    outputs.require_writable(("--html", html, ".html"), force=force)
    if foreign.is_foreign(subject):
        size = None if shape is None else options.image_shape(shape)
        if size is None or levels is None:
            raise RecipeError("--shape CxHxW and --levels say what images it is of: give both")
        images = _images_for(data, split, settings or (), count)
        asked: dict[str, Any] = {
            "order": order,
            "inputs": how_given,
            "layout": layout,
            "images": images and images[1],
            "reported": reported,
            "batch_size": batch_size,
            "data": data or "",
            "at": None if at is None else options.place(at),
            "minutes": minutes,
        }
        found = _of_others(subject, size, levels, sample, asked, log_prob=log_prob)
        on = f" on {images[0]}" if images else ""
    else:
        given = {"--shape": shape, "--levels": levels, "--reported": reported, "--sample": sample,
                 "--inputs": how_given, "--layout": layout, "--data": data}  # fmt: skip
        if wrong := [option for option, value in given.items() if value]:
            raise RecipeError(
                f"{wrong[0]} is for models of others, named MODULE:NAME, and {subject} is not so named"
            )
        found, on = _of_ours(options.name_or_path(subject), minutes, quick=quick)
    if html is not None:
        from pixelrnn.report import audited

        audited.write(found, html)
    _answer(found, on, as_json=as_json)


def _of_others(
    subject: str,
    shape: tuple[int, int, int],
    levels: int,
    sample: str | None,
    asked: dict[str, Any],
    *,
    log_prob: bool,
) -> "Audit":
    from pixelrnn.auditing import audit as audit_it
    from pixelrnn.models import AutoregressiveModel

    built = foreign.named(subject)
    if sample is not None:
        asked["sample"] = (
            foreign.named(sample) if foreign.is_foreign(sample) else foreign.method(built, sample)
        )
    kind = "log_prob" if log_prob else "logits"
    if isinstance(built, AutoregressiveModel) and not log_prob:
        kind = "model"
        asked = {key: value for key, value in asked.items() if key not in {"inputs", "layout"}}
    elif log_prob and hasattr(built, "log_prob"):
        built = built.log_prob
    with console.progress("auditing", 1) as on_progress:
        return audit_it(
            **{kind: built},
            shape=shape,
            num_levels=levels,
            name=subject,
            on_progress=on_progress,
            **asked,
        )


def _images_for(
    data: str | None, split: str, settings: "list[str] | tuple[()]", count: int | None
) -> tuple[str, Any] | None:
    if data is None:
        return None
    from pixelrnn.data import load

    found = load(data, inputs.data_options({}, settings))
    return f"{split} images of {found.name}", found.images(split)[:count]


def _of_ours(model: Path, minutes: float, *, quick: bool) -> "tuple[Audit, str]":
    """Hold a trained model to the contract, and look what it depends on."""
    from pixelrnn.auditing import Audit, Finding
    from pixelrnn.auditing import audit as audit_it
    from pixelrnn.coding import load_program
    from pixelrnn.contract import ContractViolation, checks
    from pixelrnn.models import store

    loaded = store.load(model)
    images, about = _own_images(model)
    coding = None if model.exists() else load_program(str(model))  # it comes with the package
    findings: list[Finding] = []
    shape = (loaded.config.channels, *(loaded.config.image_size or (8, 8)))
    try:
        for each in checks(loaded, images, coding=coding, quick=quick):
            name = each.name
            with console.progress(name, 1) as on_progress:
                findings.append(
                    Finding(name, "holds", "the contract is kept", each.run(on_progress))
                )
    except ContractViolation as violation:
        findings.append(Finding(name, "fails", str(violation)))
    found = Audit(str(model), shape, loaded.config.num_levels, "raster", findings)
    if quick and found.holds:
        return found, f", on {about}"
    with console.progress("what it depends on", 1) as on_progress:
        more = audit_it(loaded, shape=shape, minutes=minutes, on_progress=on_progress)
    findings = _joined(findings, more.findings)
    return Audit(
        *(str(model), shape, found.num_levels, "raster", findings), more.picture
    ), f", on {about}"


def _joined(contract: "Sequence[Finding]", others: "Sequence[Finding]") -> "list[Finding]":
    """Return what the contract found, with the names of faults, and what else was looked at."""
    named = {each.check: each for each in others if each.verdict == "fails"}
    found = [
        replace(named[each.check], text=f"{each.text}; {named[each.check].text}")
        if each.verdict == "fails" and each.check in named
        else each
        for each in contract
    ]
    known = {each.check for each in contract} | {
        "inputs and outputs",
        "same in any batch",
        "Jacobian",
    }
    return found + [each for each in others if each.check not in known]


def _own_images(model: Path) -> "tuple[Any, str]":
    """Return images that a run is for, and which: its training images, or none where they are not here."""
    if not inputs.recorded(model):
        return None, "random images"
    try:
        data: DataSet = inputs.images_for(model)
    except DataError as error:
        console.tell(f"random images are taken instead of the run's own: {error}")
        return None, "random images"
    return data.images("train"), f"training images of {data.name} and random ones"


def _answer(found: "Audit", on: str, *, as_json: bool) -> None:
    if as_json:
        console.say_json({**found.to_json(), "images": on.removeprefix(", on ").strip()})
    else:
        console.say_lines(line for each in found.findings for line in each.lines())
        if found.picture is not None:
            _draw(found.picture)
    if not found.holds:
        first = found.failures[0]
        also = "".join(f"; {each.check}" for each in found.failures[1:])
        raise AuditFailure(f"{found.subject} fails: {first.check}: {first.text}{also}")
    if not as_json:
        console.say(f"{found.subject}: nothing fails{on}")


def _draw(picture: "Picture") -> None:
    from pixelrnn.auditing import drawing

    console.say(f"{picture.title}:")
    console.say_coloured(drawing.lines(picture), COLOURS)
    console.say_lines(drawing.key(picture))
