"""`pixelrnn assess`: the one look at a run's test images, with all that the report shows."""

from pathlib import Path
from typing import Annotated

import typer

from pixelrnn.cli import options
from pixelrnn.cli.console import progress, raise_alarms, say, say_json, tell
from pixelrnn.cli.evaluate import in_words, result_of, why_not_kept
from pixelrnn.cli.inputs import images_for
from pixelrnn.errors import OutputError


def assess(
    run: Annotated[Path, typer.Argument(parser=options.name_or_path, metavar="RUN")],
    data: options.Data = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 50,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Look at a run's test images once, and keep in its folder all that `pixelrnn report` shows.

    Beside the bits per dimension that `pixelrnn evaluate` measures these are samples, completions, what
    the model sees, the size of a real file, and what image codecs need. --data says where the run's own
    images are now.

    Args:
        run: A finished run folder.
        batch_size: Images at a time; affects speed and memory, not the result.
    """
    from pixelrnn import assessment
    from pixelrnn.evaluation import require_fit
    from pixelrnn.models import store
    from pixelrnn.runs import RunFolder
    from pixelrnn.training import recipe_of

    folder = RunFolder.of(run)
    model = store.load(run, device=device)
    recipe_of(folder)  # it is a run, and not weights alone
    images = images_for(run, data)
    require_fit(model, images)
    if reason := why_not_kept(run, folder, images):
        raise OutputError(f"{folder.path} cannot keep an assessment: {reason}")
    assessment.require_contract(folder, model, images.images("test"))
    with progress("evaluating", images.count("test")) as on_progress:
        evaluation = assessment.assess(
            folder,
            images,
            model=model,
            batch_size=batch_size,
            device=device,
            on_progress=on_progress,
            on_compiling=tell,
        )
    result = result_of(run, images, "test", evaluation, folder.result()["alarms"])
    say_json(result) if as_json else say(in_words(result))
    raise_alarms(result["alarms"])
