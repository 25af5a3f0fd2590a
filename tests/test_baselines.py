"""Baselines are measured right: exact where they are exact, real files, and never lossy."""

import dataclasses
import io
import itertools
import logging
import math
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelrnn import baselines
from pixelrnn.baselines import files, formats, histograms, measure
from pixelrnn.baselines.histograms import histogram
from pixelrnn.baselines.mosaic import as_pictures, grid_shape, lay_out
from pixelrnn.errors import DataError
from pixelrnn.uncertainty import standard_error

EXCERPT = Path(__file__).resolve().parents[1] / "../shared/data/cifar-10-binary-3000.tar.gz"
CODEC_NAMES = ("PNG", "WebP", "JPEG XL")


def _images(num_images, channels=3, height=6, width=9, num_levels=256, seed=0):
    """Smooth random images, so that codecs have something to find."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(size=(num_images, channels, height, width)).cumsum(2).cumsum(3)
    low, high = steps.min(), steps.max()
    return np.round((steps - low) / (high - low) * (num_levels - 1)).astype(np.uint8)


def _by_name(rows):
    return {row.name: row for row in rows}


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_uniform_is_exactly_log2_of_the_levels(num_levels):
    images = _images(3, channels=1, num_levels=num_levels)
    row = measure(images, images, num_levels)[0]
    assert row.name == "uniform"
    assert row.test_bits_per_dim == math.log2(num_levels)


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_come_in_table_order_each_codec_twice(channels):
    images = _images(5, channels=channels)
    names = [row.name for row in measure(images, images, 256)]
    pairs = [(name, f"{name}, one picture") for name in CODEC_NAMES]
    assert names == ["uniform", "histogram", *itertools.chain(*pairs)]


@pytest.mark.parametrize("channels", [1, 3])
def test_formats_that_store_16_bits_store_many_levels(channels, caplog):
    images = np.random.default_rng(0).integers(65_536, size=(5, channels, 8, 6), dtype=np.uint16)
    found = _by_name(measure(images, images, 65_536))
    for name in ("PNG", "JPEG XL"):
        assert found[name].test_bits_per_dim > 16
        assert f"{name}, one picture" in found
    assert "WebP" not in found
    assert "WebP left out: it stores levels of a byte alone" in caplog.text


def test_histogram_equals_a_loop_over_positions():
    num_levels = 5
    train = np.random.default_rng(1).integers(0, num_levels, (7, 2, 3, 4), dtype=np.uint8)
    test = np.random.default_rng(2).integers(0, num_levels, (3, 2, 3, 4), dtype=np.uint8)
    bits = 0.0
    for image in test:
        for place, value in np.ndenumerate(image):
            seen = sum(int(other[place] == value) for other in train)
            bits -= math.log2((seen + 0.5) / (7 + 0.5 * num_levels))
    assert histogram(train, test, num_levels).test_bits_per_dim == pytest.approx(bits / test.size)


def test_histogram_is_a_distribution_at_every_position():
    train = _images(4, channels=1, height=2, width=2, num_levels=3)
    worlds = np.array(list(itertools.product(range(3), repeat=4)), np.uint8).reshape(-1, 1, 2, 2)
    bits = [histogram(train, world[np.newaxis], 3).test_bits_per_dim * 4 for world in worlds]
    assert sum(2.0**-b for b in bits) == pytest.approx(1, abs=1e-12)


def test_histogram_does_not_depend_on_its_block(monkeypatch):
    train, test = _images(20, seed=1), _images(8, seed=2)
    whole = histogram(train, test, 256)
    monkeypatch.setattr(histograms, "_BLOCK_ELEMENTS", 256 * 7)  # 7 does not divide 162
    assert histogram(train, test, 256).test_bits_per_dim == pytest.approx(
        whole.test_bits_per_dim, rel=1e-12
    )


def test_histogram_is_fitted_on_training_images_only():
    train, test = np.zeros((50, 1, 4, 4), np.uint8), np.full((50, 1, 4, 4), 200, np.uint8)
    assert histogram(train, test, 256).test_bits_per_dim > 8
    assert histogram(test, test, 256).test_bits_per_dim < 2


def test_png_figure_is_the_size_of_its_files():
    images = _images(4)
    total_bytes = 0
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(file, "PNG", optimize=True, compress_level=9)
        total_bytes += len(file.getvalue())
    row = _by_name(measure(images, images, 256))["PNG"]
    assert row.test_bits_per_dim == total_bytes * 8 / images.size


@pytest.mark.parametrize("threads", [1, 3])
def test_figures_do_not_depend_on_threads(threads):
    images = _images(37)
    assert measure(images, images, 256, threads=threads) == measure(images, images, 256)


def test_one_picture_saves_the_headers():
    rows = _by_name(measure(_images(64), _images(64, seed=3), 256))
    for name in CODEC_NAMES:
        one_picture = rows[f"{name}, one picture"].test_bits_per_dim
        assert one_picture < rows[name].test_bits_per_dim


@pytest.mark.parametrize("num_images", [1, 2, 3, 7, 12, 31, 297, 500, 10_000])
def test_grid_holds_all_and_wastes_little(num_images):
    rows, columns = grid_shape(num_images)
    empty = rows * columns - num_images
    assert 0 <= empty < columns
    assert empty <= max(1, num_images // 25)
    assert rows <= columns <= 4 * rows + 1


def test_mosaic_shows_every_image_in_reading_order():
    pictures = as_pictures(_images(5))
    mosaic = lay_out(pictures, rows=2, columns=3)
    assert mosaic.shape == (12, 27, 3)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, 3)
        cell = mosaic[row * 6 : row * 6 + 6, column * 9 : column * 9 + 9]
        np.testing.assert_array_equal(cell, picture)
    assert not mosaic[6:, 18:].any()


def test_picture_keeps_channels_apart():
    images = _images(2)
    for channel in range(3):
        np.testing.assert_array_equal(as_pictures(images)[..., channel], images[:, channel])


@pytest.mark.parametrize("codec", formats.FORMATS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("num_levels", [2, 17, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_codecs_give_every_pixel_back(codec, num_levels, channels):
    (stored,) = codec.pictures(_images(1, channels=channels, num_levels=num_levels))
    np.testing.assert_array_equal(codec.decode(codec.encode(stored, num_levels)), stored)


def test_binarised_png_takes_one_bit_a_pixel():
    noise = np.random.default_rng(0).integers(0, 2, (1, 1, 128, 128), dtype=np.uint8)
    row = _by_name(measure(noise, noise, 2))["PNG"]
    assert row.test_bits_per_dim < 1.1
    assert "1 bit per pixel" in row.note


def _lossy(pixels, num_levels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=False, quality=50)
    return file.getvalue()


def test_a_lossy_codec_gets_no_row(monkeypatch, caplog):
    faulty = [
        dataclasses.replace(codec, encode=_lossy) if codec.name == "WebP" else codec
        for codec in formats.FORMATS
    ]
    monkeypatch.setattr(files, "FORMATS", faulty)
    images = _images(5)
    with caplog.at_level(logging.WARNING, "pixelrnn.baselines"):
        rows = _by_name(measure(images, images, 256))
    assert not any(name.startswith("WebP") for name in rows)
    assert {"PNG", "JPEG XL"} <= set(rows)
    assert "WebP left out: it decodes to other pixels" in caplog.text
    assert "WebP, one picture left out" in caplog.text


def test_one_lossy_image_among_many_is_found(monkeypatch):
    images = _images(40)
    bad = images[37].transpose(1, 2, 0)

    def encode(pixels, num_levels):
        wrong = np.array_equal(pixels, bad)
        return formats._encode_png(pixels ^ np.uint8(wrong), num_levels)

    png = dataclasses.replace(formats.FORMATS[0], encode=encode)
    monkeypatch.setattr(files, "FORMATS", [png])
    names = _by_name(measure(images, images, 256))
    assert "PNG" not in names
    assert "PNG, one picture" in names


def test_a_missing_codec_is_named_not_fatal(monkeypatch, caplog):
    missing = [
        dataclasses.replace(codec, available=lambda: False) if codec.name == "JPEG XL" else codec
        for codec in formats.FORMATS
    ]
    monkeypatch.setattr(files, "FORMATS", missing)
    images = _images(3)
    with caplog.at_level(logging.WARNING, "pixelrnn.baselines"):
        rows = _by_name(measure(images, images, 256))
    assert not any(name.startswith("JPEG XL") for name in rows)
    assert "JPEG XL left out" in caplog.text


def test_a_picture_too_large_for_the_format_is_left_out(monkeypatch, caplog):
    small = [dataclasses.replace(formats.FORMATS[0], max_side=10)]
    monkeypatch.setattr(files, "FORMATS", small)
    images = _images(4)  # 9 wide; two beside each other are 18
    with caplog.at_level(logging.WARNING, "pixelrnn.baselines"):
        names = [row.name for row in measure(images, images, 256)]
    assert names == ["uniform", "histogram", "PNG"]
    assert "PNG, one picture left out" in caplog.text


def test_two_channels_have_no_image_files(caplog):
    images = _images(3, channels=2)
    with caplog.at_level(logging.WARNING, "pixelrnn.baselines"):
        assert [row.name for row in measure(images, images, 256)] == ["uniform", "histogram"]
    assert "1 or 3 channels" in caplog.text


@pytest.mark.parametrize(
    ("train", "test", "num_levels", "message"),
    [
        (np.zeros((2, 1, 4, 4)), np.zeros((2, 1, 4, 4), np.uint8), 256, "training images must be"),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros((2, 4, 4), np.uint8), 256, "test images must"),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros((2, 1, 4, 5), np.uint8), 256, "one shape"),
        (np.zeros((2, 1, 4, 4), np.uint8), np.full((2, 1, 4, 4), 17, np.uint8), 17, "value 17"),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros((0, 1, 4, 4), np.uint8), 17, "no test images"),
    ],
)
def test_wrong_input_is_named(train, test, num_levels, message):
    with pytest.raises(DataError, match=message):
        measure(train, test, num_levels)


def test_cifar_figures_are_near_those_measured_elsewhere():
    if not EXCERPT.exists():
        pytest.skip(f"no {EXCERPT.name} beside the repository")
    with tarfile.open(EXCERPT) as archive:
        member = archive.extractfile("cifar-10-batches-bin/test_batch.bin")
        records = np.frombuffer(member.read(), np.uint8).reshape(-1, 3073)
    images = np.ascontiguousarray(records[:100, 1:]).reshape(-1, 3, 32, 32)
    rows = _by_name(baselines.measure(images, images, 256))
    # Measured by others' tools on other CIFAR-10 images.
    expected = {"PNG": 5.89, "WebP": 4.72, "JPEG XL": 4.13}
    for name, bits_per_dim in expected.items():
        assert rows[name].test_bits_per_dim == pytest.approx(bits_per_dim, abs=0.25)


def test_standard_errors_are_those_of_the_files_clustered_by_picture():
    images = np.random.default_rng(0).integers(256, size=(24, 3, 6, 9), dtype=np.uint8)
    images[:12] = 7  # two kinds: flat ones, whose files are small, and noise
    pictures = np.repeat([0, 1, 2, 3], 6)
    rows = _by_name(measure(images, images, 256))
    clustered = _by_name(measure(images, images, 256, pictures=pictures))
    alone = [measure(images, image[np.newaxis], 256) for image in images]
    sizes = [_by_name(lines)["PNG"].test_bits_per_dim for lines in alone]
    assert rows["PNG"].standard_error == pytest.approx(standard_error(np.array(sizes)))
    assert clustered["PNG"].standard_error == pytest.approx(
        standard_error(np.array(sizes), pictures)
    )
    for name in ("PNG", "histogram"):
        assert clustered[name].test_bits_per_dim == rows[name].test_bits_per_dim
        assert clustered[name].standard_error > 1.5 * rows[name].standard_error
    # Neither is a mean over images.
    assert rows["uniform"].standard_error is None
    assert rows["PNG, one picture"].standard_error is None
