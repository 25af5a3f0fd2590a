"""The plug-in does as Pillow's own do: each test runs on them too, and what they do is what is right."""

import contextlib
import copy
import gc
import io
import pickle
import threading

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import pixelrnn.pillow  # noqa: F401 - it registers the format
from pixelrnn.errors import PixelRNNError

LIKE_PNG = pytest.mark.parametrize("kind", ["PNG", "PXR"])
LIKE_TIFF = pytest.mark.parametrize("kind", ["TIFF", "PXR"])
SUFFIXES = {"PNG": ".png", "PXR": ".pxr", "TIFF": ".tif"}


def picture(mode="RGB", size=(9, 7), seed=0):
    bands = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(seed).integers(256, size=(*size[::-1], bands), dtype=np.uint8)
    return Image.fromarray(values[..., 0] if bands == 1 else values, mode=None)


def saved(image, kind, **settings):
    file = io.BytesIO()
    image.save(file, kind, **settings)
    file.seek(0)
    return file


def values(image):
    return np.asarray(image).tolist()


@LIKE_PNG
@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda image: pickle.loads(pickle.dumps(image)), Image.Image.copy],
    ids=["copy", "deepcopy", "pickle", "Image.copy"],
)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_copy_has_the_pixels(kind, is_loaded, copied, mode):
    image = Image.open(saved(picture(mode), kind))
    if is_loaded:
        image.load()
    again = copied(image)
    assert values(again) == values(picture(mode))
    assert again.tobytes() == picture(mode).tobytes()
    assert (again.mode, again.size, again.info) == (image.mode, image.size, image.info)
    assert again.getbbox() == image.getbbox()
    if kind == "PXR":  # where PNG has an AttributeError
        again.seek(0)
        assert again.tell() == 0
        with pytest.raises(EOFError):
            again.seek(1)


@LIKE_PNG
def test_loading_twice_verifying_and_closing(kind, tmp_path):
    path = tmp_path / f"x{SUFFIXES[kind]}"
    picture().save(path)
    image = Image.open(path)
    assert image.load()[0, 0] == image.load()[0, 0] == picture().getpixel((0, 0))
    with pytest.raises(RuntimeError, match="directly after open"):
        image.verify()
    image.close()
    with pytest.raises(ValueError, match="closed"):
        image.load()
    image = Image.open(path)
    image.close()
    with pytest.raises(ValueError, match="closed"):
        image.load()
    with Image.open(path) as image:
        image.verify()
    with Image.open(path) as image:
        image.load()
    assert image.getpixel((0, 0)) == picture().getpixel((0, 0))  # what was loaded stays
    gc.collect()  # a file left open would warn, which is an error here


@LIKE_PNG
def test_a_file_that_is_left_open_is_that_of_its_owner(kind):
    file = saved(picture(), kind)
    with Image.open(file) as image:
        image.load()
    del image
    gc.collect()
    assert not file.closed


@LIKE_PNG
def test_damage_found_by_verify_and_by_load(kind):
    whole = saved(picture(size=(40, 40)), kind).getvalue()
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 255
    with pytest.raises((SyntaxError, OSError)):
        Image.open(io.BytesIO(bytes(damaged))).verify()
    image = Image.open(io.BytesIO(bytes(damaged)))
    for _ in range(2 if kind == "PXR" else 1):
        with pytest.raises((OSError, SyntaxError)):
            image.load()


@pytest.mark.parametrize("length", [4, 5, 20, 60, -9, -1])
def test_a_cut_file_is_refused_at_opening_by_name(length):
    whole = saved(picture(), "PXR").getvalue()
    with pytest.raises(UnidentifiedImageError, match="cut short") as caught:
        Image.open(io.BytesIO(whole[:length]))
    assert isinstance(caught.value, PixelRNNError)


@LIKE_PNG
@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_an_image_without_pixels_is_refused_and_leaves_no_file(kind, size, tmp_path):
    path = tmp_path / f"x{SUFFIXES[kind]}"
    with pytest.raises(OSError if kind == "PXR" else (OSError, SystemError, ValueError)):
        Image.new("RGB", size).save(path)
    assert not path.exists()


