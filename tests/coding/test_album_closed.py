"""A closed album, or one whose file was closed, says so, and reads nothing any more."""

import io

import numpy as np
import pytest

from pixelrnn.coding import Album, Codec, load_program, write
from pixelrnn.errors import CompressedFileError

NAMES = ["a.png", "", "b"]


@pytest.fixture
def model():
    return load_program("colour-pixelcnn")


@pytest.fixture
def images():
    """Images `(H, W, bands)` that all differ."""
    shapes = [(5, 6, 3), (3, 3, 1), (4, 4, 4)]
    return [np.full(shape, 10 + n, np.uint8) for n, shape in enumerate(shapes)]


@pytest.fixture
def file(model, images, tmp_path):
    path = tmp_path / "many.pxr"
    with path.open("wb") as stream:
        write(Codec(model, tile=4), zip(NAMES, images, strict=True), stream)
    return path


@pytest.mark.parametrize("as_stream", [False, True])
def test_a_closed_album_reads_nothing_any_more(as_stream, file, model):
    source = io.BytesIO(file.read_bytes()) if as_stream else file
    album = Album(source, coding_model=model)
    album[0]
    album.close()
    album.close()
    assert (len(album), album.names) == (3, NAMES)
    for read in (lambda: album[0], lambda: list(album), lambda: album.messages(album.entries[0])):
        with pytest.raises(CompressedFileError, match=r"it was closed: open it again"):
            read()
    again = Album(source, coding_model=model)
    again[0]


def test_a_stream_that_its_owner_closes(file, model):
    with file.open("rb") as stream:
        album = Album(stream, coding_model=model)
    with pytest.raises(CompressedFileError, match=r"the file: it was closed"):
        album[0]


@pytest.mark.parametrize("closes_first", [False, True])
def test_closing_while_others_read(closes_first, file, model, images):
    """Whenever another thread closes it, an image is right, or the error says what happened."""
    album = Album(file, coding_model=model)
    opened = album._opened

    def closed_in_between():
        stream = opened()
        if closes_first:
            album.close()
        return stream

    album._opened = closed_in_between
    if closes_first:
        with pytest.raises(CompressedFileError, match=r"many\.pxr: it was closed"):
            album[0]
    else:
        found = album.in_turn(bytes_at_once=1)
        np.testing.assert_array_equal(next(found), images[0])
        album.close()
        with pytest.raises(CompressedFileError, match=r"many\.pxr: it was closed"):
            next(found)
