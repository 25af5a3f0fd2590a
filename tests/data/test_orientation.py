"""Pictures are turned upright, whatever the format, and what is not kept of a file is known."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from pixelrnn.data import load
from pixelrnn.data.image_files import read_bands, read_header, read_pixels

ORIENTATION, CAMERA, WIDTH_OF_A_LINE = 0x112, 0x110, 0x11A
SAVED = {
    "jpg": {"quality": 100, "subsampling": 0},
    "tif": {},
    "png": {},
    "webp": {"lossless": True},
}
# What the camera did to an upright picture, by the orientation that it wrote down.
TURNED_AWAY = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def upright(mode):
    """Large blocks of one colour, so that JPEG changes little; no two corners are alike."""
    blocks = np.array(
        [[[250, 0, 0], [0, 250, 0], [0, 0, 250]], [[9, 9, 9], [250, 250, 0], [99] * 3]]
    )
    levels = blocks.repeat(16, axis=0).repeat(16, axis=1).astype(np.uint8)
    return levels if mode == "RGB" else levels[..., 0]


def exif(**tags):
    found = Image.Exif()
    for tag, value in tags.items():
        found[int(tag.removeprefix("x"))] = value
    return found


def oriented(value):
    return exif(**{f"x{ORIENTATION}": value})


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("suffix", SAVED)
@pytest.mark.parametrize("orientation", TURNED_AWAY)
def test_all_orientations_in_all_formats(orientation, suffix, mode, tmp_path):
    stored = Image.fromarray(np.ascontiguousarray(TURNED_AWAY[orientation](upright(mode))))
    path = tmp_path / f"x.{suffix}"
    stored.save(path, exif=oriented(orientation), **SAVED[suffix])
    header = read_header(path)
    expected = upright("RGB" if suffix == "webp" else mode).astype(int)
    if suffix == "webp" and mode == "L":
        expected = np.stack([upright("L")] * 3, axis=2).astype(int)
    assert header.size == expected.shape[:2]
    assert (header.orientation > 1) == (orientation > 1)
    bands, pixels = read_bands(header).squeeze(), read_pixels(header).transpose(1, 2, 0).squeeze()
    np.testing.assert_array_equal(bands, pixels)
    # A JPEG is not exact; a corner at a wrong place would differ by 90 and more.
    assert np.abs(bands.astype(int) - expected).max() <= (12 if suffix == "jpg" else 0)


def chunk(name, content):
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def test_exif_after_the_pixels_of_a_png_counts_too(tmp_path):
    file = io.BytesIO()
    Image.fromarray(upright("RGB")).save(file, "PNG")
    end = file.getvalue().rindex(b"IEND") - 4
    about = chunk(b"eXIf", oriented(8).tobytes().removeprefix(b"Exif\0\0"))
    (tmp_path / "x.png").write_bytes(file.getvalue()[:end] + about + file.getvalue()[end:])
    header = read_header(tmp_path / "x.png")
    assert header.size == (48, 32)
    np.testing.assert_array_equal(read_bands(header), np.rot90(upright("RGB")))


@pytest.mark.parametrize("bad", [0, 9, 65535])
def test_an_orientation_that_there_is_not_turns_nothing(bad, tmp_path):
    Image.fromarray(upright("RGB")).save(tmp_path / "x.png", exif=oriented(bad))
    np.testing.assert_array_equal(read_bands(read_header(tmp_path / "x.png")), upright("RGB"))


def test_damaged_exif_spoils_no_picture(tmp_path):
    Image.fromarray(upright("RGB")).save(
        tmp_path / "x.png", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\1\2"
    )
    np.testing.assert_array_equal(read_bands(read_header(tmp_path / "x.png")), upright("RGB"))


def test_training_folders_are_turned_and_say_so(tmp_path):
    stored = Image.fromarray(np.rot90(upright("RGB")).copy())
    stored.save(tmp_path / "a.png", exif=oriented(6))
    Image.fromarray(upright("RGB")).save(tmp_path / "b.png", icc_profile=b"a profile of a monitor")
    data = load(tmp_path)
    for image in data.images("all"):
        np.testing.assert_array_equal(image.transpose(1, 2, 0), upright("RGB"))
    assert data.notes[1:] == (
        "turned upright, as EXIF says: 1",
        "not kept, colour profile: 1",
    )


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("suffix", SAVED)
@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({}, ()),
        ({"icc_profile": SRGB}, ()),
        ({"icc_profile": SRGB.replace(b"sRGB", b"AAAA").replace("sRGB".encode("utf-16-be"), b"A" * 8)},
         ("colour profile",)),
        ({"exif": oriented(1)}, ()),
        ({"exif": exif(**{f"x{CAMERA}": "a camera"})}, ("set of EXIF data",)),
    ],
)  # fmt: skip
def test_what_is_not_kept(suffix, about, expected, tmp_path):
    Image.fromarray(upright("RGB")).save(tmp_path / f"x.{suffix}", **SAVED[suffix], **about)
    assert read_header(tmp_path / f"x.{suffix}").not_kept == expected
