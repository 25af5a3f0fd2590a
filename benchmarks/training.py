"""How fast models train: a recipe's own step beside the same architecture written plainly, in turn.

A step is all that a run does for a batch: the loss, its gradient, clipping, the optimiser and the moving
average. Images are synthetic. On the processor all is in float32; on a GPU the recipe says. What the
machine could do at most is taken to be what it does in the product of two large matrices in float32,
measured between the steps.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from benchmarks.in_turn import measure_in_turn
from benchmarks.operations import OPERATIONS, training_flops_per_image
from benchmarks.stand_ins import for_known_images, smooth_images
from benchmarks.steps import PlainSteps, Steps
from benchmarks.training_figures import Scaling, TrainingBenchmark, TrainingTiming
from pixelrnn.errors import RecipeError
from pixelrnn.models import LABELS, ResidualConfig
from pixelrnn.processes import usable_cores
from pixelrnn.training.fit import initial_model
from pixelrnn.training.recipe import Recipe

REPEATS = 5
MATRIX_SIDE = 2048

Size = tuple[int, int]
OnProgress = Callable[[int], None]


def benchmark_suite(
    recipes: Sequence[Recipe],
    *,
    size: Size | None = None,
    threads: int | None = None,
    on_gpu: bool = False,
    repeats: int = REPEATS,
    with_plain: bool = True,
    with_scaling: bool = False,
    on_progress: OnProgress | None = None,
) -> TrainingBenchmark:
    """Measure several recipes, one after the other; Ctrl-C ends it with what is measured so far.

    See `benchmark_training` for arguments and errors; `with_scaling` adds `benchmark_scaling`, and
    `on_progress` is called with the repetitions done since its last call.
    """
    found = TrainingBenchmark()
    for recipe in recipes:
        _sized(recipe, size)  # an error comes before the work

    try:
        for recipe in recipes:
            timing = benchmark_training(
                recipe,
                size=size,
                threads=threads,
                on_gpu=on_gpu,
                repeats=repeats,
                with_plain=with_plain,
                on_progress=on_progress,
            )
            found.timings.append(timing)
            if not timing.finished:
                raise KeyboardInterrupt
            if with_scaling:
                found.scaling += benchmark_scaling(
                    recipe,
                    size=size,
                    threads=threads,
                    on_gpu=on_gpu,
                    repeats=repeats,
                    on_progress=on_progress,
                )
    except KeyboardInterrupt:
        found.finished = False
    return found


def benchmark_training(
    recipe: Recipe,
    *,
    size: Size | None = None,
    threads: int | None = None,
    on_gpu: bool = False,
    repeats: int = REPEATS,
    with_plain: bool = True,
    on_progress: OnProgress | None = None,
) -> TrainingTiming:
    """Measure how fast a recipe trains on this machine.

    Args:
        recipe: what is trained, and how.
        size: (height, width) of the images; by default that of the recipe's own.
        threads: of the processor; by default those of the recipe, and all for the machine's figure.
        on_gpu: take the GPU, in the recipe's precision, in place of the processor in float32.
        repeats: measurements of each, in turn; fewer where they take more than a minute.
        with_plain: whether to measure the plain version too.
        on_progress: called with the repetitions done since its last call.

    Raises:
        RecipeError: if no size is given or known, or there is no GPU.
        NonFiniteLossError: if the recipe's steps lead nowhere.
        KeyboardInterrupt: after Ctrl-C before anything is measured; later, what is measured is kept.

    Example:
        >>> from pixelrnn.training.recipe import load_recipe
        >>> recipe = load_recipe("digits-pixelcnn", ["model.features=4", "model.layers=1"])
        >>> timing = benchmark_training(recipe, repeats=1, with_plain=False)
        >>> timing.images_per_second > 0, timing.speed_up is None
        (True, True)
    """
    recipe = _on_device(_sized(recipe, size), on_gpu)
    images = _images(recipe)
    model = initial_model(recipe)
    every_thread = threads or min(torch.get_num_threads(), usable_cores())
    threads = threads or recipe.training.threads or every_thread
    steps = Steps(model, recipe, images)
    ways = [steps.step, _matrix_product(every_thread, steps.trainee.model.device)]
    if with_plain:
        ways.append(PlainSteps(model, recipe, images).step)
    with _threads(threads):
        measured = measure_in_turn(ways, repeats, on_progress)
    step_seconds, matrix_seconds, *plain_seconds = measured.seconds
    channels, height, width = images.shape[1:]
    return TrainingTiming(
        recipe=recipe.name,
        label=LABELS[recipe.model.kind],
        model_kind=recipe.model.kind,
        likelihood_kind=recipe.model.likelihood.kind,
        parameters=model.num_parameters(),
        image_shape=(channels, height, width),
        batch_size=len(images),
        device=torch.cuda.get_device_name() if on_gpu else None,
        threads=threads,
        repeats=measured.repeats,
        images_per_second=len(images) / step_seconds,
        plain_images_per_second=len(images) / plain_seconds[0] if plain_seconds else None,
        flops_per_image=training_flops_per_image(model, height, width),
        machine_gflops=1e-9 * OPERATIONS * MATRIX_SIDE**3 / matrix_seconds,
        machine_threads=every_thread,
        finished=measured.finished,
    )


def benchmark_scaling(
    recipe: Recipe,
    *,
    size: Size | None = None,
    threads: int | None = None,
    on_gpu: bool = False,
    repeats: int = REPEATS,
    on_progress: OnProgress | None = None,
) -> list[Scaling]:
    """Measure what twice the layers, twice the features and twice the image side cost.

    See `benchmark_training` for arguments and errors.

    Raises:
        KeyboardInterrupt: after Ctrl-C; a part of the repetitions would compare nothing.
    """
    recipe = _on_device(_sized(recipe, size), on_gpu)
    larger = _larger(recipe)
    ways, flops = [], []
    for each in (recipe, *larger.values()):
        model, images = initial_model(each), _images(each)
        ways.append(Steps(model, each, images).step)
        flops.append(training_flops_per_image(model, *images.shape[2:]))
    usual = min(torch.get_num_threads(), usable_cores())
    with _threads(threads or recipe.training.threads or usual):
        measured = measure_in_turn(ways, repeats, on_progress)
    if not measured.finished:
        raise KeyboardInterrupt
    own_seconds, *larger_seconds = measured.seconds
    own_flops, *larger_flops = flops
    return [
        Scaling(
            recipe.name, LABELS[recipe.model.kind], change, seconds / own_seconds, work / own_flops
        )
        for change, seconds, work in zip(larger, larger_seconds, larger_flops, strict=True)
    ]


def _sized(recipe: Recipe, size: Size | None) -> Recipe:
    """Return the recipe for the images that stand in for its own, of this size if one is given."""
    recipe = for_known_images(recipe)
    if size is not None:
        recipe = _with_model(recipe, image_size=size)
    if recipe.model.image_size is None:
        raise RecipeError(
            f"{recipe.name} does not say how large the images of {recipe.data.source} are: "
            "give --size, such as 32x32"
        )
    return recipe


def _on_device(recipe: Recipe, on_gpu: bool) -> Recipe:
    """Return the recipe for one GPU, or for the processor, where all is in float32."""
    values = {"accelerator": "gpu"} if on_gpu else {"accelerator": "cpu", "precision": "32-true"}
    training = recipe.training.model_copy(update={"devices": 1, "num_nodes": 1, **values})
    return recipe.model_copy(update={"training": training})


def _with_model(recipe: Recipe, **values: Any) -> Recipe:
    return recipe.model_copy(update={"model": recipe.model.model_copy(update=values)})


def _larger(recipe: Recipe) -> dict[str, Recipe]:
    model = recipe.model
    if not isinstance(model, ResidualConfig):
        raise RecipeError(f"{recipe.name} has no layers and features to double")
    height, width = model.image_size or (0, 0)
    return {
        "twice the layers": _with_model(recipe, layers=2 * model.layers),
        "twice the features": _with_model(recipe, features=2 * model.features),
        "twice the image side": _with_model(recipe, image_size=(2 * height, 2 * width)),
    }


def _images(recipe: Recipe) -> Tensor:
    """Return a batch of synthetic images of the kind and size that the recipe is for."""
    model = recipe.model
    size = model.image_size or (0, 0)
    return smooth_images(recipe.training.batch_size, model.channels, *size, model.num_levels)


def _matrix_product(threads: int, device: torch.device) -> Callable[[], None]:
    left, right = torch.randn(2, MATRIX_SIDE, MATRIX_SIDE, device=device).unbind()
    out = torch.empty_like(left)

    def multiply() -> None:
        with _threads(threads):
            torch.mm(left, right, out=out)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return multiply


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Use this many threads of the processor inside the `with`."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
