"""The one look at the test images: what a finished run costs on them, kept in its folder."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import torch

from pixelrnn.audit import measure_receptive_field
from pixelrnn.baselines import Baseline
from pixelrnn.data import DataSet
from pixelrnn.data.dataset import Images
from pixelrnn.errors import ImageMismatchError
from pixelrnn.evaluation import Evaluation, evaluate
from pixelrnn.files import replacing
from pixelrnn.models import PixelRNN, store
from pixelrnn.ordering import Place
from pixelrnn.training import RunFolder

SHOWN_IMAGES = 8


def require_fit(model: PixelRNN, data: DataSet) -> None:
    """Raise `ImageMismatchError` unless the model is of images like these.

    Fewer levels than the model's would be scored, but as images that they are not.
    """
    have = (data.channels, data.num_levels)
    wanted = (model.config.channels, model.config.num_levels)
    if have != wanted:
        raise ImageMismatchError(
            f"the model is of images with {wanted[0]} channel(s) of {wanted[1]} levels, and those of "
            f"{data.name} have {have[0]} of {have[1]}: give other images or another model"
        )


def assess(
    run: RunFolder,
    data: DataSet,
    baselines: Sequence[Baseline],
    *,
    batch_size: int = 50,
    on_progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Evaluate a run's averaged weights on the test images, and record all that the report shows.

    Args:
        run: a finished run.
        data: the images that it was trained on, with their test split.
        baselines: measured on the same test images, to be kept beside the result.
        batch_size: images at a time.
        on_progress: called with the number of images done.

    Raises:
        ImageMismatchError: if the images do not fit the model.
        DataError: if there are no test images.
    """
    model = store.load(run.path)
    require_fit(model, data)
    images = data.images("test")
    evaluation = evaluate(model, images, batch_size=batch_size, on_progress=on_progress)
    _write_evaluation(run, model, images, evaluation)
    run.update_result(
        split="test",
        num_images=evaluation.num_images,
        test_bits_per_dim=evaluation.bits_per_dim,
        test_bits_per_dim_standard_error=evaluation.standard_error,
        test_nats_per_image=evaluation.nats_per_image,
        test_bits_per_dim_by_channel=evaluation.bits_per_dim_by_channel,
        images_per_second_evaluating=evaluation.num_images / evaluation.seconds,
        baselines=[asdict(baseline) for baseline in baselines],
    )
    return evaluation


def _write_evaluation(
    run: RunFolder, model: PixelRNN, images: Images, evaluation: Evaluation
) -> None:
    bits = evaluation.bits_per_dim_per_image
    ranks = bits.argsort(kind="stable")
    easiest, hardest = ranks[:SHOWN_IMAGES], ranks[::-1][:SHOWN_IMAGES]
    place = _middle(images)
    with replacing(run.evaluation_file) as beside, beside.open("wb") as file:
        np.savez_compressed(
            file,
            bits_per_dim_per_image=bits,
            bits_map=evaluation.bits_map,
            receptive_field=_receptive_field(model, images[ranks[len(ranks) // 2]], place),
            receptive_field_at=np.array(place),
            easiest_images=images[easiest],
            easiest_bits_per_dim=bits[easiest],
            easiest_indices=easiest,
            hardest_images=images[hardest],
            hardest_bits_per_dim=bits[hardest],
            hardest_indices=hardest,
        )


def _middle(images: Images) -> Place:
    """Return the last colour of a pixel low in the middle, which has much to look back on."""
    _, channels, height, width = images.shape
    return Place(row=height * 3 // 4, column=width // 2, channel=channels - 1)


def _receptive_field(model: PixelRNN, image: Images, place: Place) -> np.ndarray:
    """Return what the trained model was seen to depend on at `place`, for one image, in float64."""
    watched = copy.deepcopy(model).double()
    images = torch.from_numpy(image[None].copy())
    generator = torch.Generator().manual_seed(0)
    return measure_receptive_field(watched, images, place, generator)
