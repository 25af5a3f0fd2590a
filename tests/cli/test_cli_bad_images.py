"""Bad images, as typed: one clear line, exit code 2, and nothing half-written."""

import dataclasses
import gzip
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from pixelrnn.data import cifar, image_files

RECORD = 3073


def archive(path, records=10, test=5):
    """A small archive in the layout of CIFAR-10's."""
    drawn = np.random.default_rng(0).integers(256, size=(records + test, RECORD), dtype=np.uint8)
    drawn[:, 0] %= 10
    with tarfile.open(path, "w:gz") as packed:
        for name, part in (("data_batch_1", drawn[:records]), ("test_batch", drawn[records:])):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = part.size
            packed.addfile(member, io.BytesIO(part.tobytes()))
    return path


def picture(mode="RGB", size=(8, 8)):
    channels = len(Image.new(mode, (1, 1)).getbands())
    drawn = np.random.default_rng(0).integers(256, size=(*size[::-1], channels), dtype=np.uint8)
    return Image.frombytes(mode, size, drawn.tobytes())


def folder(path, *last, suffix="png"):
    """Nineteen good images and those given."""
    path.mkdir()
    for index in range(19):
        picture().save(path / f"{index:02}.png")
    for index, image in enumerate(last):
        image.save(path / f"x{index}.{suffix}")
    return path


def truncated_archive(path):
    whole = archive(path.with_suffix(".whole.tar.gz")).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def archive_with_a_flipped_byte(path):
    content = bytearray(archive(path).read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def archive_of_something_else(path):
    with tarfile.open(path, "w:gz") as packed:
        packed.addfile(tarfile.TarInfo("README"), io.BytesIO())


def not_an_archive(path):
    path.write_bytes(gzip.compress(b"hello"))


def transparent():
    image = picture("RGBA")
    image.putpixel((0, 0), (1, 2, 3, 0))
    return image


def floats(path):
    np.save(path, np.random.default_rng(0).random((20, 8, 8)))


def objects(path):
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.array([{}, {}], object), allow_pickle=True)


def truncated_array(path):
    np.save(path, np.zeros((20, 8, 8), np.uint8))
    path.write_bytes(path.read_bytes()[:-1])


BAD_IMAGES = {
    "truncated.tar.gz": (truncated_archive, "truncated or damaged"),
    "flipped.tar.gz": (archive_with_a_flipped_byte, "truncated or damaged"),
    "other.tar.gz": (archive_of_something_else, "it must be the binary or the Python version"),
    "hello.tar.gz": (not_an_archive, "truncated or damaged"),
    "empty": (lambda path: path.mkdir(), "has no images"),
    "texts": (lambda path: (path.mkdir(), (path / "a.txt").touch()), "has no images"),
    "sizes": (lambda path: folder(path, picture(size=(9, 8))), "x0.png (8x9)"),
    "sixteen": (lambda path: folder(path, Image.new("I;16", (8, 8))), "x0.png (16-bit)"),
    "cmyk": (lambda path: folder(path, picture("CMYK"), suffix="jpg"), "x0.jpg (CMYK)"),
    "alpha": (lambda path: folder(path, transparent()), "x0.png (alpha that is not opaque)"),
    "floats.npy": (floats, "save (x * 255).round().astype('uint8')"),
    "objects.npy": (objects, "Python objects are not read"),
    "short.npy": (truncated_array, "is cut short"),
    "notes.md": (lambda path: path.write_text("hello"), "is not a kind of file that is read"),
    "missing": (lambda path: None, "there is no "),
}


@pytest.mark.parametrize("verb", ["train", "compare", "evaluate"])
@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_images(name, verb, fails, trained, tiny, tmp_path):
    make, message = BAD_IMAGES[name]
    path, out = tmp_path / name, tmp_path / "out"
    make(path)
    arguments = {
        "train": ("train", "digits-pixelcnn", "--data", path, "--out", out, *tiny),
        "compare": ("compare", "digits", "--data", path, "--out", out, *tiny),
        "evaluate": ("evaluate", trained, "--data", path),
    }
    before = sorted(tmp_path.iterdir())
    line = fails(*arguments[verb])
    assert message in line
    assert name in line
    assert sorted(tmp_path.iterdir()) == before


