"""Array files, sound and damaged."""

import io
import struct
import zipfile

import numpy as np
import pytest

from pixelrnn.data import DataOptions, load
from pixelrnn.errors import DataError

GENERATOR = np.random.default_rng(0)
RGB = GENERATOR.integers(0, 256, (20, 4, 5, 3), np.uint8)


def npy_bytes(array, **kwargs):
    buffer = io.BytesIO()
    np.save(buffer, array, **kwargs)
    return buffer.getvalue()


def saved(tmp_path, content, name="images.npy"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else npy_bytes(content))
    return path


@pytest.mark.parametrize("array", [RGB, RGB[..., :1], np.asfortranarray(RGB)])
def test_npy_is_channels_first_and_split_by_index(tmp_path, array):
    data = load(saved(tmp_path, array))
    np.testing.assert_array_equal(data.images("test"), array[9::10].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(data.images("validation"), array[8::10].transpose(0, 3, 1, 2))
    assert data.count("train") == 16
    assert (data.name, data.num_levels) == ("images.npy", 256)


def test_grey_without_a_channel_axis(tmp_path):
    data = load(saved(tmp_path, RGB[..., 0]))
    np.testing.assert_array_equal(data.images("test")[:, 0], RGB[9::10, ..., 0])


def test_one_image_can_be_evaluated_but_not_split(tmp_path):
    data = load(saved(tmp_path, RGB[:1]))
    np.testing.assert_array_equal(data.images("all"), RGB[:1].transpose(0, 3, 1, 2))
    with pytest.raises(DataError, match="no test images"):
        data.images("test")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (RGB.astype(np.float32), r"float32.*round\(\)\.astype\('uint8'\)"),
        (RGB > 3, "bool.*astype"),
        (RGB.astype(np.int64), "int64.*astype"),
        (np.zeros((2, 5, 4, 4), np.uint8), "alpha"),
        (np.zeros((2, 5, 4, 7), np.uint8), "which axis"),
        (np.zeros((2, 17, 32, 32), np.uint16), "which axis"),
        (RGB.astype(np.uint32), "uint32.*astype"),
        (RGB.astype(np.int16) - 1, "int16.*astype"),
        (RGB[0, ..., 0], "first axis"),
        (np.uint8(3), "first axis"),
        (RGB[:0], "no pixels"),
        (RGB[:, :0], "no pixels"),
        (np.zeros(3, [("a", "u1")]), "convert"),
    ],
)
def test_other_arrays_are_refused_saying_how_to_convert(tmp_path, array, message):
    with pytest.raises(DataError, match=message) as caught:
        load(saved(tmp_path, array))
    assert "\n" not in str(caught.value)


def test_channels_may_be_first(tmp_path):
    large = np.zeros((20, 3, 4, 4), np.uint8) + np.arange(20, dtype=np.uint8)[:, None, None, None]
    np.testing.assert_array_equal(load(saved(tmp_path, large)).images("test"), large[9::10])
    codes = np.arange(20 * 5 * 4 * 4, dtype=np.uint16).reshape(20, 5, 4, 4)
    data = load(saved(tmp_path, codes))
    np.testing.assert_array_equal(data.images("test"), codes[9::10])
    assert (data.channels, data.num_levels) == (5, 2048)


