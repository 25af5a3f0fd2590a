"""The tables of published sets: a slip in a checksum or a count shows only where there is a network."""

import re

import pytest

from pixelrnn.data import SPLITS, DataOptions
from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.data.cifar import OFFICIAL_COUNTS, VERSIONS
from pixelrnn.data.mnist import AMAT_FILES, CONTENT_MD5
from pixelrnn.data.photos import PHOTOGRAPHS

MD5, SHA256 = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{64}")
REMOTE_FILES = [each for entry in CATALOGUE.values() for each in
                (*entry.remote_files, *entry.fixed_files)]  # fmt: skip


def all_differ(values):
    values = list(values)
    return len(set(values)) == len(values)


@pytest.mark.parametrize("remote", REMOTE_FILES, ids=lambda remote: remote.name)
def test_files_have_an_address_a_size_and_a_checksum(remote):
    assert remote.url.startswith(("http://", "https://"))
    assert remote.url.endswith(f"/{remote.name}")
    algorithm, digest = remote.checksum.split(":")
    assert {"md5": MD5, "sha256": SHA256}[algorithm].fullmatch(digest)
    assert remote.num_bytes > 0


def test_no_checksum_is_there_twice():
    assert all_differ(remote.checksum for remote in REMOTE_FILES)
    assert all_differ(CONTENT_MD5.values())
    assert all_differ(md5 for version in VERSIONS for md5 in version.md5s.values())
    assert all_differ(photograph.sha256 for photograph in PHOTOGRAPHS)
    assert all(map(MD5.fullmatch, CONTENT_MD5.values()))
    assert all(MD5.fullmatch(md5) for version in VERSIONS for md5 in version.md5s.values())
    assert all(SHA256.fullmatch(photograph.sha256) for photograph in PHOTOGRAPHS)


@pytest.mark.parametrize(
    ("name", "count"), [("cifar10", 60_000), ("cifar100", 60_000), ("mnist", 70_000)]
)
@pytest.mark.parametrize("binarisation", ["none", "sampled", "fixed"])
def test_every_image_is_in_one_split(name, count, binarisation):
    entry = CATALOGUE[name]
    if "binarisation" in entry.options or binarisation == "none":
        assert sum(entry.splits(DataOptions(binarisation=binarisation))) == count
        assert entry.splits(DataOptions(binarisation=binarisation))[2] == 10_000
        assert entry.files(DataOptions(binarisation=binarisation))
    assert sum(OFFICIAL_COUNTS) == 60_000


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.archive)
def test_versions_of_cifar(version):
    assert version.archive == f"cifar-{version.title[6:]}-{version.form.lower()}.tar.gz"
    names = CATALOGUE[version.name].class_names
    assert all_differ(names)
    assert len(names) == int(version.title[6:])
    assert set(version.md5s) in (set(), {*version.train_files, version.test_file})
    if version.form == "binary":
        (remote,) = CATALOGUE[version.name].remote_files
        assert (remote.name, remote.checksum) == (version.archive, f"md5:{version.archive_md5}")
        assert version.label_columns[-1] == len(names)
        assert not version.label_key
    else:
        assert version.label_key
        assert not version.label_columns


def test_the_files_of_the_fixed_binarisation_are_in_the_order_of_the_splits():
    parts = [name.removeprefix("binarized_mnist_").removesuffix(".amat") for name in AMAT_FILES]
    assert parts == ["train", "valid", "test"]


def test_photographs_are_in_the_splits():
    assert {photograph.split for photograph in PHOTOGRAPHS} == set(SPLITS)
