"""What stands in for a recipe's images is like them."""

import pytest
import torch

from benchmarks.stand_ins import for_known_images, smooth_images
from pixelrnn.training import load_recipe


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("digits-pixelcnn", (), (1, 17, (8, 8))),
        ("cifar10-45k-row-lstm", (), (3, 256, (32, 32))),
        ("photos-pixelcnn", ("data.patch_size=16",), (3, 256, (16, 16))),
        ("digits-pixelcnn", ('data={source="mnist", binarisation="fixed"}',), (1, 2, (28, 28))),
        ("digits-pixelcnn", ('data={source="pictures"}',), (3, 256, None)),
        ("digits-pixelcnn", ('data={source="pictures", size=[4, 6]}',), (3, 256, (4, 6))),
        ("digits-pixelcnn", ('data={source="pictures", patch_size=5}',), (3, 256, (5, 5))),
        ("digits-pixelcnn", ('data={source="a"}', "model.image_size=[4, 6]"), (3, 256, (4, 6))),
    ],
)
def test_kind_of_images(name, settings, expected):
    model = for_known_images(load_recipe(name, settings)).model
    assert (model.channels, model.num_levels, model.image_size) == expected


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_images_use_the_levels_and_are_smooth(levels):
    images = smooth_images(16, 3, 20, 31, levels)
    assert (images.dtype, images.shape) == (torch.uint8, (16, 3, 20, 31))
    assert int(images.min()) == 0
    assert int(images.max()) == levels - 1
    values = images.double()
    beside = (values[..., 1:] - values[..., :-1]).square().mean()
    assert beside < 0.5 * values.var()


def test_the_same_seed_gives_the_same_images():
    assert torch.equal(smooth_images(2, 1, 5, 7, 17), smooth_images(2, 1, 5, 7, 17))
    assert not torch.equal(smooth_images(2, 1, 5, 7, 17), smooth_images(2, 1, 5, 7, 17, seed=1))


def test_a_single_pixel():
    assert smooth_images(1, 1, 1, 1, 2).shape == (1, 1, 1, 1)
