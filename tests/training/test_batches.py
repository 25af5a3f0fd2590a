"""The order of training images: a function of (seed, epoch, index), whatever the portions."""

import numpy as np
import pytest
import torch

from pixelrnn.data.patches import Uncut
from pixelrnn.training.batches import Batches, _random_bits

IMAGES = np.arange(11 * 6, dtype=np.uint8).reshape(11, 1, 2, 3)


def drawn(batches, num_steps, first_step=0):
    return together(part for step in range(first_step, num_steps) for part in batches.of_step(step))


def together(parts):
    return torch.cat([part.images for part in parts])


def first_pixels(batches, num_steps):
    """Identify each image by the smallest of its pixels, which a flip does not change."""
    return (drawn(batches, num_steps).flatten(1).min(dim=1).values // 6).tolist()


@pytest.mark.parametrize("flips", [False, True])
def test_every_epoch_shows_every_image_once(flips):
    order = first_pixels(Batches(IMAGES, batch_size=4, seed=3, flips=flips), 11)
    epochs = [order[start : start + 11] for start in range(0, 44, 11)]
    assert all(sorted(epoch) == list(range(11)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4, "each epoch has an order of its own"


def test_the_batch_size_does_not_change_the_order():
    by_one = drawn(Batches(IMAGES, batch_size=1, seed=5, flips=True), 30)
    by_six = drawn(Batches(IMAGES, batch_size=6, seed=5, flips=True), 5)
    assert torch.equal(by_one, by_six)


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("parts", [1, 2])
def test_parts_and_processes_share_a_step(parts, processes):
    whole = Batches(IMAGES, batch_size=8, seed=5, flips=True)
    shares = [
        Batches(
            IMAGES, batch_size=8, seed=5, flips=True, parts=parts, rank=rank, processes=processes
        )
        for rank in range(processes)
    ]
    for step in (0, 2, 7):
        (expected,) = whole.of_step(step)
        found = zip(*(share.of_step(step) for share in shares), strict=True)
        assert torch.equal(together(each for part in found for each in part), expected.images)


def test_flips_mirror_the_columns_of_about_half():
    images = np.zeros((400, 1, 1, 2), dtype=np.uint8)
    images[..., 1] = 1
    (batch,) = Batches(images, batch_size=400, seed=0, flips=True).of_step(0)
    images = batch.images
    mirrored = images[:, 0, 0, 0].float().mean().item()
    assert 0.4 < mirrored < 0.6
    assert torch.equal(images[:, 0, 0, 0], 1 - images[:, 0, 0, 1])


def test_the_order_is_the_same_for_ever():
    """Philox's raw output is fixed by numpy; a change here would break resuming old runs."""
    assert first_pixels(Batches(IMAGES, batch_size=11, seed=0), 1) == GOLDEN_ORDER


GOLDEN_ORDER = [0, 2, 9, 1, 8, 5, 4, 3, 10, 6, 7]


def test_the_data_are_not_written_to():
    images = IMAGES.copy()
    images.flags.writeable = False
    for part in Batches(images, batch_size=4, seed=0, flips=True).of_step(0):
        part.images.add_(1)
    assert np.array_equal(images, IMAGES)


# Patches at other places in every epoch.

PICTURE = np.arange(9 * 8, dtype=np.uint8).reshape(1, 9, 8)
PATCHES = np.zeros((5, 1, 3, 3), np.uint8)
PATCHES[4] = 255  # a whole image
UNCUT = Uncut((PICTURE,), np.array([0, 0, 0, 0, -1]))


def crops(**settings):
    settings = {"batch_size": 5, "seed": 2, "uncut": UNCUT} | settings
    return Batches(PATCHES, **settings)


def is_in_picture(patch):
    top, left = divmod(int(patch[0, 0, 0]), 8)
    return np.array_equal(patch, PICTURE[:, top : top + 3, left : left + 3])


def test_patches_are_at_new_places_in_every_epoch_and_whole_images_stay():
    drawn_ones = drawn(crops(), 40).numpy()
    whole = (drawn_ones == 255).all(axis=(1, 2, 3))
    assert whole.sum() == 40
    assert all(is_in_picture(patch) for patch in drawn_ones[~whole])
    corners = drawn_ones[~whole][:, 0, 0, 0]
    assert set(corners) == {8 * top + left for top in range(7) for left in range(6)}
    first, second = corners[:4], corners[4:8]
    assert set(first) != set(second)


def test_places_depend_on_seed_epoch_and_index_alone():
    by_five = drawn(crops(flips=True), 40)
    assert torch.equal(by_five, drawn(crops(flips=True, batch_size=1), 200))
    assert not torch.equal(by_five, drawn(crops(flips=True, seed=3), 40))
    shares = [crops(flips=True, batch_size=10, rank=rank, processes=2) for rank in (0, 1)]
    parts = (part for step in range(20) for share in shares for part in share.of_step(step))
    assert torch.equal(together(parts), by_five)


def test_places_share_no_random_bits_with_order_and_flips():
    """Neither with those of another epoch, nor of another seed: their keys differ."""
    bits = {
        (seed, epoch, purpose): _random_bits(seed, epoch, purpose, 4).tobytes()
        for seed in (0, 1, 2**63 - 1)
        for epoch in range(4)
        for purpose in range(3)
    }
    assert len(set(bits.values())) == len(bits)


def test_places_are_the_same_for_ever():
    corners = drawn(crops(), 1)[:, 0, 0, 0].tolist()
    assert corners == GOLDEN_CORNERS


GOLDEN_CORNERS = [16, 255, 11, 33, 36]


def test_flips_and_order_are_what_they_are_without_places():
    still = drawn(Batches(PATCHES, batch_size=5, seed=2), 9)
    moved = drawn(crops(), 9)
    is_whole = (still == 255).flatten(1).all(dim=1)
    assert torch.equal(is_whole, (moved == 255).flatten(1).all(dim=1))
