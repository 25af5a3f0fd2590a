"""Albums of folders as people have them: what is read, turned, dropped, skipped, and said."""

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

from pixelrnn import shipped
from pixelrnn.coding import Album, Codec, load_program

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes of Unix")


@pytest.fixture(scope="module", autouse=True)
def _ready():
    """The loop is compiled, so that no test meets the line which says that it is being compiled."""
    Codec(load_program(shipped.DEFAULT_MODELS[shipped.SMALL_IMAGES])).make_ready()


def picture(seed=0, size=(9, 7)):
    levels = np.random.default_rng(seed).integers(256, size=(*size[::-1], 3), dtype=np.uint8)
    return Image.fromarray(levels)


def save(folder, *names):
    """Images of noise, all different."""
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(len(str(folder)) * 100 + seed).save(folder / name, "PNG")
    return folder


def sixteen_bits(path):
    Image.fromarray(np.arange(63, dtype=np.uint16).reshape(7, 9) * 999).save(path)


def cut_short(path):
    picture(size=(99, 99)).save(path)
    path.write_bytes(path.read_bytes()[:-5000])


def names_in(album):
    with Album(album) as opened:
        return opened.names


# Folders.


def test_sub_folders_keep_their_names_there_and_back(pixelrnn, tmp_path):
    given = save(tmp_path / "in", "10.png", "9.png", "2024/9.png", "2024/may/9.png")
    assert pixelrnn("compress", given, "-o", tmp_path / "a.pxr").err == ""
    expected = ["9.png", "10.png", "2024/9.png", "2024/may/9.png"]
    assert names_in(tmp_path / "a.pxr") == expected
    assert pixelrnn("decompress", tmp_path / "a.pxr", "-o", tmp_path / "out").err == ""
    for name in expected:
        with Image.open(tmp_path / "out" / name) as found, Image.open(given / name) as original:
            assert found.tobytes() == original.tobytes()


def test_folders_are_told_apart_by_their_names(pixelrnn, tmp_path, monkeypatch):
    for folder in ("a", "b", "c"):
        save(tmp_path / folder, "0.png", "x/0.png")
    save(tmp_path, "1.png")
    monkeypatch.chdir(tmp_path)
    assert pixelrnn("compress", "a", tmp_path / "b" / ".", "1.png", "-o", "1.pxr").code == 0
    assert names_in("1.pxr") == ["a/0.png", "a/x/0.png", "b/0.png", "b/x/0.png", "1.png"]
    monkeypatch.chdir(tmp_path / "c")
    assert pixelrnn("compress", ".", "-o", "../2.pxr").code == 0
    assert names_in("../2.pxr") == ["0.png", "x/0.png"]
    assert pixelrnn("compress", "0.png", "../a/0.png", "-o", "../3.pxr").code == 0
    assert names_in("../3.pxr") == ["c/0.png", "a/0.png"]


@UNIX
def test_what_is_left_aside_is_said(pixelrnn, tmp_path):
    given = save(tmp_path / "in", "0.png")
    (given / "._0.png").write_bytes(b"\0\5\26\7")
    (given / "x.png").mkdir()
    (given / "gone.png").symlink_to("nothing")
    (given / "back").symlink_to(".")
    os.mkfifo(given / "pipe.png")
    answer = pixelrnn("compress", given, "-o", tmp_path / "a.pxr", "--json")
    assert answer.code == 0
    assert answer.err == (
        "left aside: ._0.png (hidden); back (a link to a folder that is read already); "
        "gone.png (a link to nothing); pipe.png (a pipe); x.png (an empty folder)\n"
    )
    about = json.loads(answer.out)
    assert about["num_images"] == 1
    assert {"name": "pipe.png", "reason": "a pipe"} in about["left_aside"]
    info = pixelrnn("data", "info", given)
    assert info.code == 0
    assert "left aside: ._0.png (hidden); back" in info.out


@UNIX
@pytest.mark.parametrize(
    "arguments",
    [
        ("compress", "pipe"),
        ("compress", "one.png", "--model", "pipe"),
        ("decompress", "pipe"),
        ("info", "pipe"),
        ("evaluate", "digits-pixelcnn", "--data", "pipe"),
        ("data", "info", "pipe"),
        ("complete", "digits-pixelcnn", "--images", "pipe"),
        ("sample", "pipe"),
        ("models", "export", "pipe", "-o", "x.safetensors"),
    ],
)
def test_pipes_are_never_opened(arguments, fails, tmp_path, monkeypatch):
    """Opening one waits for ever: this test would not end."""
    save(tmp_path, "one.png")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    assert "a pipe" in fails(*arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "pipe"]


# What cannot be read.


@pytest.fixture
def mixed(tmp_path):
    """A folder where four of six cannot be read; two of them show it only when their pixels are read."""
    given = save(tmp_path / "in", "0.png", "sub/9.png", "c.heic")
    sixteen_bits(given / "deep.png")
    cut_short(given / "cut.png")
    cut_short(given / "sub" / "cut.png")
    return given