def test_images_of_another_size_than_asked(fails, trained, tiny, tmp_path):
    path, out = folder(tmp_path / "images"), tmp_path / "out"
    asked = ("--data", path, "--set", "data.size=[16, 16]")
    for arguments in (
        ("train", "digits-pixelcnn", *asked, "--out", out, *tiny),
        ("compare", "digits", *asked, "--out", out, *tiny),
        ("evaluate", trained, *asked),
    ):
        line = fails(*arguments)
        assert "19 of 19 images that are not 16x16 pixels" in line
        assert not out.exists()


def test_an_archive_with_the_wrong_checksum(fails, trained, tiny, tmp_path, monkeypatch):
    """As many images as the official archive, but not its bytes."""
    monkeypatch.setattr(cifar, "OFFICIAL_COUNTS", (10, 5))
    path, out = archive(tmp_path / "cifar-10-binary.tar.gz"), tmp_path / "out"
    for arguments in (
        ("train", "digits-pixelcnn", "--data", path, "--out", out, *tiny),
        ("compare", "digits", "--data", path, "--out", out, *tiny),
        ("evaluate", trained, "--data", path),
    ):
        line = fails(*arguments)
        assert "md5" in line
        assert "data_batch_1.bin has md5" in line
        assert not out.exists()


def test_what_loses_nothing_is_converted_and_said(pixelrnn, tiny, tmp_path):
    path = folder(tmp_path / "images", picture("P"), picture("RGB").convert("RGBA"), picture("L"))
    answer = pixelrnn("train", "digits-pixelcnn", "--data", path, "--out", tmp_path / "out", *tiny)
    assert answer.code == 0
    info = pixelrnn("data", "info", path).out
    for conversion in ("palette to RGB (1)", "opaque alpha dropped (1)", "grey to RGB (1)"):
        assert conversion in info


def test_images_that_do_not_fit_the_model(fails, trained, tmp_path):
    line = fails("evaluate", trained, "--data", folder(tmp_path / "images"))
    assert "grey images with 17 levels" in line
    np.save(tmp_path / "x.npy", np.zeros((20, 8, 8), np.uint8))
    line = fails("evaluate", trained, "--data", tmp_path / "x.npy")
    assert "x.npy are grey with 256 levels" in line


def test_a_name_with_a_line_break_stays_one_line(fails):
    assert "there is no a b" in fails("train", "digits-pixelcnn", "--data", "a\nb")


def test_an_image_too_large_for_a_file_is_refused_before_its_pixels_are_read(
    fails, tmp_path, monkeypatch
):
    """Of a few bytes, each could take a gigabyte."""
    path = tmp_path / "large.png"
    Image.new("1", (9000, 9000)).save(path)
    header = image_files.read_header(path)
    monkeypatch.setattr(
        image_files,
        "read_header",
        lambda path, depth=8: dataclasses.replace(header, channels=3),
    )
    monkeypatch.setattr(image_files, "read_bands", lambda header: pytest.fail("pixels are read"))
    error = fails("compress", path, "-o", tmp_path / "x.pxr")
    assert "large.png: an image of 9000 x 9000 pixels cannot be compressed" in error
    assert not (tmp_path / "x.pxr").exists()


def test_skip_leaves_out_what_is_too_large(pixelrnn, fails, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("1", (60000, 1000)).save(folder / "large.png")
    Image.new("L", (4, 4)).save(folder / "small.png")
    out = tmp_path / "x.pxr"
    arguments = ("compress", folder, "-o", out, "--tile", "0")
    assert "large.png" in fails(*arguments)
    answer = pixelrnn(*arguments, "--skip")
    assert answer.code == 0, answer
    assert "1 image," in answer.out
    assert "large.png" in answer.err
