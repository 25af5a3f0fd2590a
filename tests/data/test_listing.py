"""Folders of images as they are found: what is read, in which order, and what is left aside."""

import os
import socket
import sys
import types
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, features
from PIL.PpmImagePlugin import PpmImageFile

from pixelrnn.data import load
from pixelrnn.data.image_files import UnreadableImageError, read_bands, read_header
from pixelrnn.data.listing import list_images
from pixelrnn.errors import DataError

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes of Unix")


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder):
    listing = list_images(folder)
    return listing.images, dict(listing.left_aside)


def test_sub_folders_in_natural_order(tmp_path):
    touch(
        tmp_path,
        "10.png",
        "9.PNG",
        "2024/b.heic",
        "2024/10/1.jpg",
        "2024/9/1.jpg",
        "B.gif",
        "a.jxl",
    )
    images, aside = found(tmp_path)
    assert images == [
        *("9.PNG", "10.png", "2024/9/1.jpg", "2024/10/1.jpg", "2024/b.heic"),
        *("a.jxl", "B.gif"),
    ]
    assert aside == {}


def test_what_is_left_aside(tmp_path):
    touch(
        tmp_path, "a.png", "._a.png", ".hidden/b.png", "__MACOSX/._c.png", "notes.txt", "Thumbs.db"
    )
    (tmp_path / "x.png").mkdir()
    images, aside = found(tmp_path)
    assert images == ["a.png"]
    assert aside == {
        "._a.png": "hidden",
        ".hidden": "hidden",
        "__MACOSX/._c.png": "hidden",
        "notes.txt": "not an image",
        "Thumbs.db": "not an image",
        "x.png": "an empty folder",
    }


def test_a_folder_called_like_an_image_is_a_folder(tmp_path):
    touch(tmp_path, "x.png/1.png")
    assert found(tmp_path) == (["x.png/1.png"], {})


@UNIX
def test_links(tmp_path):
    """Those that lead back are followed once; what is read by its own name is not read by another."""
    touch(tmp_path, "all/z/1.png", "other/2.png")
    folder = tmp_path / "all"
    (folder / "a").symlink_to("z")
    (folder / "z" / "up").symlink_to("..")
    (folder / "away").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "back").symlink_to(folder)
    (folder / "gone.png").symlink_to("nothing.png")
    (folder / "self.png").symlink_to("self.png")
    (folder / "linked.png").symlink_to("z/1.png")
    images, aside = found(folder)
    assert images == ["away/2.png", "linked.png", "z/1.png"]
    again = "a link to a folder that is read already"
    assert aside == {
        "a": again, "z/up": again, "away/back": again,
        "gone.png": "a link to nothing", "self.png": "a link to nothing",
    }  # fmt: skip


@UNIX
def test_pipes_and_sockets_are_not_opened(tmp_path):
    """Opening a pipe waits for ever: this test would not end."""
    touch(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    here = Path.cwd()
    os.chdir(tmp_path)  # names of sockets must be short
    with socket.socket(socket.AF_UNIX) as made:
        try:
            made.bind("socket.png")
        finally:
            os.chdir(here)
        (tmp_path / "zero.png").symlink_to("/dev/zero")
        assert found(tmp_path) == (
            ["a.png"],
            {"pipe.png": "a pipe", "socket.png": "a socket", "zero.png": "a device"},
        )
    with pytest.raises(UnreadableImageError, match="a pipe"):
        read_header(tmp_path / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png is a pipe"):
        load(tmp_path / "pipe.png")


def test_a_sub_folder_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    touch(tmp_path, "a.png", "closed/b.png")
    real = type(tmp_path).iterdir

    def iterdir(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(type(tmp_path), "iterdir", iterdir)
    (error,) = list_images(tmp_path).unreadable
    assert error.reason == "a folder that cannot be read: Permission denied"
    with pytest.raises(DataError, match=r"closed \(a folder that cannot be read"):
        load(tmp_path)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        list_images(tmp_path / "closed")


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    def closed(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", closed)
    touch(tmp_path, "a.png")
    with pytest.raises(UnreadableImageError, match="cannot be read: Permission denied"):
        read_header(tmp_path / "a.png")


def test_a_plug_in_that_is_installed_is_used(tmp_path, monkeypatch):
    """One for files that begin with "ftyp"; it says how many bits it cuts off."""

    class Opened(PpmImageFile):
        format = "HEIF"

        def _open(self):
            depth = self.fp.read(5)[4]
            super()._open()
            self.info["bit_depth"] = depth

    def register():
        Image.OPEN["HEIF"] = (Opened, lambda prefix: prefix.startswith(b"ftyp"))

    plug_in = types.SimpleNamespace(register_heif_opener=register)
    monkeypatch.setitem(sys.modules, "pillow_heif", plug_in)
    Image.init()  # before its table is another one for a while
    monkeypatch.setattr(Image, "OPEN", Image.OPEN | {})
    for depth in (8, 10):
        (tmp_path / f"{depth}.heic").write_bytes(b"ftyp%cP6 2 1 255 abcdef" % depth)
    assert read_bands(read_header(tmp_path / "8.heic")).tobytes() == b"abcdef"
    with pytest.raises(UnreadableImageError, match="10-bit"):
        read_header(tmp_path / "10.heic")


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_bits_of_avif_are_looked_up(bits, tmp_path):
    if not (features.check("avif") and imagecodecs.AVIF.available):
        pytest.skip("this installation has no AVIF")
    levels = np.full((6, 8, 3), 99, np.uint8 if bits == 8 else np.uint16)
    (tmp_path / "x.avif").write_bytes(imagecodecs.avif_encode(levels, bitspersample=bits))
    if bits == 8:
        assert read_bands(read_header(tmp_path / "x.avif")).shape == (6, 8, 3)
    else:
        with pytest.raises(UnreadableImageError, match=f"{bits}-bit"):
            read_header(tmp_path / "x.avif")