@pytest.mark.parametrize(
    ("highest", "given", "levels", "dtype"),
    [
        (65535, None, 65536, np.uint16),
        (700, None, 1024, np.uint16),
        (256, None, 512, np.uint16),
        (200, None, 256, np.uint8),
        (700, 701, 701, np.uint16),
        (11, 12, 12, np.uint8),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_wide_levels_say_how_many_they_are(tmp_path, highest, given, levels, dtype, order):
    codes = np.linspace(0, highest, 20 * 12).astype(f"{order}u2").reshape(20, 3, 4)
    data = load(saved(tmp_path, codes), DataOptions(num_levels=given))
    assert (data.num_levels, data.channels) == (levels, 1)
    assert data.images("train").dtype == dtype
    np.testing.assert_array_equal(data.images("test")[:, 0], codes[9::10])


def test_a_code_beyond_the_alphabet_is_refused(tmp_path):
    with pytest.raises(DataError, match="a pixel of value 9"):
        load(saved(tmp_path, np.full((20, 4, 4), 9, np.uint16)), DataOptions(num_levels=9))


def test_objects_are_never_unpickled(tmp_path):
    path = saved(tmp_path, npy_bytes(np.array([print, 1], object), allow_pickle=True))
    with pytest.raises(DataError, match="Python objects"):
        load(path)


@pytest.mark.parametrize("keep", [0, 3, 9, 60, 127, 200, -1])
def test_truncated_npy(tmp_path, keep):
    with pytest.raises(DataError, match=r"images\.npy.*(damaged|cut short)"):
        load(saved(tmp_path, npy_bytes(RGB)[:keep]))


def test_bytes_left_over(tmp_path):
    with pytest.raises(DataError, match="left over"):
        load(saved(tmp_path, npy_bytes(RGB) + npy_bytes(RGB)))


def test_a_header_that_lies_takes_no_memory(tmp_path):
    header = io.BytesIO()
    claims = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 1024, 1024, 3)}
    np.lib.format.write_array_header_1_0(header, claims)
    with pytest.raises(DataError, match="cut short: its header announces"):
        load(saved(tmp_path, header.getvalue() + bytes(1000)))


def test_levels(tmp_path):
    path = saved(tmp_path, RGB % 5)
    assert load(path, DataOptions(num_levels=5)).num_levels == 5
    with pytest.raises(DataError, match="value 4"):
        load(path, DataOptions(num_levels=4))


def test_npz_with_splits_as_they_are(tmp_path):
    path = tmp_path / "images.npz"
    np.savez_compressed(path, train=RGB[:10], validation=RGB[10:12], test=RGB[12:])
    data = load(path)
    assert [data.count(split) for split in ("train", "validation", "test")] == [10, 2, 8]
    np.testing.assert_array_equal(data.images("test"), RGB[12:].transpose(0, 3, 1, 2))


def test_npz_without_validation_carves_it(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, train=RGB, test=RGB[:1])
    data = load(path)
    np.testing.assert_array_equal(data.images("validation"), RGB[9::10].transpose(0, 3, 1, 2))
    assert "index % 10 is 9" in data.split_rule


def test_npz_with_one_array_is_like_npy(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, RGB)
    assert load(path).sha256("all") == load(saved(tmp_path, RGB)).sha256("all")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": np.arange(20)}, "labels.*int64"),
        ({"a": RGB, "b": RGB}, "named a, b.*train_images, x_train"),
        ({"train": RGB, "validation": RGB}, "named train, validation"),
        ({"train": RGB, "test": RGB[:, :2]}, "more than one shape"),
        ({}, "no arrays"),
    ],
)
def test_npz_of_other_content(tmp_path, arrays, message):
    path = tmp_path / "images.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message):
        load(path)


