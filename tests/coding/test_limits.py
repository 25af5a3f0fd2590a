"""What a compressed file may ask for is counted before it is done, and refused above `limits.py`."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelrnn.pillow  # noqa: F401 - Pillow learns the format
from pixelrnn.arrays import MAX_CHANNELS, MAX_PIXELS
from pixelrnn.cli.main import main
from pixelrnn.coding import Album, Codec, limits, load_program, write
from pixelrnn.coding.container import Entry, Header, Message, Writer
from pixelrnn.coding.limits import MEMORY_BYTES
from pixelrnn.coding.tiles import Tiling
from pixelrnn.coding.varints import varint
from pixelrnn.coding.writing import BYTES_AT_ONCE
from pixelrnn.errors import CompressedFileError, DataError, ImageMismatchError
from pixelrnn.operations.limits import MAX_FEATURES
from pixelrnn.stepper.coder import Coder
from spending import spending

# Compressed files.


def made_up(runs, lengths, *, channels=3, tile=128, model="colour-pixelcnn"):
    """A file with right checksums: runs of (count, bands, height, width), and empty messages."""
    header = Header(model, channels, load_program(model).hash[:16], tile).to_bytes()
    count = sum(run[0] for run in runs)
    index = varint(count)
    for n, bands, height, width in runs:
        index += varint(n) + bytes([bands]) + varint(height) + varint(width)
    index += bytes(4 * count) + bytes(lengths) + b"\0"
    return header + index + struct.pack("<II", len(index), zlib.crc32(index))


@pytest.mark.parametrize("width", [1 << 20, 1 << 17])
def test_maps_that_are_too_wide_are_refused_by_every_way_in(width, tmp_path, monkeypatch, capsys):
    content = made_up([(1, 3, 1, width)], 1, tile=0)
    with (
        spending() as spent,
        pytest.raises(CompressedFileError, match="MB of memory, more than 224"),
    ):
        Album(io.BytesIO(content))[0]
    assert spent.bytes < 4_000_000
    with pytest.raises(OSError, match="MB of memory"):
        Image.open(io.BytesIO(content)).load()
    (tmp_path / "wide.pxr").write_bytes(content)
    for verb, code in (("info", 0), ("decompress", 2)):
        monkeypatch.setattr("sys.argv", ["pixelrnn", verb, str(tmp_path / "wide.pxr")])
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as left:
            main()
        assert (left.value.code or 0) == code
        assert ("MB of memory" in capsys.readouterr().err) == bool(code)


def test_an_image_in_one_piece_counts_twice():
    """It is decoded beside the place where it comes to lie."""
    content = made_up([(1, 3, 76_000, 1000)], 1, tile=0)
    with spending() as spent, pytest.raises(CompressedFileError, match="438 MB of memory"):
        Album(io.BytesIO(content))[0]
    assert spent.bytes < 10_000_000


def test_images_that_are_too_large_are_refused():
    """2^27 pixels of four bands are half a gigabyte."""
    tiles = -(-(1 << 14) // 128) * -(-(1 << 13) // 128)
    content = made_up([(1, 4, 1 << 13, 1 << 14)], 2 * tiles)
    with spending() as spent, pytest.raises(CompressedFileError, match="512 MB of memory"):
        Album(io.BytesIO(content))[0]
    assert spent.bytes < 10_000_000


def test_a_photograph_is_not_too_large():
    """Nor is an image of half a thousand pixels a side in one piece."""
    codec = Codec(load_program("colour-pixelcnn"))
    for shape in ((4000, 3000, 3), (7500, 10_000, 3), (8000, 10_000, 1)):
        assert not codec.room.too_large(*shape)
    assert not Codec(codec.model, tile=0).room.too_large(512, 512, 3)
    assert not Codec(codec.model, tile=0).room.too_large(3000, 4000, 4)


def test_threads_are_as_many_as_fit():
    assert limits.threads_within(1000, 10, 1000, 64) == 64
    assert limits.threads_within(0, 0, limits.MEMORY_BYTES // 4, 64) == 3
    assert limits.threads_within(0, limits.MEMORY_BYTES // 8, limits.MEMORY_BYTES // 8, 64) == 3
    assert limits.threads_within(limits.MEMORY_BYTES - 10, 0, 5, 64) == 1
    assert limits.memory_of(7, 3, 10) == 30


def largest(codec, width, bands):
    """The height of the largest image of a width that is read."""
    low, high = 1, 1 << 20
    while high - low > 1:
        middle = (low + high) // 2
        too_high = middle * width > MAX_PIXELS or codec.room.too_large(middle, width, bands)
        low, high = (low, middle) if too_high else (middle, high)
    return low


@pytest.mark.parametrize("width", [1000, 60_000])
def test_the_largest_damaged_images_take_no_more(width):
    """Their maps are there, too: a message that is not all zeros is decoded, to where it ends."""
    codec = Codec(load_program("colour-pixelcnn"), tile=0)
    codec.make_ready()
    shape = largest(codec, width, 3), width, 3
    album = Album(black(codec, shape, begin=b"\x9a\x03\x77"))
    with spending() as spent, pytest.raises(CompressedFileError, match="damaged"):
        album.pixels(0)
    assert 0.8 * MEMORY_BYTES < spent.bytes < MEMORY_BYTES + (4 << 20)


def black(codec, shape, begin=b""):
    """A file of an image of zeros, unless its messages begin like this."""
    stream, levels = io.BytesIO(), codec.room.level_bytes
    tiling = Tiling(codec.model.program.channels, codec.tile)
    sizes = [tiling.part(shape, m).size for m in range(tiling.count(*shape))]
    least = Coder(codec.model.program).least_bytes
    messages = [begin.ljust(least(size), b"\0") for size in sizes]
    writer, crc = Writer(stream, codec.header), 0
    for _ in range(shape[0]):
        crc = zlib.crc32(bytes(levels * shape[1] * shape[2]), crc)
    writer.add(Entry(*shape, crc, tuple(Message(len(each)) for each in messages)), messages)
    writer.close()
    return stream


# Models by name or channels and levels; width and bands of an image; side of the tiles.
NEAR_THE_LIMIT = [
    ("colour-pixelcnn", 0, 1000, 3),
    ("colour-pixelcnn", 0, 60_000, 3),
    ("colour-pixelcnn", 0, 1000, 4),
    ("colour-pixelcnn", 0, 1000, 1),
    ("colour-pixelcnn", 1024, 8192, 3),
    ((16, 65536), 0, 1000, 16),
    ((5, 65536), 512, 2000, 5),
]


@pytest.mark.parametrize(("model", "tile", "width", "bands"), NEAR_THE_LIMIT)
def test_the_largest_images_are_read_within_the_limit(model, tile, width, bands, coding_model):
    if isinstance(model, tuple):
        channels, levels = model
        kind = coding_model("pixelcnn", "logistic-mixture", channels, levels)
    else:
        kind = load_program(model)
    codec = Codec(kind, tile=tile, threads=4)
    shape = largest(codec, width, bands), width, bands
    album = Album(black(codec, shape), coding_model=kind, threads=4)
    with spending() as spent:
        assert album.pixels(0).shape == shape
    maps = codec.room.working_bytes(*shape[:2])
    assert 0.8 * (MEMORY_BYTES - 2 * maps) < spent.bytes < MEMORY_BYTES + (4 << 20)


def test_documents_say_what_the_limits_are():
    docs = Path(__file__).parents[2] / "docs"
    about, reliability = ((docs / f"{n}.md").read_text() for n in ("file-format", "reliability"))
    for text in (about, reliability):
        assert f"{MAX_FEATURES:,} features" in text
        assert f"{MEMORY_BYTES >> 20} MiB" in text
    assert f"colours that the model codes together: 1 to {MAX_CHANNELS} |" in about
    assert f"1 to {MAX_CHANNELS} **bands**" in about
    assert f"image files of up to 2^{MAX_PIXELS.bit_length() - 1} pixels" in about
    assert f"images of {BYTES_AT_ONCE >> 20} MiB together" in about


def test_what_no_reader_would_read_is_not_written():
    model = load_program("colour-pixelcnn")
    wide = np.zeros((1, 1 << 17, 3), np.uint8)
    with pytest.raises(
        ImageMismatchError, match=r"wide\.png: .*in one piece: it needs .*--tile 128"
    ):
        write(Codec(model, tile=0), [("wide.png", wide)], io.BytesIO())
    many = np.zeros((300, 300, 3), np.uint8)
    with pytest.raises(ImageMismatchError, match=r"90,000 tiles, more than 65,536"):
        Codec(model, tile=1).room.check(many)
    assert Codec(model).room.check(wide) is None


def test_no_more_images_are_written_than_are_read(monkeypatch):
    monkeypatch.setattr("pixelrnn.coding.container.MAX_IMAGES", 3)
    codec = Codec(load_program("colour-pixelcnn"))
    one = ("", np.zeros((1, 1, 3), np.uint8))
    write(codec, [one] * 3, io.BytesIO())
    with pytest.raises(DataError, match="at most 3 images"):
        write(codec, [one] * 4, io.BytesIO())


@pytest.mark.parametrize("names", ["", "00001.png"])
def test_a_million_images(names):
    """An index of 5 MB takes a small multiple of it, and an image is found at once."""
    count = 1_000_000
    content = made_up([(count, 1, 1, 1)], count)
    with spending() as spent:
        album = Album(io.BytesIO(content))
        assert (len(album), album.num_pixels, album.num_dims) == (count, count, count)
        assert album.entries[-1].height == 1
        with pytest.raises(CompressedFileError, match="damaged"):
            album[123_456]
    assert spent.bytes < 12 * len(content)


def test_runs_of_one_image_each():
    runs = [(1, 1 + n % 4, 1 + n % 3, 1) for n in range(50_000)]
    messages = sum(1 if run[1] == 3 or run[1] == 1 else 2 for run in runs)
    with spending() as spent:
        album = Album(io.BytesIO(made_up(runs, messages)))
    assert [(e.bands, e.height, e.width) for e in album.entries[:99]] == [
        run[1:] for run in runs[:99]
    ]
    assert album.entries[-1].bands == runs[-1][1]
    assert spent.bytes < 20_000_000


@pytest.mark.parametrize("name", ["same for all of them.png", "%08d.png", ""])
def test_names_of_many_images_are_read_again(name):
    """However well they are packed: a writer packs them no better than a reader believes."""
    count = 800_000
    from pixelrnn.coding.container import _packed
    from pixelrnn.coding.names import read_names

    names = [name % n if "%" in name else name for n in range(count)]
    text = "\0".join(names).encode()
    found = read_names(_packed(text), count)
    assert found[:3] == names[:3]
    assert found[-1] == names[-1]
    assert len(found) == count


def test_names_that_unpack_to_nothing_much():
    packed = zlib.compress(bytes(65_536 * 1024 - 1), 9)
    from pixelrnn.coding.names import read_names

    with spending() as spent, pytest.raises(CompressedFileError, match="names"):
        read_names(packed, 65_536)
    assert spent.bytes < 64 << 20


def test_a_long_name_is_refused():
    from pixelrnn.coding.names import read_names

    assert read_names(zlib.compress(b"x" * 1024 + b"\0"), 2)[0] == "x" * 1024
    with pytest.raises(CompressedFileError, match="names"):
        read_names(zlib.compress(b"x" * 1025 + b"\0"), 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_header_that_contradicts_its_model(channels):
    model = "colour-pixelcnn" if channels == 1 else "digits-pixelcnn"
    content = made_up([(1, 1, 4, 4)], 1, channels=channels, model=model)
    with pytest.raises(CompressedFileError, match=f"its model has {channels} colours, and {model}"):
        Album(io.BytesIO(content))
    with pytest.raises(CompressedFileError, match="colours"):
        Album(io.BytesIO(content), needs_model=False, coding_model=load_program(model))[0]


def test_bare_levels_that_the_model_has_not():
    model, stream = load_program("digits-pixelcnn"), io.BytesIO()
    image = np.full((1, 2, 1), 16, np.uint8)
    ((entry, _),) = Codec(model).encode([image])
    assert entry.messages[0].is_bare
    for level in (16, 17):
        crc = zlib.crc32(bytes([level] * 2))
        writer = Writer(stream, Codec(model).header)
        writer.add(type(entry)(1, 2, 1, crc, entry.messages), [bytes([level] * 2)])
        writer.close()
        if level == 16:
            np.testing.assert_array_equal(Album(stream).pixels(0), image)
        else:
            with pytest.raises(CompressedFileError, match="damaged"):
                Album(stream).pixels(0)
        stream = io.BytesIO()


@pytest.mark.parametrize(
    "image",
    [
        np.full((2, 2, 1), 17, np.uint8),
        np.zeros((2, 2, 5), np.uint8),
        np.zeros((2, 2), np.uint8),
        np.zeros((2, 2, 1), np.int64),
        np.zeros((0, 2, 1), np.uint8),
    ],
)
def test_every_way_in_looks_at_its_images(image):
    codec = Codec(load_program("digits-pixelcnn"))
    for way in (codec.ideal_bits, codec.room.check, lambda image: codec.encode([image])):
        with pytest.raises(ImageMismatchError):
            way(image)
