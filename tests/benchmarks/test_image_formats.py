"""The formats that the codec benchmark measures: lossless, and as small as their settings make them."""

import lzma

import numpy as np
import pytest

from benchmarks.image_formats import ALL_FORMATS
from pixelrnn.baselines.formats import FORMATS


def smooth(height, width):
    """A smooth random image, so that codecs have something to find, `(height, width, 3)`."""
    steps = np.random.default_rng(0).normal(size=(height, width, 3)).cumsum(0).cumsum(1)
    return np.round((steps - steps.min()) / np.ptp(steps) * 255).astype(np.uint8)


@pytest.mark.parametrize("codec", ALL_FORMATS[3:], ids=lambda codec: codec.name)
@pytest.mark.parametrize("num_levels", [2, 17, 256])
@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (5, 1), (6, 9), (6, 9, 3), (40, 33, 3)])
def test_more_codecs_give_every_pixel_back(codec, num_levels, shape):
    pixels = np.random.default_rng(0).integers(num_levels, size=shape, dtype=np.uint8)
    assert codec.available()
    data = codec.checked_file(pixels, num_levels)
    assert codec.holds(data, pixels)
    assert not codec.holds(data, pixels ^ 1)


def test_those_of_a_comparison_come_first():
    assert ALL_FORMATS[:3] == FORMATS
    assert [each.name for each in FORMATS] == ["PNG", "WebP", "JPEG XL"]
    assert [each.name for each in ALL_FORMATS[3:]] == [
        "JPEG XL (effort 7)", "JPEG-LS", "JPEG 2000", "LZMA",
    ]  # fmt: skip


def _xz(pixels, *filters):
    main = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}
    return lzma.compress(pixels, check=lzma.CHECK_CRC32, filters=[*filters, main])


def test_lzma_is_the_smaller_of_with_and_without_differences():
    lzma_codec, image = ALL_FORMATS[-1], smooth(40, 50)
    delta = {"id": lzma.FILTER_DELTA, "dist": 3}
    repeated = np.tile(np.random.default_rng(0).integers(4, size=(9, 8), dtype=np.uint8), (9, 9))
    assert len(lzma_codec.encode(image, 256)) == len(_xz(image, delta)) < len(_xz(image))
    small = len(lzma_codec.encode(repeated, 4))
    assert small == len(_xz(repeated)) < len(_xz(repeated, delta | {"dist": 1}))


def test_jpeg_2000_knows_how_few_bits_the_levels_have():
    noise = np.random.default_rng(0).integers(4, size=(64, 64), dtype=np.uint8)
    few, many = (len(ALL_FORMATS[-2].encode(noise, levels)) for levels in (4, 256))
    assert 8 * few / noise.size < 2.6
    assert few < many
