"""The model that `pixelrnn compress` takes unasked: by the sizes in the headers, before pixels are read."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import codec_images
from pixelrnn import shipped
from pixelrnn.coding import Album, Codec, load_program
from pixelrnn.data import image_files

OF_PHOTOGRAPHS, OF_SMALL_IMAGES = "colour-pixelcnn", "colour-row-lstm"


@pytest.fixture(scope="module", autouse=True)
def _ready():
    Codec(load_program(OF_PHOTOGRAPHS)).make_ready()


@pytest.fixture(autouse=True)
def two_defaults(monkeypatch):
    monkeypatch.setitem(shipped.DEFAULT_MODELS, shipped.PHOTOGRAPHS, OF_PHOTOGRAPHS)
    monkeypatch.setitem(shipped.DEFAULT_MODELS, shipped.SMALL_IMAGES, OF_SMALL_IMAGES)


@pytest.fixture
def save(tmp_path):
    """Write pictures of these heights and widths; the folder."""

    def write(*sizes, mode="RGB"):
        folder = tmp_path / "in"
        folder.mkdir()
        for number, (height, width) in enumerate(sizes):
            bands = len(Image.new(mode, (1, 1)).getbands())
            smooth = np.add.outer(np.arange(height), np.arange(width))[..., None] % 200
            levels = np.broadcast_to(smooth, (height, width, bands)).astype(np.uint8)
            Image.frombytes(mode, (width, height), levels.tobytes()).save(folder / f"{number}.png")
        return folder

    return write


@pytest.fixture
def compressed(pixelrnn, tmp_path):
    """Compress; what was said in JSON and on standard error, and the model in the file."""

    def run(*arguments):
        out = tmp_path / "x.pxr"
        answer = pixelrnn("compress", *arguments, "-o", out, "--json")
        assert answer.code == 0, answer.err
        with Album(out) as album:
            return json.loads(answer.out), answer.err, album.header.model

    return run


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.parametrize(
    ("size", "kind", "model"),
    [
        ((64, 64), "small images", OF_SMALL_IMAGES),
        ((5, 65), "photographs", OF_PHOTOGRAPHS),
        ((65, 5), "photographs", OF_PHOTOGRAPHS),
    ],
)
def test_by_size(size, kind, model, mode, save, compressed):
    said, err, in_file = compressed(save(size, mode=mode))
    assert (said["model"], said["model_is_for"], in_file) == (model, kind, model)
    assert "an album has one model" not in err


def test_a_mixed_album_has_one_model_and_says_which(save, compressed):
    said, err, in_file = compressed(save((60, 60), (30, 30), (20, 70)))
    assert said["model"] == in_file == OF_SMALL_IMAGES
    assert (
        "an album has one model: colour-row-lstm, for most of its levels are of small images; 1 image of "
        "3, photographs, would have colour-pixelcnn in an album of their own"
    ) in err.splitlines()


def test_a_mixed_album_of_photographs_mostly(save, compressed):
    said, err, in_file = compressed(save((60, 60), (30, 30), (70, 70)))
    assert said["model"] == in_file == OF_PHOTOGRAPHS
    assert "2 images of 3, small images, would have colour-row-lstm" in err


def test_a_model_that_is_named_is_taken_whatever_the_sizes(save, compressed):
    said, err, in_file = compressed(save((60, 60), (20, 70)), "--model", OF_PHOTOGRAPHS)
    assert (said["model"], said["model_is_for"], in_file) == (OF_PHOTOGRAPHS, None, OF_PHOTOGRAPHS)
    assert "an album has one model" not in err


def test_text_says_why(save, pixelrnn, tmp_path):
    folder = save((8, 8))
    answer = pixelrnn("compress", folder, "-o", tmp_path / "x.pxr")
    assert " bits/dim by colour-row-lstm, the model for small images; " in answer.out
    answer = pixelrnn("compress", folder, "-o", tmp_path / "y.pxr", "--model", OF_SMALL_IMAGES)
    assert " bits/dim by colour-row-lstm; " in answer.out


def test_the_choice_reads_headers_alone_and_one_model(save, compressed, monkeypatch):
    done = []

    def noted(module, name):
        real = getattr(module, name)

        def call(given, *rest, **more):
            done.append((name, getattr(given, "path", given)))
            return real(given, *rest, **more)

        monkeypatch.setattr(module, name, call)

    import pixelrnn.coding as coding

    folder = save((60, 60), (20, 70), (9, 9))
    noted(image_files, "read_bands")
    noted(coding, "load_program")
    compressed(folder)
    assert done == [
        ("load_program", OF_SMALL_IMAGES),
        *[("read_bands", folder / f"{number}.png") for number in range(3)],
    ]


def test_an_image_that_cannot_be_read_does_not_count(save, compressed):
    folder = save((60, 60), (600, 600))
    (folder / "1.png").write_bytes(b"damaged")
    said, _, _ = compressed(folder, "--skip")
    assert said["model"] == OF_SMALL_IMAGES


def test_bench_codec_takes_the_same(save):
    given = codec_images.measured_images(str(save((60, 60), (30, 30), (20, 70))), "all", None)
    assert given.usual_model == OF_SMALL_IMAGES
    assert codec_images.measured_images("photos", "test", 1).usual_model == OF_SMALL_IMAGES


def test_pillow_takes_the_same(tmp_path):
    import pixelrnn.pillow  # noqa: F401 - it registers the format

    def model(first, *rest, **settings):
        images = [Image.new("RGB", size) for size in (first, *rest)]
        images[0].save(tmp_path / "x.pxr", append_images=iter(images[1:]), **settings)
        with Image.open(tmp_path / "x.pxr") as found:
            assert found.n_frames == len(images)
            return found.info["model"]

    assert model((64, 64)) == OF_SMALL_IMAGES
    assert model((65, 1)) == OF_PHOTOGRAPHS
    assert model((64, 64), (65, 1), save_all=True) == OF_SMALL_IMAGES
    assert model((9, 9), (65, 9), save_all=True) == OF_PHOTOGRAPHS
    assert model((9, 9), model=OF_PHOTOGRAPHS) == OF_PHOTOGRAPHS


def test_pillow_counts_every_frame(tmp_path):
    import pixelrnn.pillow  # noqa: F401

    frames = [Image.new("RGB", (64, 64), (n, 0, 0)) for n in range(3)]
    frames[0].save(tmp_path / "x.tiff", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "x.tiff") as many:
        large = Image.new("RGB", (64, 130))
        large.save(tmp_path / "x.pxr", save_all=True, append_images=[many])
    with Image.open(tmp_path / "x.pxr") as found:
        assert (found.info["model"], found.n_frames) == (OF_SMALL_IMAGES, 4)
