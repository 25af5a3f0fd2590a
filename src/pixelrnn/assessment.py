"""The one look at the test images: what a finished run costs on them, kept in its folder.

With it go samples and completions, drawn with the same seed for every model, and the model in integers,
with what the images need as a real file.
"""

import functools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Concatenate, ParamSpec

import numpy as np

from pixelrnn.agreement import alarms
from pixelrnn.audit import field_in_float64, require_kept
from pixelrnn.baselines import Baseline
from pixelrnn.coding import Codec, CodingModel, fitting_name, name_model, save_program
from pixelrnn.coding.fixed_point import export
from pixelrnn.coding.measuring import measure_files
from pixelrnn.compiling import make_loop_ready
from pixelrnn.completion import complete, keep
from pixelrnn.data import DataSet
from pixelrnn.data.dataset import Images
from pixelrnn.evaluation import Evaluation, evaluate, require_fit
from pixelrnn.files import replacing
from pixelrnn.models import LABELS, AutoregressiveModel, store
from pixelrnn.models.torch_state import find_device, usual_torch
from pixelrnn.ordering import place_low_in_the_middle
from pixelrnn.training import RunFolder

logger = logging.getLogger("pixelrnn.assessment")

SHOWN_IMAGES = 8
SAMPLES_FILE = "samples.npz"
SEED = 0  # of samples and completions, for every model
SMALL_SIDE = 32
NUM_SAMPLES, NUM_LARGE_SAMPLES = 32, 16  # up to that side, and above
COMPLETED_IMAGES, COMPLETIONS = 4, 3
KEPT = "top:0.5"
INTEGER_FILE = "integer.safetensors"
# As much is compressed at most, for with a large model it takes a second an image. It depends on the images
# alone, so that the figures of all models are of the same ones.
FILE_IMAGES, FILE_PIXELS = 512, 512 * 32 * 32
FILE_KEYS = (
    "file_num_images",
    "float_bits_per_dim",
    "integer_bits_per_dim",
    "message_bits_per_dim",
    "file_bits_per_dim",
    "file_bytes",
    "surprise_bits_per_dim",
    "seconds_per_image_compressing",
)
Rest = ParamSpec("Rest")


def _alone(
    work: Callable[Concatenate[RunFolder, Rest], Evaluation],
) -> Callable[Concatenate[RunFolder, Rest], Evaluation]:
    """Have work on a run folder done by one process at a time."""

    @functools.wraps(work)
    def alone(run: RunFolder, /, *arguments: Rest.args, **options: Rest.kwargs) -> Evaluation:
        with run.locked("evaluating"):
            return work(run, *arguments, **options)

    return alone


@_alone
@usual_torch()
def assess(
    run: RunFolder,
    data: DataSet,
    baselines: Sequence[Baseline],
    *,
    batch_size: int = 50,
    device: str = "cpu",
    on_progress: Callable[[int], None] | None = None,
    on_compiling: Callable[[str], None] | None = None,
) -> Evaluation:
    """Evaluate a run's averaged weights on the test images, and record all that the report shows.

    Samples and completions are drawn too. `seconds_per_sample` is the time for all samples, on all
    cores, over their number, without compilation.

    The model is exported to integers, kept as `integer.safetensors`, and the first 512 test images, or
    fewer if they are large, are compressed with it into one file in memory. All of `FILE_KEYS` are of
    these same images; a model whose weights cannot be exported lacks them, and a warning on the logger
    `pixelrnn.assessment` says so. Where they differ by more than rounding explains, `alarms` says it.

    Args:
        run: a finished run.
        data: the images that it was trained on, with their test split.
        baselines: measured on the same test images, to be kept beside the result.
        batch_size: images at a time.
        device: where the model scores them, as `store.load` takes it; all else is of the processor.
        on_progress: called with the images done since its last call.
        on_compiling: called, from another thread, with a line for the user if compiling takes a while.

    Raises:
        ImageMismatchError: if the images do not fit the model.
        DataError: if there are no test images.
        OutputError: if the folder cannot be written to.
        InUseError: if another process is at work in it.
        NonFiniteResultError: if the result is not finite; nothing is written.
    """
    model = store.load(run.path)
    require_fit(model, data)
    images = data.images("test")
    model.to(find_device(device))
    evaluation = evaluate(
        model,
        images,
        pictures=data.pictures_of("test"),
        batch_size=batch_size,
        on_progress=on_progress,
    )
    model.cpu()
    _write_evaluation(run, model, images, evaluation)
    seconds_per_sample = _draw(run, model, images, on_compiling)
    as_file = _measure_file(run, model, data, evaluation, on_compiling)
    run.update_result(
        split="test",
        num_images=evaluation.num_images,
        num_pictures=evaluation.num_pictures,
        test_bits_per_dim=evaluation.bits_per_dim,
        test_bits_per_dim_standard_error=evaluation.standard_error,
        test_nats_per_image=evaluation.nats_per_image,
        test_bits_per_dim_by_channel=evaluation.bits_per_dim_by_channel,
        images_per_second_evaluating=evaluation.num_images / evaluation.seconds,
        seconds_per_sample=seconds_per_sample,
        hidden_half_bits_per_dim=_hidden_bits_per_dim(evaluation),
        baselines=[asdict(baseline) for baseline in baselines],
        **as_file,
    )
    run.update_result(alarms=alarms({"image_shape": images.shape[1:], **run.result()}))
    return evaluation


