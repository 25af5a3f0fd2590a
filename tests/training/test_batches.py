"""The order of training images: a function of (seed, epoch, index), whatever the portions."""

import numpy as np
import pytest
import torch

from pixelrnn.training.batches import Batches

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
