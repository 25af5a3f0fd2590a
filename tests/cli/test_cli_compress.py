"""`pixelrnn compress`, as typed: what goes in is what `decompress` gives back, or nothing is written."""

import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from pixelrnn.coding import Codec, load_program
from pixelrnn.data import image_files
from pixelrnn.shipped import DEFAULT_MODELS, SMALL_IMAGES

SIZE = (9, 7)  # width and height
SMALL = DEFAULT_MODELS[SMALL_IMAGES]


@pytest.fixture(scope="module", autouse=True)
def _ready():
    """The loop is compiled, so that no test meets the line which says that it is being compiled."""
    Codec(load_program(SMALL)).make_ready()


def picture(mode="RGB", size=SIZE, seed=0):
    """An image of noise."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    drawn = np.random.default_rng(seed).integers(256, size=(*size[::-1], bands), dtype=np.uint8)
    return Image.frombytes(mode, size, drawn.tobytes())


def palette(**options):
    return picture().quantize(16), options


def one_bit():
    return Image.fromarray(np.array(picture("L")) > 127), {}


# What is written, under which name, and the mode in which it comes back.
FORMATS = {
    "grey": ((picture("L"), {}), "png", "L"),
    "RGB": ((picture("RGB"), {}), "png", "RGB"),
    "grey with alpha": ((picture("LA"), {}), "png", "LA"),
    "RGB with alpha": ((picture("RGBA"), {}), "png", "RGBA"),
    "palette": (palette(), "png", "RGB"),
    "palette with a transparent colour": (palette(transparency=3), "png", "RGBA"),
    "palette with alpha": (palette(transparency=bytes(range(16))), "png", "RGBA"),
    "grey with a transparent level": ((picture("L"), {"transparency": 200}), "png", "LA"),
    "RGB with a transparent colour": ((Image.new("RGB", SIZE, (1, 2, 3)),
                                       {"transparency": (1, 2, 3)}), "png", "RGBA"),
    "1-bit": (one_bit(), "png", "L"),
    "one pixel": ((picture("RGB", (1, 1)), {}), "png", "RGB"),
    "JPEG": ((picture("RGB"), {}), "jpg", "RGB"),
    "grey JPEG": ((picture("L"), {}), "jpeg", "L"),
    "BMP": ((picture("RGB"), {}), "bmp", "RGB"),
    "TIFF": ((picture("RGBA"), {}), "tiff", "RGBA"),
    "WebP": ((picture("RGB"), {"lossless": True}), "webp", "RGB"),
    "GIF": (palette(), "gif", "RGB"),
}  # fmt: skip


def names(folder):
    """All files of a folder and its sub-folders."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def save(folder, *files):
    """Write images of noise, all different; their paths."""
    folder.mkdir(exist_ok=True, parents=True)
    paths = [folder / name for name in files]
    for seed, path in enumerate(paths):
        picture(seed=len(str(folder)) * 100 + seed).save(path, format="PNG")
    return paths


def assert_same(path, original, mode="RGB"):
    """The two image files hold the same pixels."""
    with Image.open(path) as found, Image.open(original) as expected:
        assert found.mode == mode
        np.testing.assert_array_equal(np.array(found), np.array(expected.convert(mode)))


@pytest.fixture
def there_and_back(pixelrnn, tmp_path):
    """Compress and decompress; the paths of the images that come back, and what compress said.

    Expressions say what must stand on standard error, after the one and after the other.
    """

    def run(*arguments, model=(), said=("", "")):
        album = tmp_path / "there" / "album.pxr"
        there = pixelrnn("compress", *arguments, *model, "-o", album, "--json")
        assert there.code == 0
        assert re.fullmatch(said[0], there.err)
        back = pixelrnn("decompress", album, *model, "-o", tmp_path / "back", "--json")
        assert back.code == 0
        assert re.fullmatch(said[1], back.err)
        files = json.loads(back.out)["files"]
        assert sorted(files) == names(tmp_path / "back")
        return [tmp_path / "back" / name for name in files], json.loads(there.out)

    return run


# There and back.


@pytest.mark.parametrize("kind", FORMATS)
def test_formats(kind, there_and_back, tmp_path):
    (image, options), suffix, mode = FORMATS[kind]
    path = tmp_path / f"x.{suffix}"
    image.save(path, **options)
    before = path.read_bytes()
    grew = r"1 of 1 file grew: x\.\w+ \(\d+ to \d+ bytes\); --keep-smaller leaves such files out\n"
    (found,), _ = there_and_back(path, said=(f"({grew})?", ""))
    assert found.name == "x.png"
    assert_same(found, path, mode)
    assert path.read_bytes() == before


