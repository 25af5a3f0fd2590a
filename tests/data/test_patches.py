"""Patches: on a grid or anywhere, always of one picture, and every picture in one split."""

import numpy as np
import pytest
from PIL import Image

from pixelrnn.data import SPLITS, DataOptions, load
from pixelrnn.data.patches import Uncut, cut_patches
from pixelrnn.errors import DataError

SIDE = 4
CROPS = DataOptions(patch_size=SIDE, random_crops=True)
LAST = 2**64 - 1


@pytest.fixture
def scans(tmp_path):
    """A folder of 20 pictures; red says which one, green the row, blue the column."""
    (tmp_path / "scans").mkdir()
    for number in range(20):
        rows, columns = np.indices((9 + number % 3, 8 + number % 4))
        picture = np.stack([np.full_like(rows, number), rows, columns], axis=-1).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "scans" / f"{number:02}.png")
    return tmp_path / "scans"


@pytest.fixture
def in_sub_folders(scans):
    """The same pictures, those of the test by themselves."""
    for number in range(20):
        split = scans / ("test" if number % 4 == 3 else "train")
        split.mkdir(exist_ok=True)
        (scans / f"{number:02}.png").rename(split / f"{number:02}.png")
    return scans


def pictures_in(data, split):
    return set(np.unique(data.images(split)[:, 0]).tolist())


@pytest.mark.parametrize("layout", ["scans", "in_sub_folders"])
@pytest.mark.parametrize("crops", [None, True])
def test_all_patches_of_a_photograph_are_in_one_split(layout, crops, request):
    folder = request.getfixturevalue(layout)
    data = load(folder, DataOptions(patch_size=SIDE, random_crops=crops))
    found = [pictures_in(data, split) for split in SPLITS]
    assert all(found)
    assert sum(map(len, found)) == len(set.union(*found)) == 20
    for split in SPLITS:
        numbers, red = data.pictures_of(split), data.images(split)[:, 0, 0, 0]
        assert len(set(zip(numbers.tolist(), red.tolist(), strict=True))) == len(set(red.tolist()))
    if crops:  # and what patches are cut from is that of the training photographs alone
        assert {int(picture[0, 0, 0]) for picture in data.uncut.pictures} == found[0]


def test_crops_are_of_the_photograph_whose_turn_it_is(scans):
    data = load(scans, CROPS)
    draw = np.random.default_rng(0)
    for index, image in enumerate(data.images("train")):
        random_bits = int(draw.integers(2**64, dtype=np.uint64))
        patch = data.uncut.patch(index, SIDE, random_bits=random_bits)
        assert patch.shape == (3, SIDE, SIDE)
        assert (patch[0] == image[0, 0, 0]).all()


def test_crops_reach_every_place_of_a_photograph_and_none_beyond():
    picture = np.arange(7 * 6, dtype=np.uint8).reshape(1, 7, 6)
    uncut = Uncut((picture,), np.array([0]))
    draw = np.random.default_rng(1)
    bits = draw.integers(2**64, size=400, dtype=np.uint64).tolist()
    found = [uncut.patch(0, SIDE, random_bits=each) for each in (0, LAST, *bits)]
    assert found[0][0, 0, 0] == 0
    assert found[1][0, -1, -1] == 7 * 6 - 1
    corners = {int(patch[0, 0, 0]) for patch in found}
    assert corners == {6 * top + left for top in range(4) for left in range(3)}


def test_a_photograph_of_the_size_of_a_patch_has_one_place():
    picture = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    uncut = Uncut((picture,), np.array([0]))
    for random_bits in (0, LAST):
        np.testing.assert_array_equal(uncut.patch(0, 4, random_bits=random_bits), picture)


def test_random_crops_leave_counts_and_the_other_splits_as_they_are(scans):
    grid, crops = load(scans, DataOptions(patch_size=SIDE)), load(scans, CROPS)
    for split in SPLITS:
        np.testing.assert_array_equal(grid.images(split), crops.images(split))
        np.testing.assert_array_equal(grid.pictures_of(split), crops.pictures_of(split))
    assert any("at other places" in note for note in crops.notes)
    assert grid.uncut is None


def test_the_hash_covers_what_the_grid_leaves_out(scans):
    before = load(scans, CROPS).sha256("train")
    corner = np.array(Image.open(scans / "00.png"))
    assert corner.shape[0] % SIDE
    corner[-1, -1] += 1
    Image.fromarray(corner).save(scans / "00.png")
    assert load(scans, CROPS).sha256("train") != before


def test_crops_of_an_album(scans, tmp_path, pixelrnn_album):
    album = pixelrnn_album(scans)
    of_album, of_folder = load(album, CROPS), load(scans, CROPS)
    assert of_album.sha256("train") == of_folder.sha256("train")
    np.testing.assert_array_equal(of_album.uncut.numbers, of_folder.uncut.numbers)


@pytest.fixture
def pixelrnn_album(tmp_path):
    """Compress a folder; two pictures are called alike, which a file may hold."""
    from pixelrnn.coding import Codec, load_program, write

    def make(folder):
        files = sorted(folder.iterdir())
        pixels = [("alike.png", np.array(Image.open(file))) for file in files]
        with (tmp_path / "scans.pxr").open("wb") as stream:
            write(Codec(load_program("colour-pixelcnn")), pixels, stream)
        return tmp_path / "scans.pxr"

    return make


def test_grey_photographs_among_coloured_ones(scans):
    Image.fromarray(np.full((8, 8), 77, np.uint8)).save(scans / "00.png")
    patch = load(scans, CROPS).uncut.patch(0, SIDE, random_bits=LAST)
    assert patch.shape == (3, SIDE, SIDE)
    assert (patch == 77).all()


def test_crops_without_a_size_are_refused(scans):
    with pytest.raises(DataError, match=r"say how large they are, such as data\.patch_size=64"):
        load(scans, DataOptions(random_crops=True))
    with pytest.raises(DataError, match=r"data\.random_crops does not apply to digits"):
        load("digits", DataOptions(random_crops=True))


def test_crops_of_the_photographs_that_are_installed():
    data = load("photos", DataOptions(random_crops=True))
    assert data.count("train") == 4636
    assert [picture.shape for picture in data.uncut.pictures][:1] == [(3, 512, 512)]
    for index in range(0, 4636, 300):  # each is from the picture that its own patch is from
        picture = data.uncut.pictures[data.uncut.numbers[index]]
        patches = cut_patches(picture, 32, 16)
        assert (patches == data.images("train")[index]).all(axis=(1, 2, 3)).any()
