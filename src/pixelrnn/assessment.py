"""The one look at the test images: what a finished run costs on them, kept in its folder.

`record` keeps what `evaluate` measured. `assess` measures too, and adds all that the report shows: the
receptive field, samples and completions, with the same seed for every model, and the model in integers,
with what the images need as a real file.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pixelrnn.agreement import alarms
from pixelrnn.arrays import Flags
from pixelrnn.baselines import measure_for
from pixelrnn.coding import Codec, CodingModel, fitting_name, name_model, save_program
from pixelrnn.coding.measuring import measure_files
from pixelrnn.compiling import make_loop_ready
from pixelrnn.completion import complete, keep
from pixelrnn.contract import field_in_float64, require_kept
from pixelrnn.data import DataSet, Images
from pixelrnn.errors import ExportError, ModelFileError
from pixelrnn.evaluation import Evaluation, conditioned, evaluate, labels_for, require_fit, typical
from pixelrnn.models import LABELS, AutoregressiveModel, store
from pixelrnn.models.torch_state import find_device, usual_torch
from pixelrnn.operations.export import export
from pixelrnn.ordering import place_low_in_the_middle
from pixelrnn.runs import Baseline, EvaluationArrays, RunFolder, SamplesArrays, locked_folder
from pixelrnn.runs.result import FileFigures

logger = logging.getLogger("pixelrnn.assessment")

SHOWN_IMAGES = 8
SEED = 0  # of samples and completions, for every model
SMALL_SIDE = 32
NUM_SAMPLES, NUM_LARGE_SAMPLES = 32, 16  # up to that side, and above
COMPLETED_IMAGES, COMPLETIONS = 4, 3
KEPT = "top:0.5"
# As much is compressed at most, for with a large model it takes a second per image. It depends on the
# images alone, so that the figures of all models are of the same ones.
FILE_IMAGES, FILE_PIXELS = 512, 512 * 32 * 32
FILE_KEYS = tuple(FileFigures.model_fields)
SAME_BITS_PER_DIM = 1e-6  # of an image, evaluated twice with the same weights


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


def record(run: RunFolder, data: DataSet, evaluation: Evaluation) -> None:
    """Keep what was measured on the test images in the folder of a run.

    What an assessment of other weights left there is removed.

    Args:
        run: a finished run.
        data: the images that it was trained on.
        evaluation: of its model, on their test split.

    Raises:
        OutputError: if the folder cannot be written to.
        InUseError: if another process is at work in it.
    """
    with locked_folder(run.path, "evaluating"):
        figures = _figures(evaluation)
        if not _is_recorded(run, data, evaluation):
            _arrays(data, evaluation).write(run.evaluation_file)
            run.samples_file.unlink(missing_ok=True)
            run.integer_file.unlink(missing_ok=True)
            gone = (*FILE_KEYS, "seconds_per_sample", "hidden_half_bits_per_dim")
            figures |= {key: None for key in gone if key in run.result()} | {"alarms": ()}
        run.update_result(**figures)


def assess(
    run: RunFolder,
    data: DataSet,
    baselines: Sequence[Baseline] | None = None,
    *,
    model: AutoregressiveModel | None = None,
    batch_size: int = 50,
    device: str = "cpu",
    on_progress: Callable[[int], None] | None = None,
    on_compiling: Callable[[str], None] | None = None,
) -> Evaluation:
    """Evaluate a run's averaged weights on the test images, and record all that the report shows.

    `seconds_per_sample` is the time for all samples, on all cores, over their number, without compilation.

    The model is exported to integers, kept as `integer.safetensors`, and the first 512 test images, or
    fewer if they are large, are compressed with it into one file in memory. All of `FILE_KEYS` are of
    these same images; a model whose weights cannot be exported lacks them, and a warning on the logger
    `pixelrnn.assessment` says so. Where they differ by more than rounding explains, `alarms` says it.

    Args:
        run: a finished run.
        data: the images that it was trained on, with their test split.
        baselines: measured on the same test images, to be kept beside the result; by default they are
            measured now.
        model: that of the run, if it is loaded already and fits the images.
        batch_size: images at a time.
        device: where the model scores them, as `store.load` takes it; all else is of the processor.
        on_progress: called with the number of images done.
        on_compiling: called, from another thread, with a line for the user if compiling takes a while.

    Raises:
        ImageMismatchError: if the images do not fit the model.
        DataError: if there are no test images.
        OutputError: if the folder cannot be written to.
        InUseError: if another process is at work in it.
        NonFiniteResultError: if the result is not finite; nothing is written.
    """
    with locked_folder(run.path, "evaluating"), usual_torch():
        if model is None:
            model = store.load(run.path)
            require_fit(model, data)
        images, pictures = data.images("test"), data.pictures_of("test")
        if baselines is None:
            baselines = measure_for(data)
        model.to(find_device(device))
        labelled = conditioned(model, data, "test")
        evaluation = evaluate(
            labelled, images, pictures=pictures, batch_size=batch_size, on_progress=on_progress
        )
        model.cpu()
        _arrays(data, evaluation, model).write(run.evaluation_file)
        make_loop_ready(on_compiling)
        sampled = {}
        try:
            sampled["seconds_per_sample"] = _sample(run, model, data)
        except ExportError as error:
            run.samples_file.unlink(missing_ok=True)
            logger.warning("%s has no samples: %s", run.path, error)
        as_file = _measure_file(run, model, data, evaluation, on_compiling)
        figures = _figures(evaluation) | as_file
        figures |= {
            **sampled,
            # The half that is given comes first in the order, so the bits are those of the evaluation;
            # unless these are of images that were given more.
            "hidden_half_bits_per_dim": None
            if model.config.condition
            else float(evaluation.bits_map[:, ~_known(images)].mean()),
            "baselines": [asdict(baseline) for baseline in baselines],
        }
        about = {"image_shape": images.shape[1:], **run.result()}
        run.update_result(**figures, alarms=alarms(about | figures))
    return evaluation


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    """Return what `result.json` says of an evaluation on the test images."""
    return {
        "split": "test",
        "num_images": evaluation.num_images,
        "num_pictures": evaluation.num_pictures,
        "test_bits_per_dim": evaluation.bits_per_dim,
        "test_bits_per_dim_standard_error": evaluation.standard_error,
        "test_nats_per_image": evaluation.nats_per_image,
        "test_bits_per_dim_by_channel": evaluation.bits_per_dim_by_channel,
        "images_per_second_evaluating": evaluation.num_images / evaluation.seconds,
    }


def _is_recorded(run: RunFolder, data: DataSet, evaluation: Evaluation) -> bool:
    """Return whether the folder has the same figures of each image already."""
    bits = evaluation.bits_per_dim_per_image
    try:
        earlier = EvaluationArrays.read(
            run.evaluation_file, num_levels=data.num_levels, N=len(bits)
        ).bits_per_dim_per_image
    except ModelFileError:
        return False
    return bool(np.allclose(earlier, bits, rtol=0, atol=SAME_BITS_PER_DIM))


def _arrays(
    data: DataSet, evaluation: Evaluation, model: AutoregressiveModel | None = None
) -> EvaluationArrays:
    """Return what `evaluation.npz` says, with the receptive field of the model if one is given."""
    images, bits = data.images("test"), evaluation.bits_per_dim_per_image
    ranks = bits.argsort(kind="stable")
    easiest, hardest = ranks[:SHOWN_IMAGES], ranks[::-1][:SHOWN_IMAGES]
    place = place_low_in_the_middle(*images.shape[1:])
    field = {}
    if model is not None:
        middling = images[ranks[len(ranks) // 2]]
        field["receptive_field"] = field_in_float64(model, middling, place)
        field["receptive_field_at"] = np.array(place)
    own = np.arange(len(bits))  # pictures, unless the images are patches
    return EvaluationArrays(
        bits_per_dim_per_image=bits,
        pictures=own if evaluation.pictures is None else evaluation.pictures,
        bits_map=evaluation.bits_map,
        **field,
        easiest_images=images[easiest],
        easiest_bits_per_dim=bits[easiest],
        easiest_indices=easiest,
        hardest_images=images[hardest],
        hardest_bits_per_dim=bits[hardest],
        hardest_indices=hardest,
    )


def _sample(run: RunFolder, model: AutoregressiveModel, data: DataSet) -> float:
    """Keep samples, and completions of test images; return the seconds that one sample takes.

    A model that is given something is given what test images are.
    """
    images = data.images("test")
    height, width = images.shape[2:]
    count = NUM_SAMPLES if max(height, width) <= SMALL_SIDE else NUM_LARGE_SAMPLES
    spread = np.linspace(0, len(images) - 1, count).astype(np.intp)
    given = conditioned(model, data, "test", spread)
    started = time.perf_counter()
    samples = given.sample(count, size=(height, width), seed=SEED)
    seconds = time.perf_counter() - started
    chosen = np.arange(min(COMPLETED_IMAGES, len(images))) * max(1, len(images) // COMPLETED_IMAGES)
    given = conditioned(model, data, "test", chosen)
    completed = complete(given, images[chosen], _known(images), count=COMPLETIONS, seed=SEED)
    SamplesArrays(
        seed=np.array(SEED),
        samples=samples,
        known=_known(images),
        completed_images=images[chosen],
        completed_indices=chosen,
        completions=completed.images,
        hidden_bits_per_dim=completed.hidden_bits_per_dim,
    ).write(run.samples_file)
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
        run.integer_file.unlink(missing_ok=True)
        return {key: None for key in FILE_KEYS if key in run.result()}
    save_program(named, run.integer_file)
    if model.config.condition:  # no file has the images that these are given
        return {key: None for key in FILE_KEYS if key in run.result()}
    Codec(named).make_ready(on_compiling)
    images = _first(data.images("test"))
    labels = labels_for(model, data, "test")
    sizes = measure_files(named, images, None if labels is None else labels[: len(images)])
    assert evaluation.surprise_bits is not None
    figures = (
        len(images),
        float(evaluation.bits_per_dim_per_image[: len(images)].mean()),
        sizes.ideal_bits_per_dim,
        sizes.message_bits_per_dim,
        sizes.file_bits_per_dim,
        sizes.file_bytes,
        float(evaluation.surprise_bits[: len(images)].sum() / images.size),
        sizes.seconds / len(images),
    )
    return dict(zip(FILE_KEYS, figures, strict=True))


def _exported(run: RunFolder, model: AutoregressiveModel, data: DataSet) -> CodingModel | None:
    """Return the model in integers, named after its folder, or nothing where it has none."""
    try:
        given, images = typical(model, data)
        program = export(given.lower(images))
    except ValueError as error:
        logger.warning("%s is not measured as a file: %s", run.path, error)
        return None
    return name_model(fitting_name(run.path.resolve().name), program, model.config.label_names)


def _first(images: Images) -> Images:
    """Return as many of the first images as are compressed within the time budget."""
    height, width = images.shape[2:]
    return images[: max(1, min(FILE_IMAGES, FILE_PIXELS // (height * width)))]


def _known(images: Images) -> Flags:
    """Return what is given of images that are completed, `(H, W)`."""
    return keep(KEPT, *images.shape[2:])
