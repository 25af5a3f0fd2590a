"""`pixelrnn score`: how unusual images are, and how well that tells them from others."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelrnn.cli import console, options
from pixelrnn.cli.score_apart import say_told, told_apart
from pixelrnn.cli.score_asked import Asked
from pixelrnn.cli.score_table import Files, score_into_table
from pixelrnn.errors import RecipeError

TOLD_APART = 1000  # images of each set, where nobody says how many
SOME = (
    "a folder of images of any sizes, an image, an album (.pxr), an .npy or .npz, or a name: of a set "
    "(`pixelrnn data list`), of what is made (noise, constant, gradients, textures, letters), or a change "
    "of one (flipped:NAME; mirrored, inverted, scrambled)"
)
Some = Annotated[str | None, typer.Option(metavar="NAME-or-PATH")]


def score(
    model: options.Model,
    data: Annotated[
        str | None, typer.Option(metavar="NAME-or-PATH", help=f"Images: {SOME}.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.csv-or-.parquet")] = None,
    reference: Some = None,
    normal: Some = None,
    unusual: Some = None,
    background: Annotated[
        Path | None, typer.Option(parser=options.name_or_path, metavar="MODEL")
    ] = None,
    reverse: Annotated[
        Path | None, typer.Option(parser=options.name_or_path, metavar="MODEL")
    ] = None,
    codec: str = "png",
    by: str | None = None,
    split: str | None = None,
    count: Annotated[int | None, typer.Option("-n", "--count", parser=options.positive)] = None,
    group: options.Positive = 1,
    maps: Annotated[Path | None, typer.Option(metavar="FOLDER")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE.html")] = None,
    settings: options.DataSettings = None,
    seed: options.Seed = 0,
    skip: Annotated[bool, typer.Option("--skip")] = False,
    force: options.Force = False,
    batch_size: options.BatchSize = 50,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Score how unusual images are to a model; higher is more unusual.

    With --data, each image is scored into a table (--out), in memory that does not grow with their
    number. After Ctrl-C the same command goes on. With --normal and --unusual, each score is asked how well
    it tells the two apart: AUROC, and the share of normal images that are flagged where 95 % of the unusual
    ones are.

    Args:
        out: The table, a row for each image.
        reference: Held-out normal images: what scores are distances from, and what p-values are ranks
            among; 1,000 at most. By default the validation images of the model's own recipe; of --normal,
            every second image; none for none.
        normal: Images like those that the model was trained on.
        unusual: Images to tell from these.
        background: A model to compare with: one of a smaller field, or of other images.
        reverse: A model of the unusual images: the other direction is measured too.
        codec: Image format to compare with: png, webp, jpeg-xl, or none.
        by: The score that images are sorted by: bits_per_dim, typicality, complexity,
            complexity_typicality, ratio, ratio_typicality or density; by default the best that there is.
        split: Of --data: train, validation, test, or all. By default test of sets whose splits are known,
            all of everything else.
        count: The most images of a set, evenly spread; by default all of --data, 1,000 of --normal and
            of --unusual.
        group: Tell groups of so many images apart, not single ones.
        maps: Also write a picture for each image: where its bits are.
        html: Also write a page with the most unusual images and their maps.
        seed: Of what is made or drawn.
        skip: Leave out, and name, images that cannot be scored.
    """
    asked = Asked(background, codec, by, settings or [], seed, batch_size, device)
    if normal is None and unusual is None:
        if data is None or out is None:
            raise RecipeError(
                "say what to score and where to: --data NAME-or-PATH --out scores.csv; or which images to "
                "tell apart: --normal NAME-or-PATH --unusual NAME-or-PATH"
            )
        _refuse_beside("--data", {"--reverse": reverse, "--group": None if group == 1 else group})
        files = Files(out, maps, html, force)
        score_into_table(
            model, data, reference, asked, files, split, count, skip=skip, as_json=as_json
        )
        return
    if normal is None or unusual is None:
        raise RecipeError("two sets are told apart: give both --normal and --unusual")
    _refuse_beside(
        "--normal",
        {"--data": data, "--out": out, "--maps": maps, "--html": html, "--split": split, "--by": by,
         "--skip": skip or None},
    )  # fmt: skip
    most = count or TOLD_APART
    told = [told_apart(model, normal, unusual, reference, asked, most, group)]
    if reverse is not None:
        told.append(told_apart(reverse, unusual, normal, None, asked, most, group))
    if as_json:
        console.say_json({"directions": told})
        return
    for each in told:
        say_told(each)


def _refuse_beside(option: str, others: dict[str, Any]) -> None:
    """Raise `RecipeError` if an option is given that says nothing beside another one."""
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise RecipeError(f"{given[0]} does not go with {option}: leave one of them out")
