"""Pickles: what CIFAR's files do is done, and nothing else, whoever wrote them and why."""

import builtins
import os
import pickle
import pickletools

import numpy as np
import pytest

from pixelrnn.data import pickles
from pixelrnn.data.pickles import PickledArray, read_pickle
from pixelrnn.errors import DataError
from published import array, cifar_images, draw, pickled, text
from spending import spending

IMAGES = draw(3, 8)
START = b"\x80\x02"


class Call:
    """An object whose pickle calls something."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        function, *arguments = self.call
        return function, tuple(arguments)


def test_what_python_2_wrote():
    images, labels = cifar_images(10)
    found = read_pickle(pickled(images, labels), "a file")
    assert list(found) == [b"batch_label", b"labels", b"data", b"filenames"]
    assert found[b"labels"] == labels
    assert found[b"filenames"][3] == b"3.png"
    np.testing.assert_array_equal(found[b"data"].to_numpy(), images.reshape(10, 3072))


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_python_3_writes(protocol, order):
    value = {
        b"data": np.asarray(IMAGES, order=order),
        "labels": [1, -2, 3000, True, None],
        7: (1, 2),
    }
    found = read_pickle(pickle.dumps(value, protocol), "a file")
    np.testing.assert_array_equal(found[b"data"].to_numpy(), IMAGES)
    assert found["labels"] == value["labels"]
    assert found[7] == (1, 2)


@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_both_names_of_numpys_module(core):
    found = read_pickle(START + array(IMAGES, core=core) + b".", "a file")
    np.testing.assert_array_equal(found.to_numpy(), IMAGES)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "call",
    [
        (os.system, "touch {}"),
        (builtins.eval, "open({!r}, 'w')"),
        (builtins.exec, "open({!r}, 'w')"),
        (builtins.open, "{}", "w"),
        (os.mkdir, "{}"),
        (np.save, "{}", 3),
        (builtins.getattr, os, "system"),
        (np.frombuffer, b"12345678"),
        (bytearray, 10),
    ],
)
def test_a_call_is_not_made(tmp_path, call, protocol):
    touched = tmp_path / "touched"
    function, *arguments = call
    arguments = [each.format(touched) if isinstance(each, str) else each for each in arguments]
    if os in arguments:
        arguments[0] = "os"  # modules cannot be pickled
    content = pickle.dumps({"data": Call(function, *arguments)}, protocol)
    with pytest.raises(DataError, match=r"a file is (not read: it calls|truncated, damaged or no)"):
        read_pickle(content, "a file")
    assert list(tmp_path.iterdir()) == []


def test_the_message_says_what_was_called():
    with pytest.raises(
        DataError, match=r"a file is not read: it calls posix\.system, which images"
    ):
        read_pickle(pickle.dumps(Call(os.system, "true"), 2), "a file")
    odd = START + b"cnumpy\x1b[31m\nndarray\n."
    with pytest.raises(DataError) as caught:
        read_pickle(odd, "a file")
    assert "\x1b" not in str(caught.value)


def call(name, arguments, after=b""):
    return START + b"c" + name + b"\n(" + arguments + b"tR" + after + b"."


@pytest.mark.parametrize(
    "content",
    [
        call(b"numpy\nndarray", b"J\xff\xff\xff\x7f"),  # an array of 2 GB, or of any shape
        call(b"numpy\nmatrix", b""),
        call(b"numpy\nload", b""),
        call(b"numpy.core.multiarray\nscalar", b""),
        call(b"numpy._core.numeric\n_frombuffer", b""),
        call(b"numpy.core\nmultiarray._reconstruct", b""),
        call(b"numpy.core.multiarray\n_reconstruct.__globals__", b""),
        call(b"__builtin__\neval", text("1")),
        call(b"_codecs\ndecode", text("a")),
        call(b"_codecs\nencode", b"X\x01\x00\x00\x00a" + text("zlib")),
        call(b"_codecs\nencode", b"X\x01\x00\x00\x00a"),
        call(b"_codecs\nencode", b"K\x01" + text("latin1")),
        call(b"numpy\ndtype", b""),
        call(b"numpy\ndtype", b"K\x01", b"}b" + b"K\x01\x85R"),
        START + b"cnumpy\ndtype\n}" + text("__call__") + b"K\x01sb.",  # changes what a name means
        START + b"cnumpy\nndarray\nN}" + text("a") + b"K\x01s\x86b.",
        START + b"]K\x01K\x02s.",  # an item of a list that it has not
        START + b"K\x01K\x02a.",  # a number is no list
        START + b"}" + b"]K\x01s.",  # a list as a key
        START + b"h\x07.",  # nothing was kept there
        START + b".",
        START + b"(",
        b"\x80\xff.",
        b"\x80\x02" + b"\x82\x01.",  # a name by its number
        START + text("id") + b"Q.",  # what is kept elsewhere
        b"I1\n.",
        b"",
        b"not a pickle",
        b"\x1f\x8b\x08",
    ],
)
def test_anything_else_is_refused(content):
    with pytest.raises(DataError, match="a file is") as caught:
        read_pickle(content, "a file")
    assert "\n" not in str(caught.value)


def claims(operation, count, size=4):
    return START + operation + count.to_bytes(size, "little") + b"abc."


def encoded_often(times):
    """One text of a megabyte, which a name that may be called turns into bytes again and again."""
    text_once = (
        b"X" + (1 << 20).to_bytes(4, "little") + b"a" * (1 << 20) + b"X\x06\x00\x00\x00latin1"
    )
    return (
        START
        + b"]"
        + text_once
        + b"\x86q\x01ac_codecs\nencode\nq\x02a"
        + b"h\x02h\x01Ra" * times
        + b"."
    )


def test_bytes_are_encoded_once():
    assert read_pickle(encoded_often(1), "a file")[2] == b"a" * (1 << 20)


@pytest.mark.parametrize(
    "content",
    [
        claims(b"T", 2**31 - 1),
        claims(b"X", 2**32 - 1),
        claims(b"B", 2**32 - 1),
        claims(b"\x8e", 2**40, 8),
        claims(b"\x8d", 2**40, 8),
        claims(b"\x96", 2**40, 8),
        claims(b"\x95", 2**40, 8),
        claims(b"\x8b", 2**31 - 1),
        START + b"K\x01r\x00\x00\x00\x01.",  # a memo of 2^24 places, and as many again
        START + b"N" * 1_000_001 + b".",
        encoded_often(100),
        START + b")" + b"\x85" * 100_000 + b".",  # tuples in each other, a hundred thousand deep
    ],
)
def test_what_a_length_claims_takes_no_memory(content):
    with spending() as spent, pytest.raises(DataError, match="a file is"):
        read_pickle(content, "a file")
    assert spent.bytes < 64 << 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (array(IMAGES, shape=(2**31 - 1, 2**31 - 1)), "an array of shape .* with 24 bytes"),
        (array(IMAGES, shape=(3, 9)), r"an array of shape \(3, 9\) with 24 bytes"),
        (array(IMAGES).replace(text("u1"), text("O8")), "not of bytes"),
        (array(IMAGES).replace(text("u1"), text("i8")), "not of bytes"),
        (array(IMAGES).replace(b"\x89" + text(IMAGES.tobytes()), b"\x89]"), "not of bytes"),
        (array(IMAGES).replace(b"K\x03K\x08\x86", b"K\x03NK\x08\x87"), "whose shape is damaged"),
        (array(IMAGES)[:-1].rsplit(b"(K\x01", 1)[0], "not of bytes"),
    ],
)
def test_arrays_that_are_none(content, message):
    found = read_pickle(START + content + b".", "a file")
    assert isinstance(found, PickledArray)
    with pytest.raises(ValueError, match=message):
        found.to_numpy()


def test_every_way_to_cut_or_flip_a_file_is_named():
    content = pickled(*cifar_images(2))
    for keep in (*range(200), *range(len(content) - 80, len(content))):
        with pytest.raises(DataError):
            read_pickle(content[:keep], "a file")
    draws = np.random.default_rng(0)
    for place in draws.integers(0, 120, 300):
        flipped = bytearray(content)
        flipped[place] ^= 1 << draws.integers(8)
        try:
            read_pickle(bytes(flipped), "a file")
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017 - a flipped bit may well be another name


def test_names_of_operations_are_those_of_python():
    known = {operation.name for operation in pickletools.opcodes}
    assert known > pickles.OPERATIONS
