"""The order of training images: a function of (seed, epoch, index), whatever the portions."""

import numpy as np
import pytest
import torch

from pixelrnn.data.patches import Uncut
from pixelrnn.training.batches import Batches, _random_bits

IMAGES = np.arange(11 * 6, dtype=np.uint8).reshape(11, 1, 2, 3)


def drawn(batches):
    return torch.cat(list(batches))


def first_pixels(batches):
    """Identify each image by the smallest of its pixels, which a flip does not change."""
    return (drawn(batches).flatten(1).min(dim=1).values // 6).tolist()


@pytest.mark.parametrize("flips", [False, True])
def test_every_epoch_shows_every_image_once(flips):
    order = first_pixels(Batches(IMAGES, batch_size=4, num_steps=11, seed=3, flips=flips))
    epochs = [order[start : start + 11] for start in range(0, 44, 11)]
    assert all(sorted(epoch) == list(range(11)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4, "each epoch has an order of its own"


def test_the_batch_size_does_not_change_the_order():
    by_one = drawn(Batches(IMAGES, batch_size=1, num_steps=30, seed=5, flips=True))
    by_six = drawn(Batches(IMAGES, batch_size=6, num_steps=5, seed=5, flips=True))
    assert torch.equal(by_one, by_six)


def test_parts_and_processes_share_a_step():
    whole = list(Batches(IMAGES, batch_size=8, num_steps=3, seed=5, flips=True))
    shares = [
        list(
            Batches(
                IMAGES,
                batch_size=8,
                num_steps=3,
                seed=5,
                flips=True,
                parts=2,
                rank=rank,
                processes=2,
            )
        )
        for rank in range(2)
    ]
    for step in range(3):
        parts = [shares[rank][2 * step + part] for part in range(2) for rank in range(2)]
        assert torch.equal(torch.cat(parts), whole[step])


def test_it_goes_on_where_it_was():
    whole = list(Batches(IMAGES, batch_size=3, num_steps=9, seed=1, flips=True))
    first = Batches(IMAGES, batch_size=3, num_steps=9, seed=1, flips=True)
    iterator = iter(first)
    for _ in range(4):
        next(iterator)
    second = Batches(IMAGES, batch_size=3, num_steps=9, seed=1, flips=True)
    second.load_state_dict(first.state_dict())
    rest = list(second)
    assert len(rest) == 5
    assert all(torch.equal(a, b) for a, b in zip(rest, whole[4:], strict=True))


def test_flips_mirror_the_columns_of_about_half():
    images = np.zeros((400, 1, 1, 2), dtype=np.uint8)
    images[..., 1] = 1
    batch = next(iter(Batches(images, batch_size=400, num_steps=1, seed=0, flips=True)))
    mirrored = batch[:, 0, 0, 0].float().mean().item()
    assert 0.4 < mirrored < 0.6
    assert torch.equal(batch[:, 0, 0, 0], 1 - batch[:, 0, 0, 1])


def test_the_order_is_the_same_for_ever():
    """Philox's raw output is fixed by numpy; a change here would break resuming old runs."""
    assert first_pixels(Batches(IMAGES, batch_size=11, num_steps=1, seed=0)) == GOLDEN_ORDER


GOLDEN_ORDER = [0, 2, 9, 1, 8, 5, 4, 3, 10, 6, 7]


def test_the_data_are_not_written_to():
    images = IMAGES.copy()
    images.flags.writeable = False
    for batch in Batches(images, batch_size=4, num_steps=3, seed=0, flips=True):
        batch.add_(1)
    assert np.array_equal(images, IMAGES)


# Patches at other places in every epoch.

PICTURE = np.arange(9 * 8, dtype=np.uint8).reshape(1, 9, 8)
PATCHES = np.zeros((5, 1, 3, 3), np.uint8)
PATCHES[4] = 255  # a whole image
UNCUT = Uncut((PICTURE,), np.array([0, 0, 0, 0, -1]))


def crops(**settings):
    settings = {"batch_size": 5, "num_steps": 40, "seed": 2, "uncut": UNCUT} | settings
    return Batches(PATCHES, **settings)


def is_in_picture(patch):
    top, left = divmod(int(patch[0, 0, 0]), 8)
    return np.array_equal(patch, PICTURE[:, top : top + 3, left : left + 3])


def test_patches_are_at_new_places_in_every_epoch_and_whole_images_stay():
    drawn_ones = drawn(crops()).numpy()
    whole = (drawn_ones == 255).all(axis=(1, 2, 3))
    assert whole.sum() == 40
    assert all(is_in_picture(patch) for patch in drawn_ones[~whole])
    corners = drawn_ones[~whole][:, 0, 0, 0]
    assert set(corners) == {8 * top + left for top in range(7) for left in range(6)}
    first, second = corners[:4], corners[4:8]
    assert set(first) != set(second)


def test_places_depend_on_seed_epoch_and_index_alone():
    by_five = drawn(crops(flips=True))
    assert torch.equal(by_five, drawn(crops(flips=True, batch_size=1, num_steps=200)))
    gone_on = crops(flips=True)
    gone_on.load_state_dict({"position": 13})
    assert torch.equal(drawn(gone_on), by_five[13 * 5 :])
    assert not torch.equal(by_five, drawn(crops(flips=True, seed=3)))
    shares = [
        list(crops(flips=True, batch_size=10, num_steps=20, rank=r, processes=2)) for r in (0, 1)
    ]
    together = [each for pair in zip(*shares, strict=True) for each in pair]
    assert torch.equal(torch.cat(together), by_five)


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
    corners = drawn(crops(num_steps=1))[:, 0, 0, 0].tolist()
    assert corners == GOLDEN_CORNERS


GOLDEN_CORNERS = [16, 255, 11, 33, 36]


def test_flips_and_order_are_what_they_are_without_places():
    still = drawn(Batches(PATCHES, batch_size=5, num_steps=9, seed=2))
    moved = drawn(crops(num_steps=9))
    is_whole = (still == 255).flatten(1).all(dim=1)
    assert torch.equal(is_whole, (moved == 255).flatten(1).all(dim=1))
