"""Pictures show what the images are: every pixel, in its place, and nothing that is not known."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

from pixelrnn import pictures
from pixelrnn.data import load
from pixelrnn.errors import OutputError
from pixelrnn.runs.array_file import as_in_files


def draw(count, channels=1, height=8, width=8, levels=17, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(levels, size=(count, channels, height, width), dtype=np.uint8)


def cell(pixels, index, columns, height, width):
    """The part of a sheet where an image is."""
    row, column = divmod(index, columns)
    between = pictures.gap(height, width)
    top, left = row * (height + between), column * (width + between)
    return pixels[top : top + height, left : left + width]


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_shades_are_spread_evenly(levels):
    table = pictures.shades(levels)
    assert (table[0], table[-1], len(table)) == (0, 255, levels)
    assert np.abs(table / 255 - np.arange(levels) / (levels - 1)).max() <= 0.5 / 255


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (5, 9), (1, 70)])
def test_every_image_is_in_its_place(channels, size):
    images, scale = draw(7, channels, *size), pictures.enlargement(*size)
    pixels = pictures.sheet(images, 17, columns=3)
    height, width = size[0] * scale, size[1] * scale
    for index, image in enumerate(images):
        shown = cell(pixels, index, 3, height, width)[scale // 2 :: scale, scale // 2 :: scale]
        np.testing.assert_array_equal(shown, np.rint(image.transpose(1, 2, 0) * (255 / 16)))
    assert (cell(pixels, 8, 3, height, width) == pictures.PAPER).all()


def test_images_are_enlarged_without_smoothing():
    image = draw(1, height=3, width=2)
    pixels = pictures.sheet(image, 17, columns=1, scale=5)
    assert np.unique(pixels[5:10, :5]).tolist() == [round(int(image[0, 0, 1, 0]) * 255 / 16)]


@pytest.mark.parametrize("channels", [1, 3])
def test_unknown_pixels_are_chequered_and_known_ones_are_kept(channels):
    images, known = draw(2, channels), np.arange(8)[:, None] < np.full(8, 3)
    pixels = pictures.sheet(images, 17, columns=2, known=known, scale=4)
    whole = pictures.sheet(images, 17, columns=2, scale=4)
    for index in range(2):
        shown = cell(pixels, index, 2, 32, 32)
        np.testing.assert_array_equal(shown[:12], cell(whole, index, 2, 32, 32)[:12])
        assert set(np.unique(shown[12:])) == set(pictures.CHECKS)


def test_the_row_of_a_completed_image():
    originals, completions = draw(2), draw(6, seed=1).reshape(2, 3, 1, 8, 8)
    known = np.arange(8)[None, :] < np.full((8, 1), 4)
    cells, shown = pictures.completion_cells(originals, completions, known)
    assert cells.shape == (10, 1, 8, 8)
    np.testing.assert_array_equal(cells[5], originals[1])
    np.testing.assert_array_equal(cells[6], originals[1])
    np.testing.assert_array_equal(cells[7:], completions[1])
    np.testing.assert_array_equal(shown[6], known)
    assert shown[[5, 7, 8, 9]].all()


@pytest.mark.parametrize(
    ("count", "size"), [(1, (8, 8)), (64, (32, 32)), (7, (10, 40)), (50, (3, 3))]
)
def test_sheets_are_squarish(count, size):
    columns = pictures.squarish(count, *size)
    rows = -(-count // columns)
    assert 1 <= columns <= count
    assert count == 1 or 0.4 < rows * size[0] / (columns * size[1]) < 2.5


def test_as_many_images_as_there_is_room_for():
    assert pictures.fitting(10, 8, 8) == 10
    assert pictures.fitting(10, 64, 64, pixels=3 * 64 * 64) == 3
    assert pictures.fitting(10, 4096, 4096, pixels=1) == 1


def test_a_sheet_of_those_that_there_is_room_for(tmp_path, monkeypatch):
    images = draw(9)
    monkeypatch.setattr(pictures, "fitting", lambda count, *_: min(count, 4))
    assert pictures.write_sheet(tmp_path / "a.png", images, 17) == 4
    with Image.open(tmp_path / "a.png") as opened:
        expected = pictures.sheet(images[:4], 17, columns=2)[..., 0]
        np.testing.assert_array_equal(np.asarray(opened), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_png(channels, tmp_path):
    pixels = pictures.sheet(draw(5, channels, levels=256), 256, columns=2)
    pictures.write_png(tmp_path / "a.png", pixels)
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.mode == ("L" if channels == 1 else "RGB")
        found = np.asarray(opened).reshape(pixels.shape)
    np.testing.assert_array_equal(found, pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def frames(path):
    with Image.open(path) as opened:
        return [
            (np.asarray(frame.convert("RGB")), frame.info["duration"])
            for frame in ImageSequence.Iterator(opened)
        ]


@pytest.mark.parametrize(("channels", "levels"), [(1, 17), (1, 2), (3, 3)])
@pytest.mark.parametrize("size", [(8, 8), (4, 7), (12, 10)])
def test_gif_grows_pixel_by_pixel_to_the_whole(channels, levels, size, tmp_path):
    images = draw(5, channels, *size, levels)
    pictures.write_growth(tmp_path / "a.gif", images, levels)
    found = frames(tmp_path / "a.gif")
    stages = pictures.stages(*size, pictures.GIF_FRAMES)
    assert len(found) == len(stages) <= 64
    for (frame, _), count in zip(found, stages, strict=True):
        known = pictures.first_pixels(int(count), *size)
        columns = pictures.squarish(5, *size)
        expected = pictures.sheet(images, levels, columns=columns, known=known)
        np.testing.assert_array_equal(frame, np.broadcast_to(expected, frame.shape))
    assert stages[0] == 0
    assert stages[-1] == size[0] * size[1]
    assert found[-1][1] > 10 * found[0][1]


def test_gif_of_many_colours_is_close(tmp_path):
    ramp = np.linspace(0, 255, 32).astype(np.uint8)
    image = np.stack(
        [np.tile(ramp, (32, 1)), np.tile(ramp[:, None], (1, 32)), np.full((32, 32), 90)]
    )
    pictures.write_growth(tmp_path / "a.gif", image[None].astype(np.uint8), 256)
    last = frames(tmp_path / "a.gif")[-1][0].astype(int)
    expected = pictures.sheet(image[None].astype(np.uint8), 256, columns=1).astype(int)
    assert 0 < np.abs(last - expected).mean() < 8


def test_gif_of_256_greys(tmp_path):
    image = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    pictures.write_growth(tmp_path / "a.gif", image, 256)
    last = frames(tmp_path / "a.gif")[-1][0].astype(int)
    assert np.abs(last - pictures.sheet(image, 256, columns=1)).max() <= 8


def test_stages_of_one_pixel():
    assert pictures.stages(1, 1, 64).tolist() == [0, 1]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_arrays_are_what_is_read_back_as_data(channels, tmp_path):
    images = draw(12, channels, 6, 7)
    pictures.write_arrays(tmp_path / "a.npz", images=as_in_files(images))
    found = load(tmp_path / "a.npz").images("all")
    assert sorted(image.tobytes() for image in found) == sorted(image.tobytes() for image in images)
    assert found.shape == images.shape


WRITERS = {
    "png": lambda path: pictures.write_png(path, pictures.sheet(draw(2), 17, columns=1)),
    "gif": lambda path: pictures.write_growth(path, draw(2), 17),
    "npz": lambda path: pictures.write_arrays(path, images=draw(2)),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_write_that_fails_leaves_what_was_there(kind, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    path = tmp_path / f"a.{kind}"
    path.write_text("mine")
    monkeypatch.setattr(Image.Image, "save", full)
    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OutputError, match="No space left"):
        WRITERS[kind](path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "mine"


def test_torch_is_not_imported():
    program = "import sys, pixelrnn.pictures; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