@pytest.mark.parametrize("keep", [0, 10, 500, -1, -30])
def test_truncated_npz(tmp_path, keep):
    path = tmp_path / "images.npz"
    np.savez_compressed(path, RGB)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"images\.npz"):
        load(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_with_a_flipped_bit_fails_its_checksum(tmp_path, save):
    path = tmp_path / "images.npz"
    # Random, so that even compressed its bytes are stored as they are; and more than a buffer full.
    save(path, GENERATOR.integers(0, 256, (10, 100, 100), np.uint8))
    content = bytearray(path.read_bytes())
    content[50_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="CRC"):
        load(path)


def test_npz_member_that_claims_the_impossible(tmp_path):
    path = tmp_path / "images.npz"
    with zipfile.ZipFile(path, "w") as archive:
        header = io.BytesIO()
        claims = {"descr": "|u1", "fortran_order": False, "shape": (10**6, 32, 32, 3)}
        np.lib.format.write_array_header_1_0(header, claims)
        archive.writestr("train.npy", header.getvalue() + bytes(100))
    with pytest.raises(DataError, match="cut short: its header announces"):
        load(path)
    content = path.read_bytes()
    true_size = (len(header.getvalue()) + 100).to_bytes(4, "little")
    path.write_bytes(content.replace(true_size + true_size, true_size + b"\xff\xff\xff\x7f"))
    with pytest.raises(DataError, match="which cannot be"):
        load(path)


IMAGES = RGB[..., 0]


@pytest.mark.parametrize(
    ("arrays", "counts"),
    [
        ({"train_images": 20, "val_images": 5, "test_images": 4}, [20, 5, 4]),
        ({"x_train": 20, "x_test": 4}, [18, 2, 4]),
        ({"x_train": 20, "x_val": 3, "x_test": 4}, [20, 3, 4]),
        ({"train": 20, "val": 3, "test": 4}, [20, 3, 4]),
        ({"images": 20}, [16, 2, 2]),
        ({"arr_0": 20}, [16, 2, 2]),
        ({"x_train": 20}, [16, 2, 2]),
    ],
)
@pytest.mark.parametrize(
    "labels", [(), ("train_labels", "test_labels"), ("y_train", "y_test"), ("y",)]
)
def test_npz_named_as_others_name_them(tmp_path, arrays, counts, labels):
    path = tmp_path / "images.npz"
    saved_arrays = {name: IMAGES[:count] for name, count in arrays.items()}
    # What is left aside is not read: it may be anything.
    np.savez(path, **saved_arrays, **dict.fromkeys(labels, np.array([None, {}], object)))
    data = load(path)
    assert [data.count(split) for split in ("train", "validation", "test")] == counts
    assert bool(labels) == any(all(name in note for name in labels) for note in data.notes)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train", "x_train", "test"), "train and x_train, both for train"),
        (("x_train", "x_test", "x_extra"), "x_extra.*names that are read"),
        (("train_images", "val_images"), "named train_images, val_images.*names that are read"),
        (("a\x1b[31m", "b"), r"a\\x1b\[31m"),
        (tuple(f"a{n}" for n in range(30)), r"a19 and 18 more: give it one"),
    ],
)
def test_npz_of_other_names_says_which_are_read(tmp_path, names, message):
    path = tmp_path / "images.npz"
    np.savez(path, **dict.fromkeys(names, IMAGES))
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert "\x1b" not in str(caught.value)


