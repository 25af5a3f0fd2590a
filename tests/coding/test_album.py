"""A file as a sequence of images, for every way to use one."""

import io
import multiprocessing
import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from torch.utils.data import DataLoader

import pixelrnn
from pixelrnn.coding import Album, Codec, CodingModel, load_program, save_program, write
from pixelrnn.errors import CompressedFileError, ModelFileError

SHAPES = [(5, 6, 3), (3, 3, 1), (4, 4, 4), (7, 2, 2), (5, 6, 3), (1, 1, 3)]
NAMES = ["a.png", "b c.jpg", "", "ü.png", "a.png", "z"]


@pytest.fixture
def model(coding_model):
    return coding_model("pixelcnn", "logistic-mixture", 3, 256)


@pytest.fixture
def model_file(model, tmp_path):
    save_program(model, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def images(smooth_images):
    """Images `(H, W, bands)` that all differ."""
    return [
        np.ascontiguousarray(smooth_images(1, bands, height, width, 256, n)[0].transpose(1, 2, 0))
        for n, (height, width, bands) in enumerate(SHAPES)
    ]


@pytest.fixture
def file(model, images, tmp_path):
    """A file of the images."""
    path = tmp_path / "album.pxr"
    with path.open("wb") as stream:
        write(Codec(model, tile=4), zip(NAMES, images, strict=True), stream)
    return path


@pytest.fixture
def album(file, model_file):
    with Album(file, model=model_file, threads=1) as opened:
        yield opened


def assert_same(found, expected):
    """Images as albums give them, `(C, H, W)`, and as they went in, `(H, W, C)`."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.flags.c_contiguous
        np.testing.assert_array_equal(one, other.transpose(2, 0, 1), strict=True)


# A sequence.


def test_every_index(album, images):
    assert len(album) == 6
    assert_same([album[n] for n in range(6)], images)
    assert_same([album[n] for n in range(-6, 0)], images)
    assert_same([album[np.int64(2)], album[np.uint8(5)]], [images[2], images[5]])


@pytest.mark.parametrize("index", [6, -7, 10**9])
def test_an_image_that_is_not_there(index, album):
    with pytest.raises(IndexError, match="out of range"):
        album[index]


@pytest.mark.parametrize("index", ["0", 1.0, None])
def test_what_is_no_index(index, album):
    with pytest.raises(TypeError):
        album[index]


@pytest.mark.parametrize(
    "part",
    [
        slice(None),
        slice(1, 3),
        slice(-2, None),
        slice(None, None, -1),
        slice(4, 99, 2),
        slice(0, 0),
    ],
)
def test_slices_are_lists(part, album, images):
    found = album[part]
    assert isinstance(found, list)
    assert_same(found, images[part])


def test_iteration_in_both_directions_and_again(album, images):
    for _ in range(2):
        assert_same(list(album), images)
    assert_same(list(reversed(album)), images[::-1])
    assert_same([image for pair in zip(album, album, strict=True) for image in pair],
                [image for image in images for _ in range(2)])  # fmt: skip


def test_what_it_says_of_itself(album, images, file, model):
    assert album.names == NAMES
    assert album.num_bytes == file.stat().st_size
    assert album.num_dims == sum(image.size for image in images)
    assert album.model.hash == model.hash
    assert (album.header.model, album.header.tile) == ("tiny", 4)
    assert [(e.height, e.width, e.bands) for e in album.entries] == SHAPES
    np.testing.assert_array_equal(album.pixels(3), images[3], strict=True)
    assert pixelrnn.open is Album


def test_changing_an_image_changes_no_other(album, images):
    album[0][:] = 0
    assert_same([album[0]], images[:1])


# Other processes and threads.


def test_pickling(album, images):
    album[0]
    again = pickle.loads(pickle.dumps(album))
    assert again.names == NAMES
    assert_same(list(again), images)
    assert_same(list(album), images)
    again.close()


class Place:
    """A path of somebody's own."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


def test_any_path_is_taken(file, images, model):
    (entry,) = (each for each in os.scandir(file.parent) if each.name == file.name)
    for path in (str(file), os.fsencode(file), entry, Place(str(file)), Place(os.fsencode(file))):
        assert_same(list(Album(path, coding_model=model)), images)
        assert_same(list(pickle.loads(pickle.dumps(Album(path, coding_model=model)))), images)


def test_a_path_stays_where_it_is_when_the_working_folder_changes(
    file, images, model, tmp_path, monkeypatch
):
    monkeypatch.chdir(file.parent)
    album = Album(file.name, coding_model=model)
    content = pickle.dumps(album)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert_same(list(album), images)
    album.close()
    assert_same(list(pickle.loads(content)), images)


def test_an_album_of_an_open_file_is_not_pickled(file, model):
    with file.open("rb") as stream, pytest.raises(TypeError, match="give its path"):
        pickle.dumps(Album(stream, coding_model=model))


@pytest.fixture
def many(model, tmp_path):
    """A file much larger than what is read ahead of it, and its images."""
    images = np.random.default_rng(0).integers(256, size=(160, 16, 16, 3), dtype=np.uint8)
    path = tmp_path / "many.pxr"
    with path.open("wb") as stream:
        write(Codec(model), (("", image) for image in images), stream)
    return path, images


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_data_loader_with_workers_reads_all_in_order(many, model_file):
    path, images = many
    with Album(path, model=model_file, threads=1) as album:
        album[0]  # whatever it has opened and prepared by then, the workers get a copy of
        for _ in range(3):
            batches = list(DataLoader(album, batch_size=7, num_workers=2))
            found = np.concatenate([batch.numpy() for batch in batches])
            np.testing.assert_array_equal(found.transpose(0, 2, 3, 1), images)


@pytest.mark.skipif(sys.platform == "win32", reason="processes are not forked there")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_moves_no_place_in_the_file(many, model_file):
    """It would move that of its parent, which reads other bytes then."""
    path, images = many
    with Album(path, model=model_file, threads=1) as album:
        assert_same([album[0]], images[:1])
        descriptor = album._opened().fileno()
        before = os.lseek(descriptor, 0, os.SEEK_CUR)
        forked = multiprocessing.get_context("fork").Process(target=album.__getitem__, args=(-1,))
        forked.start()
        forked.join(60)
        assert forked.exitcode == 0
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == before


@pytest.mark.parametrize("as_stream", [False, True])
def test_many_threads(as_stream, many, model_file):
    path, images = many
    order = np.random.default_rng(1).integers(len(images), size=400)
    source = io.BytesIO(path.read_bytes()) if as_stream else path
    with Album(source, model=model_file, threads=2) as album, ThreadPoolExecutor(8) as pool:
        assert_same(list(pool.map(album.__getitem__, order)), images[order])


# What is read.


class Recorded(io.BytesIO):
    """A file that keeps which bytes were read."""

    def __init__(self, content):
        super().__init__(content)
        self.bytes_read = set()

    def read(self, size=-1):
        first = self.tell()
        content = super().read(size)
        self.bytes_read |= set(range(first, first + len(content)))
        return content


def test_only_the_bytes_of_the_image_are_read(file, model, images):
    stream = Recorded(file.read_bytes())
    album = Album(stream, coding_model=model)
    first, last = album.entries[0], album.entries[-1]
    messages = set(range(first.start, last.start + last.size))
    assert not stream.bytes_read & messages  # header, index and footer are enough to open it
    for n in (4, 0, 5):
        stream.bytes_read.clear()
        assert_same([album[n]], [images[n]])
        entry = album.entries[n]
        assert stream.bytes_read == set(range(entry.start, entry.start + entry.size))


def test_a_stream_of_others_stays_open(file, model):
    with file.open("rb") as stream:
        with Album(stream, coding_model=model) as album:
            album[0]
        assert not stream.closed


def test_a_file_that_shrinks_while_it_is_open(many, model_file):
    path, images = many
    with Album(path, model=model_file, threads=1) as album:
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(CompressedFileError, match=r"many\.pxr: .*(damaged|cut short)"):
            album[-1]
        assert_same([album[0]], images[:1])


def test_an_error_names_file_and_image(album, file):
    content = bytearray(file.read_bytes())
    content[album.entries[3].start] ^= 1
    file.write_bytes(content)
    with pytest.raises(CompressedFileError, match=r"album\.pxr: ü\.png is damaged"):
        album[3]


@pytest.mark.parametrize("place", ["missing.pxr", "."])
def test_a_file_that_cannot_be_read(place, tmp_path):
    with pytest.raises(CompressedFileError, match=r"cannot be read: (No such file|it is a folder)"):
        Album(tmp_path / place)


# Its model.


def test_a_model_that_is_not_here(file, model, model_file, images):
    wanted = rf"album\.pxr: it was compressed by tiny \(program {model.hash[:16].hex()}\).*--model"
    with pytest.raises(CompressedFileError, match=wanted):
        Album(file)
    with Album(file, needs_model=False) as album:
        assert album.names == NAMES
        with pytest.raises(CompressedFileError, match=wanted):
            album[0]
    with Album(file, model=model_file) as album:
        assert_same(list(album), images)


def test_a_wrong_model_is_refused(file, model, coding_model, tmp_path):
    other = coding_model("pixelcnn", "logistic-mixture", 3, 256, seed=1)
    save_program(other, tmp_path / "other.safetensors")
    both = rf"{model.hash[:16].hex()}.*other\.safetensors is another.*{other.hash[:16].hex()}"
    with pytest.raises(CompressedFileError, match=both):
        Album(file, model=tmp_path / "other.safetensors")
    with pytest.raises(CompressedFileError, match="another model"):
        Album(file, model="colour-pixelcnn")
    with pytest.raises(ModelFileError, match="nonsense"):
        Album(file, model="nonsense")


@pytest.mark.parametrize("name", ["colour-pixelcnn", "digits-pixelcnn", "called otherwise"])
def test_a_model_of_the_package_is_found_by_its_hash(name, images):
    """The name is where it looks first, and no more."""
    shipped = load_program("colour-pixelcnn")
    stream = io.BytesIO()
    renamed = CodingModel(name, shipped.program, shipped.hash)
    write(Codec(renamed), [("", image) for image in images], stream)
    album = Album(stream)
    assert album.model.hash == shipped.hash
    assert_same(list(album), images)
