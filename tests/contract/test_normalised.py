"""Contract 3: levels sum to one at every sub-pixel, and so do all the images of a small world."""

import pytest

from pixelrnn.contract import check_batch_invariant, check_normalised, check_pmf


def test_levels_sum_to_one(kind, likelihood, channels, size, tiny_model, random_images):
    for noise in (0.0, 0.5):
        model = tiny_model(kind, likelihood, channels, noise=noise)
        check_pmf(model, random_images(2, channels, *size))


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_any_number_of_levels_sums_to_one(
    kind, likelihood, channels, num_levels, tiny_model, random_images
):
    model = tiny_model(kind, likelihood, channels, num_levels=num_levels, noise=0.2, layers=1)
    check_pmf(model, random_images(2, channels, 3, 2, num_levels))


@pytest.mark.parametrize(
    ("channels_of_world", "num_levels", "height", "width"),
    [(1, 3, 2, 2), (1, 2, 2, 3), (3, 2, 1, 2), (3, 3, 1, 2), (3, 3, 2, 1), (3, 4, 1, 2)],
    ids=[
        "grey-2x2-3-levels",
        "grey-2x3-2-levels",
        "rgb-1x2-2-levels",
        "rgb-1x2-3-levels",
        "rgb-2x1-3-levels",
        "rgb-1x2-4-levels",
    ],
)
def test_all_images_of_a_small_world_sum_to_one(
    kind, likelihood, channels_of_world, num_levels, height, width, tiny_model
):
    settings = {"num_levels": num_levels, "layers": 1}
    model = tiny_model(kind, likelihood, channels_of_world, noise=0.3, **settings)
    check_normalised(model, height, width)


def test_an_image_scores_the_same_alone(
    kind, likelihood, channels, size, tiny_model, random_images
):
    model = tiny_model(kind, likelihood, channels, noise=0.2).train()
    check_batch_invariant(model, random_images(5, channels, *size))
