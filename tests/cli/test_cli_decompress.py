"""`pixelrnn decompress` and `pixelrnn info`, as typed."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from pixelrnn import pictures, shipped
from pixelrnn.coding import Album, Codec, load_program, save_program, write
from pixelrnn.coding.container import Entry, Header, Message, Writer

BANDS = [3, 1, 4, 2, 3]
NAMES = ["a.png", "b c.jpg", "ü.png", "", "a.png"]
FILES = ["a.png", "b c.png", "ü.png", "3.png", "a-2.png"]
# What the name of a number's key must say: a unit, a count, or one of the words that need none.
UNIT = r"tile_pixels|.*(_bytes|_per_dim|seconds)|num_.*|height|width|bands"


@pytest.fixture(scope="module")
def model():
    """A model that comes with the package; its loop is compiled, so that no line says that it is."""
    model = load_program("colour-pixelcnn")
    Codec(model).make_ready()
    return model


@pytest.fixture(scope="module")
def images():
    """Ramps, with a little noise."""
    generator = np.random.default_rng(0)
    ramps = [np.arange(99)[:, None] * 2 + np.arange(9 + n) for n in range(5)]
    return [
        (ramp[: 5 + n, :, None] + generator.integers(9, size=bands)).astype(np.uint8)
        for n, (ramp, bands) in enumerate(zip(ramps, BANDS, strict=True))
    ]


@pytest.fixture
def album(model, images, tmp_path):
    with (tmp_path / "album.pxr").open("wb") as stream:
        write(Codec(model, tile=6), zip(NAMES, images, strict=True), stream)
    return tmp_path / "album.pxr"


def names(folder):
    """All files of a folder and its sub-folders."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def assert_written(folder, images, files=FILES):
    assert names(folder) == sorted(files)
    for name, image in zip(files, images, strict=True):
        with Image.open(folder / name) as opened:
            assert opened.format == "PNG"
            found = np.array(opened)
        np.testing.assert_array_equal(found.reshape(image.shape), image, strict=True)


# decompress


def test_images_come_back(pixelrnn, album, images, tmp_path):
    out = tmp_path / "new" / "folder"
    answer = pixelrnn("decompress", album, "-o", out)
    assert answer.code == 0
    said = "1 name is changed, so that every system can hold all: a.png is a-2.png\n"
    assert answer.err == said
    assert re.fullmatch(rf"{re.escape(str(out))}: 5 images as PNG, \S+ seconds\n", answer.out)
    assert_written(out, images)


