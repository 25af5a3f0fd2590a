"""Arrays, archives and IDX files: damaged in their bytes, their headers and what is packed in them."""

import gzip
import io
import struct
import tarfile

import numpy as np

import published
from fuzzing.damage import damaged, pick
from pixelrnn.data import load
from pixelrnn.data.mnist_files import read_amat, read_idx


class DataFiles:
    """Files of images as data sets; what is let pass must give images."""

    def __init__(self, folder):
        self.folder = folder
        draw = np.random.default_rng(0)
        images = draw.integers(256, size=(20, 4, 5, 3), dtype=np.uint8)
        npy, npz, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
        np.save(npy, images)
        np.savez(npz, train=images, test=images[:4])
        np.savez_compressed(packed, train=images, test=images[:4])
        record = draw.integers(256, size=(3, 3073), dtype=np.uint8)
        record[:, 0] %= 10
        pictures = record[:, 1:].reshape(3, 3, 32, 32)
        pickled = published.pickled(pictures, record[:, 0].tolist())
        labels = np.arange(20) % 7
        np.savez(labelled := io.BytesIO(), images=images, labels=labels)
        idx = struct.pack(">IIII", 2051, 2, 28, 28) + draw.bytes(2 * 28 * 28)
        self.sound = {
            "a.npy": (npy.getvalue(), False),
            "a.npz": (npz.getvalue(), False),
            "packed.npz": (packed.getvalue(), False),
            "labelled.npz": (labelled.getvalue(), False),
            "a.tar.gz": (tape("data_batch_1.bin", "test_batch.bin", record.tobytes()), True),
            "python.tar.gz": (tape("data_batch_1", "test_batch", pickled), True),
            "a.idx.gz": (idx, True),
            "a.amat": (published.amat(draw.integers(2, size=(2, 28, 28))), False),
        }

    def case(self, draw):
        """A file, and its name."""
        name = pick(draw, sorted(self.sound))
        content, is_packed = self.sound[name]
        if name.endswith("npy") and draw.integers(2):
            content = made_up_npy(draw, content)
        if not is_packed:
            return damaged(draw, content), name
        if draw.integers(2):
            return gzip.compress(damaged(draw, content), 1, mtime=0), name
        return damaged(draw, gzip.compress(content, 1, mtime=0)), name

    def attempt(self, content, name):
        """Read images."""
        path = self.folder / name
        path.write_bytes(content)
        if "idx" in name:
            assert read_idx(path, num_axes=3)[0].ndim == 3
        elif "amat" in name:
            assert read_amat(path).ndim == 4
        else:
            data = load(path)
            assert data.images("all").ndim == 4
        return True


def tape(train, test, content):
    """A tar archive of two files, of the same contents."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in (train, test):
            about = tarfile.TarInfo(f"cifar-10-batches/{name}")
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def made_up_npy(draw, content):
    """An array file whose header says something else."""
    sides = [pick(draw, [0, 1, 4, 20, 2**20, 2**31, 2**63, -1]) for _ in range(draw.integers(6))]
    kind = pick(draw, ["|u1", "<i8", "|O", "<f4", "|V9", "<U9"])
    header = repr({"descr": kind, "fortran_order": bool(draw.integers(2)), "shape": tuple(sides)})
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content[128:]
