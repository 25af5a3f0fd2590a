"""CIFAR archives and folders, sound and damaged."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from pixelrnn.data import archives, cifar, load
from pixelrnn.errors import DataError

EXCERPT = (
    Path(__file__).resolve().parents[2] / "../shared/data/cifar-10-binary-3000.tar.gz"
).resolve()


def test_archive_of_any_length(write_archive, cifar_files):
    data = load(write_archive(cifar_files))
    assert data.name == "excerpt.tar.gz"
    assert [data.count(split) for split in ("train", "validation", "test")] == [45, 5, 7]
    assert data.notes == ("an excerpt of 57 images, not CIFAR-10",)
    records = np.frombuffer(cifar_files["data_batch_1.bin"], np.uint8).reshape(10, 3073)
    np.testing.assert_array_equal(data.images("train")[:9], records[:9, 1:].reshape(-1, 3, 32, 32))
    np.testing.assert_array_equal(data.images("validation")[0], records[9, 1:].reshape(3, 32, 32))
    assert data.labels_of("train")[:9].tolist() == records[:9, 0].tolist()
    assert data.labels_of("validation")[0] == records[9, 0]
    assert (data.num_classes, data.class_names[:2]) == (10, ("airplane", "automobile"))


def test_folder_reads_as_its_archive(tmp_path, write_archive, cifar_files):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, content in cifar_files.items():
        (folder / name).write_bytes(content)
    data, archive = load(folder), load(write_archive(cifar_files))
    assert data.name == "cifar-10-batches-bin"
    assert data.sha256("all") == archive.sha256("all")


def test_batches_are_in_the_order_of_their_numbers(write_archive, cifar_records):
    files = {f"data_batch_{n}.bin": cifar_records(1, seed=n) for n in range(11, 0, -1)}
    data = load(write_archive(files | {"test_batch.bin": cifar_records(1)}))
    last = np.frombuffer(files["data_batch_11.bin"], np.uint8)[1:].reshape(3, 32, 32)
    np.testing.assert_array_equal(data.images("train")[-1], last)


def test_cifar100_has_two_label_bytes(write_archive, cifar_records):
    files = {"train.bin": cifar_records(20, 2), "test.bin": cifar_records(3, 2)}
    data = load(write_archive(files))
    pixels = np.frombuffer(files["test.bin"], np.uint8).reshape(3, 3074)[:, 2:]
    np.testing.assert_array_equal(data.images("test"), pixels.reshape(3, 3, 32, 32))
    fine = np.frombuffer(files["test.bin"], np.uint8).reshape(3, 3074)[:, 1]
    assert data.labels_of("test").tolist() == fine.tolist()
    assert (data.num_classes, data.class_names[99]) == (100, "worm")
    assert data.notes == ("an excerpt of 23 images, not CIFAR-100",)


@pytest.mark.parametrize("keep", [0, 5, 100, 50_000, -100_000, -9, -1])
def test_truncated_archive(write_archive, cifar_files, keep):
    path = write_archive(cifar_files)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"excerpt\.tar\.gz is truncated or damaged"):
        load(path)


def test_flipped_bit_fails_the_checksum_of_gzip(write_archive, cifar_files):
    path = write_archive(cifar_files)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"truncated or damaged|label"):
        load(path)


def test_not_an_archive(tmp_path):
    for content in (b"not gzip", gzip.compress(b"not tar" * 1000), gzip.compress(b"")):
        path = tmp_path / "other.tar.gz"
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"other\.tar\.gz"):
            load(path)


@pytest.mark.parametrize("missing", ["test_batch.bin", "data_batch_1.bin", "data_batch_3.bin"])
def test_missing_file(write_archive, cifar_files, missing):
    del cifar_files[missing]
    with pytest.raises(DataError, match=f"no {missing}"):
        load(write_archive(cifar_files))


def test_file_of_part_of_a_record(write_archive, cifar_files):
    whole = cifar_files["data_batch_2.bin"]
    for content in (whole + b"x", whole[:-100], b""):
        cifar_files["data_batch_2.bin"] = content
        with pytest.raises(DataError, match=r"data_batch_2\.bin has .* whole number of records"):
            load(write_archive(cifar_files))


def test_labels_that_cifar_lacks(write_archive, cifar_files):
    cifar_files["test_batch.bin"] = b"\x0a" + cifar_files["test_batch.bin"][1:]
    with pytest.raises(DataError, match="label that CIFAR-10 lacks"):
        load(write_archive(cifar_files))


def test_official_count_with_another_checksum(write_archive, cifar_files, monkeypatch):
    monkeypatch.setattr(cifar, "OFFICIAL_COUNTS", (50, 7))
    official = cifar.VERSIONS[0].md5s["data_batch_1.bin"]
    with pytest.raises(
        DataError, match=f"damaged or altered.*data_batch_1.bin has md5.*{official}"
    ):
        load(write_archive(cifar_files))


def test_official_checksum_names_the_set(write_archive, cifar_files, monkeypatch):
    """However the archive is packed."""
    for name, content in cifar_files.items():
        md5 = hashlib.md5(content).hexdigest()
        monkeypatch.setitem(cifar.VERSIONS[0].md5s, name, md5)
    assert load(write_archive(cifar_files)).name == "cifar10"
    cifar_files["data_batch_6.bin"] = cifar_files["data_batch_1.bin"]
    assert load(write_archive(cifar_files)).name == "excerpt.tar.gz"


def test_cifar100_binary_is_known_by_its_archive(write_archive, cifar_records, monkeypatch):
    path = write_archive({"train.bin": cifar_records(20, 2), "test.bin": cifar_records(3, 2)})
    assert load(path).name == "excerpt.tar.gz"
    (version,) = (v for v in cifar.VERSIONS if v.archive == "cifar-100-binary.tar.gz")
    monkeypatch.setattr(cifar, "md5_of", lambda path: version.archive_md5)
    assert load(path).name == "cifar100"


def _archive_with_claim(path, size):
    header = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
    header.size = size
    path.write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))
    return path


def test_member_that_claims_an_absurd_size_is_not_read(tmp_path):
    with pytest.raises(DataError, match="claims 1,000,000,000,000 bytes"):
        load(_archive_with_claim(tmp_path / "huge.tar.gz", 10**12))


def test_member_that_claims_more_than_there_is(tmp_path):
    with pytest.raises(DataError, match="truncated or damaged"):
        load(_archive_with_claim(tmp_path / "short.tar.gz", 30_730_000))


def test_bomb_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 1_000_000)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("zeros")
        member.size = 2_000_000
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(buffer.getvalue()))
    with pytest.raises(DataError, match=r"bomb\.tar\.gz unpacks to more than 1,000,000 bytes"):
        load(path)


def test_two_files_of_one_name(tmp_path, cifar_records):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("a", "b"):
            member = tarfile.TarInfo(f"{folder}/test_batch.bin")
            member.size = 3073
            archive.addfile(member, io.BytesIO(cifar_records(1)))
    path = tmp_path / "double.tar.gz"
    path.write_bytes(gzip.compress(buffer.getvalue()))
    with pytest.raises(DataError, match="two files named test_batch"):
        load(path)


def test_nothing_is_unpacked_to_disk(write_archive, cifar_files, tmp_path):
    path = write_archive(cifar_files)
    load(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not EXCERPT.exists(), reason=f"no CIFAR-10 excerpt at {EXCERPT}")
def test_real_excerpt():
    data = load(EXCERPT)
    assert [data.count(split) for split in ("train", "validation", "test")] == [2250, 250, 500]
    assert data.sha256("test") == (
        "65b4d6300dea7056b314f811f350079f8df67214ca3f2f0464183b80c421b4c9"
    )
    # Rows of a photograph resemble their neighbours: a wrong layout would not.
    pixels = data.images("test").astype(int)
    assert np.abs(np.diff(pixels, axis=2)).mean() < 20


def test_archive_that_unpacks_to_far_more_than_its_size_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("pixelrnn.untrusted.UNPACKED_BYTES", 1 << 20)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("data_batch_1.bin")
        member.size = 3073 * 1000
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="unpacks to more than"):
        load(path)


def test_archive_of_many_files_is_refused(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for n in range(1001):
            archive.addfile(tarfile.TarInfo(f"{n}"))
    path = tmp_path / "many.tar.gz"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="more than 1,000 files"):
        load(path)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_an_archive_are_no_batches(tmp_path, kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("/data_batch_1.bin")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    path = tmp_path / "links.tar.gz"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="has no data_batch_1"):
        load(path)


def test_a_chain_of_headers_is_damage(tmp_path):
    """Each header of this kind is read inside the one before."""
    header = tarfile.TarInfo.create_pax_global_header({"a": "b"})
    path = tmp_path / "cifar.tar.gz"
    path.write_bytes(gzip.compress(header * 2000))
    with pytest.raises(DataError, match="damaged"):
        load(path)