def test_a_palette_comes_back_in_its_colours(there_and_back, tmp_path):
    """Looked up here by hand, for Pillow converts on both sides of the other test."""
    image, _ = palette()
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    image.save(tmp_path / "x.png")
    (found,), _ = there_and_back(tmp_path / "x.png", said=("1 of 1 file grew: .*\n", ""))
    with Image.open(found) as opened:
        np.testing.assert_array_equal(np.array(opened), colours[np.array(image)])


@pytest.mark.parametrize("tile", [0, 4, 65535])
def test_tiles(tile, there_and_back, tmp_path):
    paths = save(tmp_path / "in", "a.png", "b.png")
    found, about = there_and_back(*paths, "--tile", tile)
    assert about["tile_pixels"] == tile
    for path, original in zip(found, paths, strict=True):
        assert_same(path, original)


def test_threads_change_no_byte(pixelrnn, tmp_path):
    paths = save(tmp_path / "in", *(f"{n}.png" for n in range(5)))
    for threads in (1, 3):
        out = tmp_path / f"{threads}.pxr"
        assert pixelrnn("compress", *paths, "--threads", threads, "-o", out).code == 0
    assert (tmp_path / "1.pxr").read_bytes() == (tmp_path / "3.pxr").read_bytes()


def test_a_folder_gives_its_images_by_name(there_and_back, tmp_path):
    paths = save(tmp_path / "in", "b.png", "a.png", "C.PNG")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    aside = r"left aside: notes\.txt \(not an image\)\n"
    found, about = there_and_back(tmp_path / "in", said=(aside, ""))
    assert about["num_images"] == 3
    assert about["left_aside"] == [{"name": "notes.txt", "reason": "not an image"}]
    for path, original in zip(
        found, sorted(paths, key=lambda path: path.name.lower()), strict=True
    ):
        assert path.stem == original.stem
        assert_same(path, original)


def test_names(there_and_back, tmp_path):
    """Files of one name are told apart by their folders; none hides."""
    paths = save(tmp_path / "one", "cat.png", "with space.png", "größe 猫.png", "cat-2.png")
    paths += save(tmp_path / "other", "cat.png", "[bold]x.png", "no.dots.here.png", ".hidden.png")
    paths += save(tmp_path / "third", "CAT.png", "-o.png", "..png")
    changed = (
        "2 names are changed, so that every system can hold all: .* is hidden.png, .* is 10.png\n"
    )
    found, _ = there_and_back(*paths, said=("", changed))
    assert [path.relative_to(tmp_path / "back").as_posix() for path in found] == [
        "one/cat.png", "with space.png", "größe 猫.png", "cat-2.png",
        "other/cat.png", "[bold]x.png", "no.dots.here.png", "hidden.png",
        "CAT.png", "-o.png", "10.png",
    ]  # fmt: skip
    for path, original in zip(found, paths, strict=True):
        assert_same(path, original)


def test_a_name_that_is_not_text(there_and_back, tmp_path):
    """File systems of Unix take any bytes for a name."""
    (path,) = save(tmp_path / "in", "x.png")
    strange = os.fsdecode(os.fsencode(path.parent) + b"/\xff\xfe.png")
    try:
        path.rename(strange)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    said = "1 name is not UTF-8: bytes that are no text become question marks\n"
    (found,), about = there_and_back(
        strange, said=(said, r"1 name is changed.*: \?\?.png is __.png\n")
    )
    assert about["images"][0]["name"] == "??.png"
    assert_same(found, strange)


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "猫" * 83 + ".png"], ids=["x", "cat"])
def test_a_name_as_long_as_names_can_be(name, there_and_back, tmp_path):
    (path,) = save(tmp_path / "in", name)
    (found,), _ = there_and_back(path, said=("", "1 name is changed, .*\n"))
    assert_same(found, path)


# Where it is written.


def test_without_out_it_is_written_beside_the_image_once(pixelrnn, fails, tmp_path):
    (path,) = save(tmp_path / "in", "a b.png")
    answer = pixelrnn("compress", path)
    assert answer.code == 0
    out = tmp_path / "in" / "a b.pxr"
    number = r"[\d,.]+"
    assert re.fullmatch(
        rf"{re.escape(str(out))}: 1 image, {number} bytes, {number} bits/dim by {SMALL}, "
        r"the model for small images; "
        rf"\d+% of the {number} bytes of the files, \S+ seconds\n",
        answer.out,
    )
    (other,) = save(tmp_path / "other", "of another name.png")
    assert pixelrnn("compress", other, "-o", out, "--force").code == 0
    content = out.read_bytes()
    assert f"{out} is there already: give another name with -o, or --force" in fails(
        "compress", path
    )
    assert out.read_bytes() == content
    assert names(tmp_path / "in") == ["a b.png", "a b.pxr"]