def test_all_that_cannot_be_read_are_named_at_once(fails, mixed, tmp_path):
    message = fails("compress", mixed, "-o", tmp_path / "a.pxr")
    assert message.startswith("2 images cannot be read without loss: ")
    assert f"{mixed / 'c.heic'} (HEIC, which is read with pillow-heif installed)" in message
    assert f"{mixed / 'deep.png'} (16-bit)" in message
    assert "convert to 8-bit PNG" in message
    assert "--skip" in message
    (mixed / "c.heic").unlink()
    (mixed / "deep.png").unlink()
    message = fails("compress", mixed, "-o", tmp_path / "a.pxr")
    assert message.startswith("2 images cannot be read without loss: ")
    assert f"{mixed / 'cut.png'}, {mixed / 'sub' / 'cut.png'} (truncated" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_skip_leaves_them_out_and_names_them(pixelrnn, mixed, tmp_path):
    out = tmp_path / "a.pxr"
    answer = pixelrnn("compress", mixed, "-o", out, "--skip", "--verify", "--json")
    assert answer.code == 0
    assert names_in(out) == ["0.png", "sub/9.png"]
    about = json.loads(answer.out)
    skipped = ["c.heic", "deep.png", "cut.png", "sub/cut.png"]
    assert [each["path"] for each in about["skipped"]] == [str(mixed / name) for name in skipped]
    (line,) = (line for line in answer.err.splitlines() if line.startswith("skipped"))
    assert line.startswith("skipped 4 images: ")
    assert all(str(mixed / name) in line for name in skipped)


def test_skip_of_everything_writes_nothing(fails, tmp_path):
    (tmp_path / "in").mkdir()
    cut_short(tmp_path / "in" / "cut.png")
    message = fails("compress", tmp_path / "in", "-o", tmp_path / "a.pxr", "--skip")
    assert message.startswith(
        "no image is left to compress, and no file is written; skipped 1 image: "
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    sixteen_bits(tmp_path / "in" / "cut.png")
    assert "no image is left" in fails("compress", tmp_path / "in", "--skip")


# What is changed and dropped.


def test_turned_pictures_and_what_is_not_kept_are_said(pixelrnn, tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6
    Image.new("RGB", (10, 6)).save(tmp_path / "a.jpg", exif=exif)
    exif[0x110] = "a camera"
    Image.new("RGB", (10, 6)).save(tmp_path / "b.tif", exif=exif)
    Image.new("RGB", (6, 10)).save(tmp_path / "c.png", icc_profile=b"a monitor's")
    Image.new("RGB", (6, 10)).save(tmp_path / "d.png", icc_profile=b"another's")
    answer = pixelrnn("compress", tmp_path, "-o", tmp_path / "a.pxr", "--verify", "--json")
    assert answer.code == 0
    about = json.loads(answer.out)
    assert about["num_turned_upright"] == 2
    assert about["not_kept"] == {"set of EXIF data": 1, "colour profile": 2}
    turned, not_kept = answer.err.splitlines()
    assert turned == "2 images are turned upright, as EXIF says"
    assert not_kept == "not kept: 2 colour profiles, 1 set of EXIF data"
    with Album(tmp_path / "a.pxr") as album:
        assert {(entry.height, entry.width) for entry in album.entries} == {(10, 6)}


# Files that grow.


def test_files_that_grow_are_said_and_can_be_left_out(pixelrnn, fails, tmp_path):
    given = tmp_path / "in"
    given.mkdir()
    picture(size=(64, 64)).save(given / "small.jpg", quality=5)
    picture(size=(64, 64)).save(given / "large.bmp")
    Image.new("RGB", (64, 64)).save(given / "flat.bmp")
    size = (given / "small.jpg").stat().st_size
    answer = pixelrnn("compress", given, "-o", tmp_path / "a.pxr", "--json")
    grown = {each["name"]: each["num_bytes"] for each in json.loads(answer.out)["images"]}
    assert answer.err == (
        f"1 of 3 files grew: small.jpg ({size:,} to {grown['small.jpg']:,} bytes); --keep-smaller leaves "
        "such files out\n"
    )
    out = tmp_path / "b.pxr"
    answer = pixelrnn("compress", given, "-o", out, "--keep-smaller", "--verify", "--json")
    assert names_in(out) == ["flat.bmp", "large.bmp"]
    about = json.loads(answer.out)
    assert (about["num_images"], about["verified"]) == (2, True)
    assert [each["name"] for each in about["smaller_as_they_are"]] == ["small.jpg"]
    assert answer.err.startswith("left out, as they would not shrink, 1 of 3 files: small.jpg (")
    assert (given / "small.jpg").stat().st_size == size
    message = fails("compress", given / "small.jpg", "-o", tmp_path / "c.pxr", "--keep-smaller")
    assert message.startswith("no image is left to compress")
    assert not (tmp_path / "c.pxr").exists()


# Where it is written.


def test_nothing_in_the_way_is_touched(pixelrnn, fails, tmp_path):
    given = save(tmp_path / "in", "a/0.png", "b.png")
    assert pixelrnn("compress", given, "-o", tmp_path / "a.pxr").code == 0
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("mine")
    for force in ((), ("--force",)):
        message = fails("decompress", tmp_path / "a.pxr", "-o", out, *force)
        assert message == f"{out / 'a'} is in the way: give another folder with -o"
    assert [path.name for path in out.iterdir()] == ["a"]


@UNIX
def test_links_and_private_files_stay_what_they_are(pixelrnn, tmp_path):
    given = save(tmp_path / "in", "0.png")
    (tmp_path / "real.pxr").write_text("old")
    (tmp_path / "real.pxr").chmod(0o600)
    (tmp_path / "link.pxr").symlink_to("real.pxr")
    assert pixelrnn("compress", given, "-o", tmp_path / "link.pxr", "--force").code == 0
    assert (tmp_path / "link.pxr").is_symlink()
    assert names_in(tmp_path / "real.pxr") == ["0.png"]
    assert (tmp_path / "real.pxr").stat().st_mode & 0o777 == 0o600
