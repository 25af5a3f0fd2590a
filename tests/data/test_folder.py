"""Folders of image files: splits, sizes, and which files are converted or refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pixelrnn.data import DataOptions, load
from pixelrnn.errors import DataError

GENERATOR = np.random.default_rng(0)


def rgb(height=6, width=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def image_bytes(image, image_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def write(folder, name, array, **options):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(folder / name, **options)


def png(width, height, bit_depth, colour_type, rows, extra=b""):
    """A PNG made by hand, of kinds that Pillow does not write."""

    def chunk(name, content):
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\x00" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )


def test_flat_folder_is_sorted_by_name_and_split_by_index(tmp_path):
    for index in reversed(range(20)):
        write(tmp_path / "faces", f"{index:02}.png", rgb(seed=index))
    data = load(tmp_path / "faces")
    assert data.name == "faces"
    assert [data.count(split) for split in ("train", "validation", "test")] == [16, 2, 2]
    np.testing.assert_array_equal(data.images("test")[1], rgb(seed=19).transpose(2, 0, 1))
    np.testing.assert_array_equal(data.images("validation")[0], rgb(seed=8).transpose(2, 0, 1))
    assert (data.channels, data.height, data.width) == (3, 6, 5)
    assert data.notes == ("read: 20 PNG",)


def test_sub_folders_are_the_splits(tmp_path):
    for split, count in (("train", 11), ("test", 2)):
        for index in range(count):
            write(tmp_path / split, f"{index:02}.png", rgb(seed=index))
    data = load(tmp_path)
    assert [data.count(split) for split in ("train", "validation", "test")] == [10, 1, 2]
    write(tmp_path / "validation", "one.png", rgb(seed=50))
    data = load(tmp_path)
    assert [data.count(split) for split in ("train", "validation", "test")] == [11, 1, 2]
    np.testing.assert_array_equal(data.images("validation")[0], rgb(seed=50).transpose(2, 0, 1))


def test_sub_folders_that_do_not_fit(tmp_path):
    write(tmp_path / "train", "a.png", rgb())
    with pytest.raises(DataError, match="no images in a sub-folder test"):
        load(tmp_path)
    write(tmp_path, "a.png", rgb())
    with pytest.raises(DataError, match="beside its sub-folder train"):
        load(tmp_path)


def test_no_images(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    write(tmp_path / "cats", ".a.png", rgb())
    aside = r"left aside: cats/\.a\.png \(hidden\); notes\.txt \(not an image\)"
    with pytest.raises(DataError, match=rf"has no images .*{aside}"):
        load(tmp_path)


def test_sub_folders_of_any_name_are_read_in_the_order_of_names(tmp_path):
    for index, name in enumerate(("b/10.png", "b/9.png", "c.png", "a/x/1.png")):
        write((tmp_path / name).parent, name.rpartition("/")[2], rgb(seed=index))
    data = load(tmp_path)
    for image, seed in zip(data.images("all"), (3, 0, 1, 2), strict=True):
        np.testing.assert_array_equal(image, rgb(seed=seed).transpose(2, 0, 1))


def test_sub_folders_beside_the_splits_are_left_aside_and_said(tmp_path):
    for name in ("train/cats/0.png", "train/dogs/0.png", "test/cats/0.png", "old/0.png"):
        write((tmp_path / name).parent, "0.png", rgb())
    data = load(tmp_path)
    assert [data.count(split) for split in ("train", "validation", "test")] == [2, 0, 1]
    assert "left aside: old (1 images that are in none of the splits)" in data.notes


def test_one_image_is_enough_to_evaluate(tmp_path):
    write(tmp_path, "a.png", rgb())
    assert load(tmp_path).images("all").shape == (1, 3, 6, 5)


def test_other_sizes_are_counted_and_named(tmp_path):
    write(tmp_path, "a.png", rgb())
    for index in range(5):
        write(tmp_path, f"b{index}.png", rgb(height=7))
    with pytest.raises(
        DataError,
        match=r"5 of 6 images that are not 6x5 .* like the first, a\.png: b0\.png \(7x5\), .* and "
        r"2 more; .*--set data\.patch_size=32",
    ):
        load(tmp_path)
    with pytest.raises(DataError, match=r"1 of 6 images that are not 7x5 .*: a\.png \(6x5\)"):
        load(tmp_path, DataOptions(size=(7, 5)))


def test_patches_hold_out_whole_images(tmp_path):
    for index in range(10):
        write(tmp_path / "scans", f"{index}.png", np.full((9, 8 + index, 3), index, np.uint8))
    data = load(tmp_path / "scans", DataOptions(patch_size=4))
    assert data.name == "scans (4x4 patches)"
    for split in ("train", "validation", "test"):
        pictures = data.pictures_of(split)
        assert len(pictures) == data.count(split)
        assert (np.diff(pictures) >= 0).all()
    assert len(set(data.pictures_of("all"))) == 10
    assert set(np.unique(data.images("train"))) == set(range(8))
    assert set(np.unique(data.images("test"))) == {9}
    assert data.images("test").shape == (2 * 4, 3, 4, 4)
    for index in range(3, 10):
        write(tmp_path / "scans", f"{index}.png", rgb(12, 12))
    with pytest.raises(DataError, match=r"3 of 10 .*smaller than a patch of 11x11.*patch_size=8"):
        load(tmp_path / "scans", DataOptions(patch_size=11))


def test_patches_are_cut_row_by_row(tmp_path):
    picture = rgb(9, 11)
    write(tmp_path, "a.png", picture)
    patches = load(tmp_path, DataOptions(patch_size=4)).images("all")
    expected = [picture[r : r + 4, c : c + 4] for r in (0, 4) for c in (0, 4)]
    np.testing.assert_array_equal(patches, np.stack(expected).transpose(0, 3, 1, 2))


def test_grey_stays_grey_unless_there_is_colour(tmp_path):
    write(tmp_path, "a.png", rgb()[..., 0])
    assert load(tmp_path).channels == 1
    write(tmp_path, "b.png", rgb())
    data = load(tmp_path)
    np.testing.assert_array_equal(data.images("all")[0], np.stack([rgb()[..., 0]] * 3))
    assert "converted: grey to RGB (1)" in data.notes


OPAQUE = np.dstack([rgb(), np.full((6, 5), 255, np.uint8)])
GREY_ROWS = [bytes([0b00_01_10_11, 0b11_00_00_00])] * 6  # 5 pixels of 2 bits: 0 1 2 3 3
GREY = np.tile(np.array([0, 85, 170, 255, 255], np.uint8), (6, 1))
PALETTE = Image.fromarray(rgb()).quantize(8, dither=Image.Dither.NONE)


@pytest.mark.parametrize(
    ("name", "content", "expected", "note"),
    [
        ("a.png", image_bytes(Image.fromarray(rgb()[..., 0] > 99)), None, "1-bit"),
        ("a.png", image_bytes(PALETTE), np.array(PALETTE.convert("RGB")), "palette to RGB"),
        ("a.gif", image_bytes(PALETTE, "GIF"), np.array(PALETTE.convert("RGB")), "palette to RGB"),
        ("a.png", image_bytes(Image.fromarray(OPAQUE)), rgb(), "opaque alpha dropped"),
        ("a.png", image_bytes(Image.fromarray(OPAQUE[..., 2:])), rgb()[..., 2], "opaque alpha"),
        ("a.tif", image_bytes(Image.fromarray(OPAQUE), "TIFF"), rgb(), "opaque alpha dropped"),
        ("a.png", png(5, 6, 2, 0, GREY_ROWS), GREY, "2-bit grey to 0 ... 255"),
        ("a.tif", image_bytes(Image.fromarray(rgb()), "TIFF"), rgb(), None),
        ("a.bmp", image_bytes(Image.fromarray(rgb()), "BMP"), rgb(), None),
        ("a.webp", image_bytes(Image.fromarray(rgb()), "WEBP", lossless=True), rgb(), None),
        ("a.ppm", image_bytes(Image.fromarray(rgb()), "PPM"), rgb(), None),
        ("a.PGM", image_bytes(Image.fromarray(rgb()[..., 0]), "PPM"), rgb()[..., 0], None),
        ("a.pnm", image_bytes(Image.fromarray(rgb()), "PPM"), rgb(), None),
        ("a.pbm", image_bytes(Image.fromarray(rgb()[..., 0] > 99), "PPM"), None, "1-bit"),
        ("a.pgm", b"P2 5 6 3\n" + b"0 1 2 3 3 " * 6, GREY, "0 ... 3 to 0 ... 255"),
        ("a.pgm", b"P5 5 6 3\n" + bytes([0, 1, 2, 3, 3]) * 6, GREY, "0 ... 3 to 0 ... 255"),
    ],
)
def test_what_is_converted_is_recorded(tmp_path, name, content, expected, note):
    (tmp_path / name).write_bytes(content)
    data = load(tmp_path)
    if expected is not None:
        pixels = data.images("all")[0].transpose(1, 2, 0).squeeze()
        np.testing.assert_array_equal(pixels, expected)
    converted = [each for each in data.notes if each.startswith("converted")]
    assert converted == ([] if note is None else converted[:1])
    if note is not None:
        assert converted[0].startswith(f"converted: {note}")
        assert converted[0].endswith("(1)")


def test_one_bit_becomes_black_and_white(tmp_path):
    bits = rgb()[..., 0] > 127
    Image.fromarray(bits).save(tmp_path / "a.png")
    np.testing.assert_array_equal(load(tmp_path).images("all")[0, 0], bits * np.uint8(255))


def _floats(shape, dtype):
    return Image.fromarray(GENERATOR.random(shape).astype(dtype))


HOLES = OPAQUE.copy()
HOLES[2, 2, 3] = 254
ROWS_48 = [GENERATOR.integers(0, 256, 5 * 6, np.uint8).tobytes() for _ in range(6)]
ROWS_16 = [GENERATOR.integers(0, 256, 5 * 2, np.uint8).tobytes() for _ in range(6)]
ROWS_64 = [GENERATOR.integers(0, 256, 5 * 8, np.uint8).tobytes() for _ in range(6)]
TRANSPARENT_COLOUR = struct.pack(">I", 6) + b"tRNS" + struct.pack(">HHH", 1, 2, 3)
TRANSPARENT_COLOUR += struct.pack(">I", zlib.crc32(TRANSPARENT_COLOUR[4:]))
RED_ROWS = [bytes([1, 2, 3]) * 5] * 6
FRAMES = [Image.fromarray(rgb(seed=seed)) for seed in range(3)]
ANIMATED = {"save_all": True, "append_images": FRAMES[1:]}
GREY_16 = Image.fromarray(GENERATOR.integers(0, 65536, (6, 5)).astype(np.uint16))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.png", png(5, 6, 16, 0, ROWS_16), "16-bit"),
        ("a.png", png(5, 6, 16, 2, ROWS_48), "16-bit"),
        ("a.png", png(5, 6, 16, 6, ROWS_64), "16-bit"),
        ("a.tif", image_bytes(GREY_16, "TIFF"), "16-bit"),
        ("a.tif", image_bytes(_floats((6, 5), np.float32), "TIFF"), "-bit|float"),
        ("a.jpg", image_bytes(Image.fromarray(rgb()).convert("CMYK"), "JPEG"), "CMYK"),
        ("a.tif", image_bytes(Image.fromarray(rgb()).convert("CMYK"), "TIFF"), "CMYK"),
        ("a.tif", image_bytes(Image.fromarray(rgb()).convert("LAB"), "TIFF"), "Lab"),
        ("a.tif", image_bytes(Image.fromarray(rgb()).convert("YCbCr"), "TIFF"), "YCbCr"),
        ("a.png", image_bytes(Image.fromarray(HOLES)), "alpha that is not opaque"),
        ("a.webp", image_bytes(Image.fromarray(HOLES), "WEBP", lossless=True), "alpha that is not"),
        ("a.png", image_bytes(PALETTE, transparency=0), "alpha that is not opaque"),
        ("a.gif", image_bytes(PALETTE, "GIF", transparency=0), "alpha that is not opaque"),
        ("a.png", png(5, 6, 8, 2, RED_ROWS, TRANSPARENT_COLOUR), "alpha that is not opaque"),
        ("a.gif", image_bytes(FRAMES[0], "GIF", **ANIMATED), "3 animation frames"),
        ("a.png", image_bytes(FRAMES[0], "PNG", **ANIMATED), "3 animation frames"),
        ("a.webp", image_bytes(FRAMES[0], "WEBP", **ANIMATED), "3 animation frames"),
        ("a.tif", image_bytes(FRAMES[0], "TIFF", **ANIMATED), "3 pages"),
        ("a.png", b"not an image", "not an image"),
        ("a.png", b"", "not an image"),
        ("a.png", png(60_000, 60_000, 8, 2, []), "more than .* pixels"),
        ("a.png", png(11_585, 11_586, 8, 2, []), "more than 134,217,728 pixels"),
        ("a.ppm", b"P6 5 6 65535\n" + bytes(180), "16-bit"),
        ("a.ppm", b"P6 5 6 256\n" + bytes(180), "9-bit"),
        ("a.pgm", b"P5 5 6 65535\n" + bytes(60), "16-bit"),
        ("a.pgm", b"P2 5 6 1000\n" + b"999 " * 30, "10-bit"),
        ("a.heic", b"\0\0\0\x18ftypheic", "HEIC, which is read with pillow-heif installed"),
        ("a.jxl", b"\xff\x0a", "JXL, which is read with pillow-jxl-plugin installed"),
    ],
)
def test_what_would_be_lost_is_refused_by_name(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    write(tmp_path, "z.png", rgb())
    with pytest.raises(
        DataError, match=rf"1 images that .*: {name} \(.*({reason}).*\); "
    ) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("image_format", "suffix"),
    [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"), ("BMP", "bmp"), ("TIFF", "tif")],
)
def test_truncated_files_are_named(tmp_path, image_format, suffix):
    content = image_bytes(Image.fromarray(rgb(64, 64)), image_format)
    for keep in (len(content) // 2, len(content) - 200):
        (tmp_path / f"cut.{suffix}").write_bytes(content[:keep])
        with pytest.raises(DataError, match=rf"cut\.{suffix} \("):
            load(tmp_path)


def test_many_refused_are_counted(tmp_path):
    for index in range(5):
        (tmp_path / f"{index}.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"5 images .*0\.png .*2\.png \(.*\) and 2 more"):
        load(tmp_path)


def test_images_of_unread_kinds_are_not_left_out_silently(tmp_path):
    write(tmp_path, "a.png", rgb())
    (tmp_path / "readme.txt").write_text("text")
    (tmp_path / ".hidden.png").write_bytes(b"broken")
    aside = "left aside: .hidden.png (hidden); readme.txt (not an image)"
    assert aside in load(tmp_path).notes
    (tmp_path / "b.psd").write_bytes(b"")
    with pytest.raises(DataError, match=r"b\.psd \(PSD, which is not read\)"):
        load(tmp_path)


# --- classes -------------------------------------------------------------------------------------


def classes(folder, **named):
    """Write images of one grey each, named by their folder; return what is read."""
    for name, grey in named.items():
        path = folder / name.replace("__", "/")
        path.mkdir(parents=True, exist_ok=True)
        for n in range(12):
            Image.fromarray(np.full((4, 4), grey + n, np.uint8)).save(path / f"{n}.png")
    return load(str(folder))


def test_sub_folders_are_classes(tmp_path):
    data = classes(tmp_path, owl=200, cat=100)
    assert data.class_names == ("cat", "owl")
    for split in ("train", "validation", "test"):
        greys = data.images(split)[:, 0, 0, 0]
        np.testing.assert_array_equal(data.labels_of(split), greys >= 200)


def test_sub_folders_of_splits_are_classes(tmp_path):
    data = classes(tmp_path, train__b=100, train__a__deep=50, test__b=100, test__c=150)
    assert data.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(
        data.labels_of("test"), np.minimum(data.images("test")[:, 0, 0, 0] // 50 - 1, 2)
    )
    assert set(data.labels_of("train").tolist()) == {0, 1}


def test_patches_have_the_class_of_their_picture(tmp_path):
    classes(tmp_path, a=100, b=200)
    data = load(str(tmp_path), DataOptions(patch_size=2))
    greys = data.images("train")[:, 0, 0, 0]
    np.testing.assert_array_equal(data.labels_of("train"), greys >= 200)


def test_images_beside_folders_have_no_classes(tmp_path):
    classes(tmp_path, a=100)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "beside.png")
    data = load(str(tmp_path))
    assert (data.class_names, data.labels_of("train")) == ((), None)
    with pytest.raises(DataError, match=r"has no labels: leave data\.labels out"):
        load(str(tmp_path), DataOptions(labels=True))


def test_names_of_classes_that_are_not_utf_8(tmp_path):
    data = classes(tmp_path, **{"caf\udce9": 100, "b": 200})
    assert data.class_names == ("b", "caf?")