def test_an_out_that_is_there_is_written_over_by_force(pixelrnn, fails, tmp_path):
    paths = save(tmp_path / "in", "a.png", "b.png")
    out = tmp_path / "new" / "folder" / "x.pxr"
    sizes = []
    (other,) = save(tmp_path / "other", "c.png")
    for given in (paths, paths[:1]):
        assert pixelrnn("compress", *given, "-o", out, "--force").code == 0
        sizes.append(out.stat().st_size)
        assert "is there already" in fails("compress", other, "-o", out)
        assert sizes[-1] == out.stat().st_size
    assert sizes[0] > sizes[1]
    assert names(out.parent) == ["x.pxr"]


def test_several_images_need_a_name(fails, tmp_path):
    paths = save(tmp_path / "in", "a.png", "b.png")
    assert fails("compress", *paths) == "2 images go into one file: name it with -o album.pxr"
    assert names(tmp_path / "in") == ["a.png", "b.png"]


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_no_image_is_written_over(link, fails, tmp_path):
    """An image that is called x.pxr, or the output is another name of an image."""
    (path,) = save(tmp_path / "in", "x.pxr" if link is None else "x.png")
    out = path
    if link is not None:
        out = tmp_path / "link.pxr"
        link(path, out)
    before = path.read_bytes()
    assert "is one of the images" in fails("compress", path, "-o", out, "--force")
    assert path.read_bytes() == out.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "x.png"), "give a name that ends in .pxr"),
        (("-o", "."), ". is a folder"),
        (("-o", "in/a.png/x.pxr"), "cannot write into the folder"),
        (("-o", "x.pxr", "--tile", -1), "a tile has a side of 1 to 65535 pixels, or 0 for none"),
        (("-o", "x.pxr", "--tile", 65536), "a tile has a side of 1 to 65535 pixels"),
        (("-o", "x.pxr", "--threads", 0), "give a whole number, 1 or more"),
        (("-o", "x.pxr", "--model", "colour-pixelcn"), "did you mean colour-pixelcnn?"),
        (("-o", "x.pxr", "--model", "in/a.png"), "not a safetensors file"),
        (("-o", "x.pxr", "--model", "digits-pixelcnn"), "17 levels"),
        (("missing.png", "-o", "x.pxr"), "there is no file missing.png"),
        (("empty", "-o", "x.pxr"), "empty has no images"),
        (("n" * 300, "-o", "x.pxr"), "there is no file nnn"),
        (("-o", "n" * 300 + ".pxr"), "File name too long"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, message, fails, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "in", "a.png")
    (tmp_path / "empty").mkdir()
    assert message in fails("compress", "in/a.png", *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "in"]
    assert names(tmp_path / "in") == ["a.png"]


def test_verify(there_and_back, tmp_path):
    paths = save(tmp_path / "in", "a.png", "b.png")
    found, about = there_and_back(*paths, "--verify", "--tile", 4)
    assert about["verified"] is True
    for path, original in zip(found, paths, strict=True):
        assert_same(path, original)


def test_verify_compares_with_the_images_read_again(fails, monkeypatch, tmp_path):
    """A checksum of wrong pixels would not tell."""
    real, calls = image_files.read_bands, []

    def read_bands(header):
        calls.append(header)
        image = real(header).copy()
        image[0, 0, 0] ^= len(calls) % 2
        return image

    path = tmp_path / "a.png"
    picture().save(path)
    monkeypatch.setattr(image_files, "read_bands", read_bands)
    message = fails("compress", path, "--verify")
    assert message.startswith("a.png does not decode to the same pixels")
    assert names(tmp_path) == ["a.png"]


def test_json(there_and_back, tmp_path):
    paths = save(tmp_path / "in", "a.png", "b.png")
    _, about = there_and_back(*paths)
    model = load_program(SMALL)
    size = (tmp_path / "there" / "album.pxr").stat().st_size
    assert about.pop("seconds") > 0
    assert about == {
        "out": str(tmp_path / "there" / "album.pxr"),
        "model": SMALL, "model_is_for": "small images",
        "program_hash": model.hash.hex(), "tile_pixels": 128, "num_images": 2,
        "num_bytes": size,
        "input_bytes": sum(path.stat().st_size for path in paths),
        "bits_per_dim": 8 * size / (2 * 3 * SIZE[0] * SIZE[1]),
        "verified": False,
        "images": [
            {"name": path.name, "path": str(path), "input_bytes": path.stat().st_size,
             "num_bytes": 3 * SIZE[0] * SIZE[1], "bits_per_dim": 8.0}
            for path in paths
        ],
        "smaller_as_they_are": [], "skipped": [], "left_aside": [],
        "num_turned_upright": 0, "not_kept": {},
    }  # fmt: skip
