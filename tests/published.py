"""Small sets in the forms in which MNIST and CIFAR are published, with pickles as Python 2 wrote them."""

import struct

import numpy as np


def draw(*shape, seed=0):
    """Random bytes."""
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def idx(array, magic=None, shape=None):
    """An idx file of an array, unpacked."""
    magic = magic or 0x800 + array.ndim
    shape = shape or array.shape
    return struct.pack(f">{1 + len(shape)}I", magic, *shape) + array.tobytes()


def amat(images):
    """A text file of black and white images."""
    return "".join(" ".join(map(str, row.ravel())) + "\n" for row in images.astype(int)).encode()


def mnist_files(train=40, test=12, side=28):
    """The four idx files by their names, unpacked."""
    return {
        "train-images-idx3-ubyte": idx(draw(train, side, side)),
        "train-labels-idx1-ubyte": idx(np.arange(train, dtype=np.uint8) % 10),
        "t10k-images-idx3-ubyte": idx(draw(test, side, side, seed=1)),
        "t10k-labels-idx1-ubyte": idx(np.arange(test, dtype=np.uint8) % 7),
    }


def amat_files(counts=(20, 5, 6)):
    """The three files of the fixed binarisation."""
    return {
        f"binarized_mnist_{name}.amat": amat(draw(count, 28, 28, seed=count) > 127)
        for name, count in zip(("train", "valid", "test"), counts, strict=True)
    }


def text(value):
    """The operation that gives a string of Python 2."""
    value = value.encode() if isinstance(value, str) else value
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<i", len(value)) + value


def number(value):
    """The operation that gives a small number."""
    return b"K" + bytes([value]) if 0 <= value < 256 else b"J" + struct.pack("<i", value)


def array(pixels, shape=None, core=b"numpy.core"):
    """The operations that give an array of bytes."""
    shape = b"".join(map(number, shape or pixels.shape)) + b"\x86"
    kind = b"cnumpy\ndtype\n" + text("u1") + b"K\x00K\x01\x87R(K\x03" + text("|")
    kind += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    empty = (
        b"c"
        + core
        + b".multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
        + text("b")
        + b"\x87R"
    )
    return empty + b"(K\x01" + shape + kind + b"\x89" + text(pixels.tobytes()) + b"tb"


def pickled(images, labels, key="labels", **settings):
    """A file of CIFAR's Python version: a dictionary of batch_label, labels, data, filenames."""
    listed = b"](" + b"".join(map(number, labels)) + b"e"
    names = b"](" + b"".join(text(f"{n}.png") for n in range(len(labels))) + b"e"
    items = {
        "batch_label": text("training batch 1 of 5"),
        key: listed,
        "data": array(images.reshape(len(images), images[:1].size or 3072), **settings),
        "filenames": names,
    }
    return b"\x80\x02}q\x01(" + b"".join(text(k) + v for k, v in items.items()) + b"u."


def cifar_images(count, seed=0):
    """Images `(count, 3, 32, 32)` and their labels."""
    return draw(count, 3, 32, 32, seed=seed), [int(n) % 10 for n in draw(count, seed=seed)]


def python_files():
    """Five pickled batches of ten images and a test batch of seven."""
    files = {f"data_batch_{n}": pickled(*cifar_images(10, n)) for n in range(1, 6)}
    return files | {"test_batch": pickled(*cifar_images(7, 9)), "batches.meta": b"\x80\x02}."}


def binary_files():
    """The same images as binary records."""
    counts = {f"data_batch_{n}": (10, n) for n in range(1, 6)} | {"test_batch": (7, 9)}
    return {f"{name}.bin": records(*cifar_images(*which)) for name, which in counts.items()}


def records(images, labels):
    """Binary records of CIFAR-10."""
    return np.column_stack([np.array(labels, np.uint8), images.reshape(len(images), -1)]).tobytes()


def write(folder, files):
    """Write files into a folder, which is made; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