def bomb(count, names=("arr_0",)):
    """Return an `.npz` of images that are all alike, which shrinks a thousand times."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            with archive.open(f"{name}.npy", "w") as stream:
                header = io.BytesIO()
                shape = {"shape": (count, 1024, 1024), "fortran_order": False, "descr": "|u1"}
                np.lib.format.write_array_header_1_0(header, shape)
                stream.write(header.getvalue())
                for _ in range(count):
                    stream.write(bytes(1 << 20))
    return buffer.getvalue()


@pytest.mark.parametrize("names", [("arr_0",), ("train", "test")])
def test_npz_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path, monkeypatch, names):
    path = tmp_path / "images.npz"
    path.write_bytes(bomb(8, names))
    monkeypatch.setattr("pixelrnn.untrusted.UNPACKED_BYTES", 1 << 22)
    monkeypatch.setattr("pixelrnn.data.arrays.read_header", None)  # nothing is read
    with pytest.raises(DataError, match=r"claims to unpack to .*save the images as \.npy"):
        load(path)


def test_npz_of_a_few_megabytes_of_one_colour_is_read(tmp_path):
    path = tmp_path / "images.npz"
    path.write_bytes(bomb(10))
    assert load(path).count("all") == 10


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_header_that_claims_megabytes_is_not_read(tmp_path, version, suffix):
    length = 65535 if version == 1 else 1 << 30
    start = b"\x93NUMPY" + bytes([version, 0]) + length.to_bytes(2 if version == 1 else 4, "little")
    content = start + b" " * (1 << 20)
    path = tmp_path / f"images.{suffix}"
    if suffix == "npy":
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", content)
    with pytest.raises(DataError, match=r"header|damaged"):
        load(path)


HEADERS = [
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-3, 4, 4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4, -4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (4611686018427387904, 4, 4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (10**9, 4, 4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1e9, 4, 4)}",
    "{'descr': '|u1', 'fortran_order': 7, 'shape': (1, 4, 4)}",
    "{'descr': '>f2', 'fortran_order': False, 'shape': (1, 4, 2)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1, 4, 4)}",
    "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (1, 4, 4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (" + "1, " * 1000 + ")}",
    "(" * 3000 + ")" * 3000,
    "{" * 9000,
    "__import__('os').abort()",
    "{'shape': (1, 4, 4)}",
    "[]",
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda text: text[:70])
def test_absurd_headers_are_one_line(tmp_path, header):
    text = header.encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(16)
    path = saved(tmp_path, content)
    with pytest.raises(DataError, match=r"\A[^\n]+\Z"):
        load(path)


def test_npz_of_many_thousand_arrays_is_refused(tmp_path):
    path = tmp_path / "images.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(1001):
            archive.writestr(f"{n}.npy", b"")
    with pytest.raises(DataError, match="far too many arrays"):
        load(path)


def test_an_encrypted_npz_is_refused(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, IMAGES)
    content = bytearray(path.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    content[6] |= 1
    content[central + 8] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="encrypted"):
        load(path)


@pytest.mark.parametrize("shape", ["(True, 4, 4)", "(12, True, 1)", "(4.0, 2, 2)", "('4', 2, 2)"])
def test_a_shape_of_what_only_looks_like_numbers(tmp_path, shape):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(16)
    with pytest.raises(DataError, match="damaged"):
        load(saved(tmp_path, content))


@pytest.mark.parametrize("is_long", [False, True], ids=["as it is", "of more than 4 GB"])
def test_a_list_of_members_is_measured_before_it_is_read(tmp_path, is_long):
    path, count = tmp_path / "many.npz", 60_000
    entry = struct.Struct("<I6H3I5H2I")
    names = [b"a%07d.npy" % n for n in range(count)]
    listed = b"".join(entry.pack(0x02014B50, *[0] * 9, 12, *[0] * 6) + name for name in names)
    size, many = (0xFFFFFFFF, 0xFFFF) if is_long else (len(listed), count)
    end = struct.pack("<I4H2IH", 0x06054B50, 0, 0, many, many, size, 0, 0)
    if is_long:
        record = struct.pack("<IQ2H2I4Q", 0x06064B50, 44, 0, 0, 0, 0, count, count, len(listed), 0)
        end = record + struct.pack("<IIQI", 0x07064B50, 0, len(listed), 1) + end
    path.write_bytes(listed + end)
    assert len(zipfile.ZipFile(path).filelist) == count  # for it is an archive
    with pytest.raises(DataError, match="far too many arrays"):
        load(path)


def test_an_archive_with_a_comment_is_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((20, 4, 4), np.uint8))
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"what a file says of itself" * 100
    assert load(path).count("train") == 16


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        ({"train_images": "train_labels", "val_images": "val_labels", "test_images": "test_labels"},
         {"train_images": 8, "val_images": 5, "test_images": 4}),
        ({"x_train": "y_train", "x_test": "y_test"}, {"x_train": 20, "x_test": 4}),
        ({"images": "labels"}, {"images": 20}),
        ({"x_train": "y_train"}, {"x_train": 20}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_labels_of_an_npz_are_split_as_its_images_are(tmp_path, names, counts, shape):
    saved = {}
    for name, label in names.items():
        numbers = np.arange(counts[name], dtype=np.uint8)
        saved |= {name: np.tile(numbers[:, None, None], (1, 4, 5)), label: numbers.reshape(shape)}
    np.savez(tmp_path / "images.npz", **saved)
    data = load(tmp_path / "images.npz")
    assert data.notes == ()
    for split in ("train", "validation", "test", "all"):
        np.testing.assert_array_equal(data.labels_of(split), data.images(split)[:, 0, 0, 0])
    assert data.num_classes == max(counts.values())


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((20, 14), np.uint8),
        np.zeros(20),
        np.full(20, -1),
        np.array([{}] * 20, object),
        np.uint8(3),
        np.array(["a"] * 20),
    ],
)
def test_what_is_no_label_is_left_aside(tmp_path, labels):
    np.savez(tmp_path / "images.npz", images=IMAGES, labels=labels)
    data = load(tmp_path / "images.npz")
    assert data.labels_of("train") is None
    assert data.notes == ("left aside: labels (no whole numbers from 0)",)
    with pytest.raises(DataError, match=r"has no labels; left aside: labels \(no whole numbers"):
        load(tmp_path / "images.npz", DataOptions(labels=True))


def test_other_numbers_of_labels_than_of_images(tmp_path):
    np.savez(tmp_path / "images.npz", images=IMAGES, labels=np.arange(19))
    with pytest.raises(DataError, match="19 labels for 20 images of train"):
        load(tmp_path / "images.npz")