def test_without_out_they_come_here(pixelrnn, album, images, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert pixelrnn("decompress", album, "--threads", 1).code == 0
    assert_written(tmp_path / "here", images)


def test_decompress_json(pixelrnn, album, tmp_path):
    about = json.loads(pixelrnn("decompress", album, "-o", tmp_path / "out", "--json").out)
    assert about.pop("seconds") > 0
    assert about == {
        "album": str(album), "out": str(tmp_path / "out"), "model": "colour-pixelcnn",
        "num_images": 5, "files": FILES, "names": NAMES, "finished": True,
    }  # fmt: skip


def test_nothing_is_written_over_without_force(pixelrnn, fails, album, images, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "ü.png").write_text("mine")
    (out / "other.png").write_text("mine")
    assert "ü.png is there already: give another folder with -o, or --force" in fails(
        "decompress", album, "-o", out
    )
    assert names(out) == ["other.png", "ü.png"]
    assert (out / "ü.png").read_text() == "mine"
    (out / "a.png").write_text("mine")
    assert "a.png is there already, and 1 more" in fails("decompress", album, "-o", out)
    assert pixelrnn("decompress", album, "-o", out, "--force").code == 0
    assert (out / "other.png").read_text() == "mine"
    (out / "other.png").unlink()
    assert_written(out, images)


def test_ctrl_c_keeps_what_is_finished(pixelrnn, album, images, monkeypatch, tmp_path):
    real, calls = pictures.write_png, []

    def stopped(path, pixels):
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(path, pixels)

    monkeypatch.setattr(pictures, "write_png", stopped)
    answer = pixelrnn("decompress", album, "-o", tmp_path / "out", "--json")
    assert answer.code == 130
    assert answer.err.splitlines()[-1] == "stopped: 2 of 5 images were finished and are kept"
    about = json.loads(answer.out)
    assert (about["num_images"], about["files"], about["finished"]) == (2, FILES[:2], False)
    assert_written(tmp_path / "out", images[:2], FILES[:2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.pxr",), "missing.pxr cannot be read: No such file or directory"),
        (("album.pxr", "-o", "album.pxr"), "cannot write into the folder album.pxr"),
        (("album.pxr", "--model", "digits-pixelcnn"), "digits-pixelcnn is another model"),
        (("album.pxr", "--model", "nonsense"), "there is no model at nonsense"),
        (("album.pxr", "--threads", "0"), "give a whole number, 1 or more"),
    ],
)
def test_what_cannot_be_done(arguments, message, fails, album, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in fails("decompress", *arguments)
    assert names(tmp_path) == ["album.pxr"]


@pytest.mark.parametrize("verb", ["decompress", "info"])
def test_a_file_that_is_cut_short(verb, fails, album, tmp_path):
    content = album.read_bytes()
    out = ("-o", tmp_path / "out") if verb == "decompress" else ()
    for length in (0, 3, 5, 20, len(content) // 2, len(content) - 1):
        album.write_bytes(content[:length])
        message = fails(verb, album, *out)
        assert message.startswith(f"{album}: ")
        assert re.search("cut short|not a compressed file", message)
        assert names(tmp_path / "out") == []


def test_an_image_that_is_damaged(fails, pixelrnn, album, tmp_path):
    """It is named, and not written; info sees no pixels, and shows the rest."""
    with Album(album) as opened:
        place = opened.entries[2].start
    content = bytearray(album.read_bytes())
    content[place] ^= 64
    album.write_bytes(content)
    message = fails("decompress", album, "-o", tmp_path / "out")
    assert message.startswith(f"{album}: ü.png is damaged")
    assert "ü.png" not in names(tmp_path / "out")
    assert pixelrnn("info", album).code == 0


@pytest.mark.parametrize("name", ["../../up.png", "/abs.png", "..", "c:\\x\\up.png", "\x1b[1m.png"])
def test_no_name_leads_out_of_the_folder(name, pixelrnn, model, images, tmp_path):
    with (tmp_path / "x.pxr").open("wb") as stream:
        write(Codec(model), [(name, images[0])], stream)
    out = tmp_path / "a" / "b" / "c"
    assert pixelrnn("decompress", tmp_path / "x.pxr", "-o", out).code == 0
    (written,) = names(out)
    assert written.isprintable()
    assert_written(out, images[:1], [written])
    assert names(tmp_path) == [f"a/b/c/{written}", "x.pxr"]


@pytest.mark.parametrize("name", ["猫" * 300, "x" * 900, "é" * 200 + ".png"], ids=["cat", "x", "e"])
def test_names_that_are_too_long_for_a_file_system(name, pixelrnn, model, images, tmp_path):
    with (tmp_path / "x.pxr").open("wb") as stream:
        write(Codec(model), [(name, images[0]), (name, images[1])], stream)
    for force in ((), ("--force",)):
        answer = pixelrnn(
            "decompress", tmp_path / "x.pxr", "-o", tmp_path / "out", "--json", *force
        )
        assert answer.code == 0
        assert answer.err.startswith("2 names are changed")
    assert_written(tmp_path / "out", images[:2], json.loads(answer.out)["files"])


# info


def numbers_of(about):
    """All keys whose values are numbers."""
    for key, value in about.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield key
        for part in value if isinstance(value, list) else ():
            yield from numbers_of(part) if isinstance(part, dict) else ()


def test_info_json(pixelrnn, album, images, model):
    about = json.loads(pixelrnn("info", album, "--json").out)
    assert about["model"] == "colour-pixelcnn"
    assert about["program_hash"] == model.hash[:16].hex()
    assert about["model_is_here"] is True
    assert (about["num_images"], about["tile_pixels"]) == (5, 6)
    assert about["num_bytes"] == album.stat().st_size
    assert about["bits_per_dim"] == 8 * album.stat().st_size / sum(each.size for each in images)
    for found, name, image in zip(about["images"], NAMES, images, strict=True):
        assert found["name"] == name
        assert (found["height"], found["width"], found["bands"]) == image.shape
        assert found["bits_per_dim"] == 8 * found["num_bytes"] / image.size
    keys = set(numbers_of(about))
    assert len(keys) > 5
    assert all(re.fullmatch(UNIT, key) for key in keys), keys


def test_info_for_people(pixelrnn, album, model):
    answer = pixelrnn("info", album)
    assert (answer.code, answer.err) == (0, "")
    first, second, head, *rows = answer.out.splitlines()
    assert re.fullmatch(rf"{re.escape(str(album))}: 5 images, [\d,]+ bytes, [\d.]+ bits/dim", first)
    assert second == (f"model colour-pixelcnn (program {model.hash[:16].hex()}); tiles of 6 pixels")
    assert head.split() == ["image", "size", "kind", "bytes", "bits/dim"]
    assert [row.split("  ")[0] for row in rows] == ["a.png", "b c.jpg", "ü.png", "3", "a.png"]
    assert re.search(r"5 x 9 +RGB ", rows[0])
    assert re.search(r"7 x 11 +RGB, alpha ", rows[2])


def test_info_needs_no_model(pixelrnn, album, monkeypatch, tmp_path, fails):
    save_program(load_program("colour-pixelcnn"), tmp_path / "copy.safetensors")
    (tmp_path / "none").mkdir()
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "none")
    answer = pixelrnn("info", album)
    assert answer.code == 0
    assert ", which is not here; tiles of 6 pixels" in answer.out
    for model, is_here in (((), False), (("--model", tmp_path / "copy.safetensors"), True)):
        about = json.loads(pixelrnn("info", album, "--json", *model).out)
        assert about["model_is_here"] is is_here
    message = fails("decompress", album, "-o", tmp_path / "out")
    assert "compressed by colour-pixelcnn (program " in message
    assert "--model" in message
    assert names(tmp_path / "out") == []


def test_info_of_many_images(pixelrnn, model, tmp_path):
    image = np.zeros((1, 1, 1), np.uint8)
    with (tmp_path / "x.pxr").open("wb") as stream:
        write(Codec(model, tile=0), [("", image)] * 45, stream)
    lines = pixelrnn("info", tmp_path / "x.pxr").out.splitlines()
    assert lines[1].endswith("; no tiles")
    assert len(lines) == 3 + 40 + 1
    assert lines[-1] == "... and 5 more; --json shows all"
    assert len(json.loads(pixelrnn("info", tmp_path / "x.pxr", "--json").out)["images"]) == 45


@pytest.mark.parametrize(
    "name", ["[bold]x.png", "[/]", "[/a].png", "\x1b[31mred.png", "two\nlines"]
)
def test_info_shows_names_as_they_are_and_nothing_that_a_terminal_obeys(
    name, pixelrnn, model, tmp_path
):
    with (tmp_path / "x.pxr").open("wb") as stream:
        writer = Writer(stream, Codec(model).header)
        writer.add(Entry(1, 1, 1, 0, (Message(0),), name), [b""])
        writer.close()
    answer = pixelrnn("info", tmp_path / "x.pxr")
    assert answer.code == 0
    *_, row = lines = answer.out.splitlines()
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
    if name.isprintable():
        assert row.startswith(f"{name} ")
    assert (
        json.loads(pixelrnn("info", tmp_path / "x.pxr", "--json").out)["images"][0]["name"] == name
    )


def test_nor_is_the_name_of_a_model_obeyed(pixelrnn, fails, tmp_path):
    with (tmp_path / "x.pxr").open("wb") as stream:
        Writer(stream, Header("\x1b[31mred", 3, bytes(16), 0)).close()
    answer = pixelrnn("info", tmp_path / "x.pxr")
    assert answer.code == 0
    assert all(line.isprintable() for line in answer.out.splitlines())
    message = fails("decompress", tmp_path / "x.pxr", "-o", tmp_path / "out")
    assert message.isprintable()
    assert "red (program" in message