class Unseekable(io.RawIOBase):
    """A pipe: it can be written to, and nothing else."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, content):
        self.content += bytes(content)
        return len(content)


@LIKE_PNG
def test_places_to_save_to(kind, tmp_path):
    expected = saved(picture(), kind).getvalue()
    pipe = Unseekable()
    picture().save(pipe, kind)
    assert pipe.content == expected
    path = tmp_path / f"x{SUFFIXES[kind]}"
    for place in (str(path), path, bytes(path)):
        picture().save(place)
        assert path.read_bytes() == expected
    with path.open("wb") as stream:
        stream.write(b"before")
        picture().save(stream, kind)
    assert path.read_bytes() == b"before" + expected


@LIKE_PNG
def test_options_that_a_writer_does_not_know_are_ignored(kind):
    file = saved(picture(), kind, quality=3, subsampling=0, no_such_option=[])
    assert values(Image.open(file)) == values(picture())


TRANSPARENT = [
    ("1", 255), ("1", 0), ("L", 9), ("L", 0), ("RGB", (1, 2, 3)), ("P", 3), ("P", b"\x00\x80\xff"),
]  # fmt: skip


def with_colours(mode):
    levels = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    if mode == "P":
        levels.putpalette([n * 7 % 256 for n in range(768)])
        return levels
    image = levels.convert(mode)
    if mode == "RGB":
        image.putpixel((1, 1), (1, 2, 3))
    if mode == "1":
        image.putpixel((2, 1), 255)
    return image


@LIKE_PNG
@pytest.mark.parametrize(("mode", "transparency"), TRANSPARENT)
@pytest.mark.parametrize("by_option", [True, False])
def test_transparency_is_shown_as_before(kind, mode, transparency, by_option):
    image = with_colours(mode)
    marked = image.copy()
    marked.info["transparency"] = transparency
    expected = values(marked.convert("RGBA"))
    settings = {"transparency": transparency} if by_option else {}
    again = Image.open(saved(image if by_option else marked, kind, **settings))
    assert values(again.convert("RGBA")) == expected
    assert 0 in np.asarray(expected)[..., 3]
    assert again.has_transparency_data
    if kind == "PXR":
        assert again.mode == ("LA" if mode in ("1", "L") else "RGBA")


@LIKE_PNG
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_transparent_colour_where_there_is_alpha_is_refused(kind, mode):
    with pytest.raises(OSError, match="cannot use transparency for"):
        saved(picture(mode), kind, transparency=0)
    image = picture(mode)
    image.info["transparency"] = 0  # left over from another file
    assert values(Image.open(saved(image, kind))) == values(picture(mode))


@pytest.mark.parametrize(
    ("mode", "transparency"),
    [
        ("RGB", "red"),
        ("RGB", 1),
        ("RGB", (1, 2)),
        ("RGB", b"abc"),
        ("L", (1, 2, 3)),
        ("P", (1, 2, 3)),
    ],
)
def test_a_transparency_of_another_mode_is_refused(mode, transparency):
    with pytest.raises(OSError, match="is not a colour of mode"):
        saved(with_colours(mode), "PXR", transparency=transparency)


@pytest.mark.parametrize(
    "settings", [{"tile": "x"}, {"tile": 1.5}, {"tile": -1}, {"tile": 1 << 40}, {"model": 3}]
)
def test_settings_that_are_none_are_refused(settings):
    with pytest.raises(OSError, match=r"tile|model"):
        saved(picture(), "PXR", **settings)


def test_damaged_files_are_refused_as_pillow_expects():
    own = frames(3)
    whole = saved(own[0], "PXR", save_all=True, append_images=own[1:]).getvalue()
    draw = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[draw.integers(len(whole))] ^= 1 << int(draw.integers(8))
        try:
            image = Image.open(io.BytesIO(bytes(damaged[: draw.integers(len(whole) + 200)])))
            all_frames(image)
        except (OSError, SyntaxError):
            refused += 1
    assert refused > 250


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "1"), ("PNG", "P"), ("PXR", "1"), ("PXR", "P"), ("PXR", "PA")]
)
def test_what_a_mode_shows_is_kept(kind, mode):
    image = with_colours("P").convert("PA") if mode == "PA" else with_colours(mode)
    again = Image.open(saved(image, kind))
    assert values(again.convert("RGBA")) == values(image.convert("RGBA"))


def test_a_palette_of_colours_with_alpha_is_kept():
    image = with_colours("P")
    image.putpalette([n * 5 % 256 for n in range(1024)], "RGBA")
    again = Image.open(saved(image, "PXR"))
    assert again.mode == "RGBA"
    assert values(again) == values(image.convert("RGBA"))


def frames(count, seed=0, sizes=None):
    sizes = sizes or [(4 + n, 3) for n in range(count)]
    return [picture("RGB", sizes[n], seed + n) for n in range(count)]


def all_frames(image):
    found = []
    for n in range(image.n_frames):
        image.seek(n)
        found.append(values(image))
    return found


@LIKE_TIFF
@pytest.mark.parametrize("source_kind", ["TIFF", "PXR"])
def test_all_frames_of_an_image_and_of_those_appended_are_saved(kind, source_kind):
    own, others = frames(3), frames(2, seed=7)
    image = Image.open(saved(own[0], source_kind, save_all=True, append_images=own[1:]))
    appended = Image.open(saved(others[0], source_kind, save_all=True, append_images=others[1:]))
    image.seek(1)
    file = saved(image, kind, save_all=True, append_images=iter([appended, picture("L")]))
    assert image.tell() == 1
    again = Image.open(file)
    assert (again.n_frames, again.is_animated) == (6, True)
    assert all_frames(again) == [values(each) for each in [*own, *others, picture("L")]]
    assert Image.open(saved(image, kind)).n_frames == 1  # without save_all: that at hand
    assert values(Image.open(saved(image, kind))) == values(own[1])


@LIKE_TIFF
def test_seeking(kind):
    own = frames(3)
    image = Image.open(saved(own[0], kind, save_all=True, append_images=own[1:]))
    for n in (2, 0, 0, 1):
        image.seek(n)
        assert (image.tell(), image.size, values(image)) == (n, own[n].size, values(own[n]))
    for outside in (-1, 3, 10**9):
        with pytest.raises(EOFError):
            image.seek(outside)
        assert (image.tell(), values(image)) == (1, values(own[1]))
    assert values(pickle.loads(pickle.dumps(image))) == values(own[1])
    image.close()
    with pytest.raises(ValueError, match="closed"):
        image.seek(2)


@LIKE_TIFF
def test_frames_of_a_path_close_their_file(kind, tmp_path):
    path, own = tmp_path / f"x{SUFFIXES[kind]}", frames(3)
    own[0].save(path, save_all=True, append_images=own[1:])
    with Image.open(path) as image:
        image.seek(1)
        assert all_frames(image) == [values(each) for each in own]
    image = Image.open(path)
    image.seek(2)
    image.close()
    del image
    gc.collect()


def test_seek_looks_at_the_number_of_pixels(monkeypatch):
    small, large = frames(2, sizes=[(2, 2), (30, 30)])
    image = Image.open(saved(small, "PXR", save_all=True, append_images=[large]))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for ask in (lambda: image.seek(1), image.verify):
        with pytest.raises(Image.DecompressionBombError):
            ask()
    assert (image.tell(), values(image)) == (0, values(small))


@pytest.mark.parametrize("held_bytes", [1 << 26, 0], ids=["in memory", "in its file"])
@pytest.mark.parametrize("current", [0, 2])
def test_a_file_that_is_being_read_may_be_saved_over(tmp_path, monkeypatch, held_bytes, current):
    monkeypatch.setattr("pixelrnn.pillow.HELD_BYTES", held_bytes)
    path, own = tmp_path / "x.pxr", frames(3)
    own[0].save(path, save_all=True, append_images=own[1:])
    (tmp_path / "same.pxr").symlink_to(path)
    with Image.open(path) as image:
        image.seek(current)
        image.save(tmp_path / "same.pxr", save_all=True, append_images=[picture("L")])
        assert image.tell() == current
        assert values(image) == values(own[current])
    with Image.open(path) as again:
        assert all_frames(again) == [values(each) for each in [*own, picture("L")]]
    gc.collect()


def test_frames_may_be_appended_to_their_own_file(tmp_path):
    path, own = tmp_path / "x.pxr", frames(2)
    own[0].save(path, save_all=True, append_images=own[1:])
    with Image.open(path) as image:
        picture("L").save(path, append_images=[image])
    with Image.open(path) as again:
        assert all_frames(again) == [values(each) for each in [picture("L"), *own]]


def test_a_failure_halfway_leaves_frames_and_no_file(tmp_path):
    own = frames(2)
    image = Image.open(saved(own[0], "PXR", save_all=True, append_images=own[1:]))
    path = tmp_path / "x.pxr"
    with pytest.raises(OSError, match="mode CMYK"):
        image.save(path, save_all=True, append_images=[Image.new("CMYK", (2, 2))])
    assert not path.exists()
    assert (image.tell(), values(image)) == (0, values(own[0]))


def test_registered_once():
    assert Image.ID.count("PXR") == 1
    assert Image.registered_extensions()[".pxr"] == "PXR"
    assert Image.open(saved(picture(), "PXR")).get_format_mimetype() == "image/x-pxr"


@LIKE_PNG
def test_threads_may_load_images_of_their_own(kind):
    content, wrong = saved(picture(size=(30, 30)), kind).getvalue(), []

    def look():
        with contextlib.closing(Image.open(io.BytesIO(content))) as image:
            if values(image) != values(picture(size=(30, 30))):
                wrong.append(image)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
