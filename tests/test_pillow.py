"""Pillow opens and saves compressed images as it does others."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import pixelrnn.pillow  # noqa: F401 - it registers the format
from pixelrnn import shipped


def picture(mode, size=(9, 7), seed=0):
    bands = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(seed).integers(256, size=(*size[::-1], bands), dtype=np.uint8)
    return Image.fromarray(values[..., 0] if bands == 1 else values, mode=None)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_saved_image_is_opened_with_the_same_pixels(tmp_path, mode):
    image = picture(mode)
    image.save(tmp_path / "x.pxr")
    with Image.open(tmp_path / "x.pxr") as again:
        assert (again.format, again.mode, again.size) == ("PXR", mode, image.size)
        assert again.info["model"] == shipped.DEFAULT_MODELS[shipped.SMALL_IMAGES]
        assert np.array_equal(np.array(again), np.array(image))


def test_opening_reads_size_and_mode_only_and_operations_decode(tmp_path):
    image = picture("RGB", (40, 30))
    image.save(tmp_path / "x.pxr", tile=16)
    with Image.open(tmp_path / "x.pxr") as again:
        assert again.tile
        assert np.array_equal(np.array(again.rotate(90, expand=True)), np.rot90(np.array(image)))
        assert np.array_equal(
            np.array(again.crop((3, 4, 20, 9))), np.array(image.crop((3, 4, 20, 9)))
        )
        copied = again.copy()
    assert np.array_equal(np.array(copied), np.array(image))


def test_several_images_are_frames_of_any_size_and_mode(tmp_path):
    frames = [picture("RGB"), picture("L", (4, 3), 1), picture("RGBA", (5, 5), 2)]
    frames[0].save(tmp_path / "x.pxr", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "x.pxr") as again:
        assert again.n_frames == 3
        for n in (2, 0, 1):
            again.seek(n)
            assert again.tell() == n
            assert again.mode == frames[n].mode
            assert np.array_equal(np.array(again), np.array(frames[n]))
        with pytest.raises(EOFError):
            again.seek(3)


@pytest.mark.parametrize("mode", ["CMYK", "I", "I;16", "F", "HSV", "LAB", "RGBX", "YCbCr"])
def test_a_mode_that_would_lose_something_is_refused_and_leaves_no_file(tmp_path, mode):
    with pytest.raises(OSError, match="convert it to L, LA, RGB, RGBA"):
        Image.new(mode, (3, 3)).save(tmp_path / "x.pxr")
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(OSError, match="no-such-model"):
        picture("RGB").save(tmp_path / "x.pxr", model="no-such-model")


def test_a_damaged_file_is_an_error_of_pillow():
    file = io.BytesIO()
    picture("RGB").save(file, "PXR")
    data = bytearray(file.getvalue())
    data[60] ^= 16
    with Image.open(io.BytesIO(bytes(data))) as again, pytest.raises(OSError, match="damaged"):
        again.load()
    with pytest.raises(OSError, match="cut short"):
        Image.open(io.BytesIO(file.getvalue()[:30]))


def test_importing_it_does_not_import_torch():
    code = "import pixelrnn.pillow, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
