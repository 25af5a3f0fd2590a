"""Albums as `--data`: the same images as the folder that they were made of."""

import numpy as np
import pytest

from pixelrnn.coding import Codec, load_program, write
from pixelrnn.data import DataOptions, load
from pixelrnn.errors import CompressedFileError, DataError


def drawn(count, bands, height=6, width=5, levels=256):
    generator = np.random.default_rng(count)
    return [
        generator.integers(levels, size=(height, width, bands), dtype=np.uint8)
        for _ in range(count)
    ]


def album(path, images, model="colour-pixelcnn"):
    with path.open("wb") as stream:
        write(
            Codec(load_program(model)),
            [(f"{n}.png", image) for n, image in enumerate(images)],
            stream,
        )
    return path


def test_splits_are_by_index_in_the_order_of_the_file(tmp_path):
    images = drawn(20, 3)
    data = load(album(tmp_path / "x.pxr", images))
    assert (data.name, data.num_levels) == ("x.pxr", 256)
    assert [data.count(split) for split in ("train", "validation", "test")] == [16, 2, 2]
    np.testing.assert_array_equal(data.images("test")[1], images[19].transpose(2, 0, 1))
    np.testing.assert_array_equal(data.images("validation")[0], images[8].transpose(2, 0, 1))
    assert data.notes == ("read: 20 PXR",)


def test_levels_are_those_of_its_model(tmp_path):
    data = load(album(tmp_path / "x.pxr", drawn(3, 1, levels=17), "digits-pixelcnn"))
    assert (data.channels, data.num_levels) == (1, 17)
    assert load(tmp_path / "x.pxr", DataOptions(num_levels=256)).num_levels == 256


def test_grey_and_opaque_alpha_among_colours(tmp_path):
    (grey,), (colour,) = drawn(1, 1), drawn(1, 4)
    colour[..., 3] = 255
    data = load(album(tmp_path / "x.pxr", [grey, colour]))
    np.testing.assert_array_equal(
        data.images("all")[0], np.repeat(grey.transpose(2, 0, 1), 3, axis=0)
    )
    np.testing.assert_array_equal(data.images("all")[1], colour[..., :3].transpose(2, 0, 1))
    assert data.notes[1:] == ("converted: grey to RGB (1)", "converted: opaque alpha dropped (1)")
    colour[2, 2, 3] = 254
    with pytest.raises(DataError, match=r"1\.png \(alpha that is not opaque\)"):
        load(album(tmp_path / "x.pxr", [grey, colour]))


def test_sizes(tmp_path):
    images = [*drawn(1, 3), *drawn(2, 3, 9, 8)]
    album(tmp_path / "x.pxr", images)
    with pytest.raises(
        DataError, match=r"2 of 3 images that are not 6x5 .* like the first, 0\.png"
    ):
        load(tmp_path / "x.pxr")
    data = load(tmp_path / "x.pxr", DataOptions(patch_size=4))
    assert data.images("all").shape == (1 + 2 * 4, 3, 4, 4)
    np.testing.assert_array_equal(data.images("all")[0], images[0][:4, :4].transpose(2, 0, 1))


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        load(album(tmp_path / "x.pxr", []))
    (tmp_path / "x.pxr").write_bytes(b"no album")
    with pytest.raises(CompressedFileError, match="not a compressed file"):
        load(tmp_path / "x.pxr")