def require_contract(run: RunFolder, model: AutoregressiveModel, images: Images) -> None:
    """Look for seconds whether a model keeps the contract, before a figure of it is believed.

    Args:
        run: names it.
        model: the model with its trained weights.
        images: a few that it is meant for, uint8 `(N, C, H, W)`.

    Raises:
        ContractViolation: names the model and the sub-pixel at fault.
    """
    label = run.result().get("label", LABELS[model.config.kind])
    require_kept(f"{label} in {run.path}", model, images)


def _write_evaluation(
    run: RunFolder, model: AutoregressiveModel, images: Images, evaluation: Evaluation
) -> None:
    bits = evaluation.bits_per_dim_per_image
    ranks = bits.argsort(kind="stable")
    easiest, hardest = ranks[:SHOWN_IMAGES], ranks[::-1][:SHOWN_IMAGES]
    place = place_low_in_the_middle(*images.shape[1:])
    with replacing(run.evaluation_file) as beside, beside.open("wb") as file:
        np.savez_compressed(
            file,
            bits_per_dim_per_image=bits,
            pictures=_pictures(evaluation),
            bits_map=evaluation.bits_map,
            receptive_field=field_in_float64(model, images[ranks[len(ranks) // 2]], place),
            receptive_field_at=np.array(place),
            easiest_images=images[easiest],
            easiest_bits_per_dim=bits[easiest],
            easiest_indices=easiest,
            hardest_images=images[hardest],
            hardest_bits_per_dim=bits[hardest],
            hardest_indices=hardest,
        )


def _pictures(evaluation: Evaluation) -> np.ndarray:
    """Return which picture each image was cut from: its own, unless the images are patches."""
    if evaluation.pictures is None:
        return np.arange(evaluation.num_images)
    return evaluation.pictures


def _draw(
    run: RunFolder,
    model: AutoregressiveModel,
    images: Images,
    on_compiling: Callable[[str], None] | None,
) -> float:
    """Keep samples, and completions of test images; return the seconds that one sample takes."""
    height, width = images.shape[2:]
    count = NUM_SAMPLES if max(height, width) <= SMALL_SIDE else NUM_LARGE_SAMPLES
    make_loop_ready(on_compiling)
    started = time.perf_counter()
    samples = model.sample(count, size=(height, width), seed=SEED)
    seconds = time.perf_counter() - started
    chosen = np.arange(min(COMPLETED_IMAGES, len(images))) * max(1, len(images) // COMPLETED_IMAGES)
    known = keep(KEPT, height, width)
    completed = complete(model, images[chosen], known, count=COMPLETIONS, seed=SEED)
    with replacing(run.path / SAMPLES_FILE) as beside, beside.open("wb") as file:
        np.savez_compressed(
            file,
            seed=np.array(SEED),
            samples=samples,
            known=known,
            completed_images=images[chosen],
            completed_indices=chosen,
            completions=completed.images,
            hidden_bits_per_dim=completed.hidden_bits_per_dim,
        )
    return seconds / count


def _measure_file(
    run: RunFolder,
    model: AutoregressiveModel,
    data: DataSet,
    evaluation: Evaluation,
    on_compiling: Callable[[str], None] | None,
) -> dict[str, float | None]:
    """Keep the model in integers; return what the first test images need as a file, by `FILE_KEYS`."""
    named = _exported(run, model, data)
    if named is None:
        # What an earlier evaluation left is not this model's.
        (run.path / INTEGER_FILE).unlink(missing_ok=True)
        return {key: None for key in FILE_KEYS if key in run.result()}
    save_program(named, run.path / INTEGER_FILE)
    Codec(named).make_ready(on_compiling)
    images = _first(data.images("test"))
    sizes = measure_files(named, images, tile=0)
    figures = (
        len(images),
        float(evaluation.bits_per_dim_per_image[: len(images)].mean()),
        sizes.ideal_bits_per_dim,
        sizes.message_bits_per_dim,
        sizes.file_bits_per_dim,
        sizes.file_bytes,
        _surprise(evaluation, images),
        sizes.seconds / len(images),
    )
    return dict(zip(FILE_KEYS, figures, strict=True))


def _surprise(evaluation: Evaluation, images: Images) -> float:
    """Return what of the float bits/dim of the first images lies above 12 bits at single sub-pixels."""
    assert evaluation.surprise_bits is not None
    return float(evaluation.surprise_bits[: len(images)].sum() / images.size)


def _exported(run: RunFolder, model: AutoregressiveModel, data: DataSet) -> CodingModel | None:
    """Return the model in integers, named after its folder, or nothing where it has none."""
    try:
        program = export(model.lower(data.images("train")))
    except ValueError as error:
        logger.warning("%s is not measured as a file: %s", run.path, error)
        return None
    return name_model(fitting_name(run.path.resolve().name), program)


def _first(images: Images) -> Images:
    """Return as many of the first images as are compressed in a bearable time."""
    height, width = images.shape[2:]
    return images[: max(1, min(FILE_IMAGES, FILE_PIXELS // (height * width)))]


def _hidden_bits_per_dim(evaluation: Evaluation) -> float:
    """Return what the hidden half of all test images costs, given the half that is kept.

    That half comes first in the order, so its bits are those of the evaluation.
    """
    bits_map = evaluation.bits_map
    return float(bits_map[:, ~keep(KEPT, *bits_map.shape[1:])].mean())
