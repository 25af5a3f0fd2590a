"""The named sets: what each is, whose, its size, files, checksums and splits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pixelrnn.data import cifar, digits, mnist, photos
from pixelrnn.data.cifar_versions import VERSIONS, Version
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.download import RemoteFile
from pixelrnn.data.located import load_located
from pixelrnn.data.options import DataOptions


@dataclass(frozen=True)
class CatalogueEntry:
    """One named set.

    Attributes:
        name: what `load` and `--data` call it.
        description: what the images show.
        source: where they come from.
        licence: what its owners allow.
        image_shape: (C, H, W).
        num_levels: for given options; pixel values are 0 ... num_levels - 1.
        splits: number of images in train, validation and test, for given options.
        load: reads it, downloading first where that is needed.
        num_classes: that its labels tell apart; 0 if it has none.
        options: the options that apply to it.
        files: what must be downloaded for given options; nothing if it is installed.
    """

    name: str
    description: str
    source: str
    licence: str
    image_shape: tuple[int, int, int]
    num_levels: Callable[[DataOptions], int]
    splits: Callable[[DataOptions], tuple[int, int, int]]
    load: Callable[[DataOptions], DataSet]
    num_classes: int = 0
    options: frozenset[str] = frozenset({"num_levels"})
    files: Callable[[DataOptions], tuple[RemoteFile, ...]] = field(default=lambda _: ())


def _cifar_entry(version: Version, description: str, num_bytes: int) -> CatalogueEntry:
    remote = RemoteFile(version.archive, version.url, f"md5:{version.archive_md5}", num_bytes)
    return CatalogueEntry(
        name=version.name,
        description=description,
        source=cifar.SOURCE,
        licence=cifar.LICENCE,
        image_shape=(3, 32, 32),
        num_levels=lambda _: 256,
        splits=lambda _: (45_000, 5_000, 10_000),
        load=lambda options: load_located(version.name, options, (remote,)),
        num_classes=len(version.class_names),
        files=lambda _: (remote,),
    )


_CIFAR10, _CIFAR100 = (version for version in VERSIONS if version.form == "binary")
_ENTRIES = (
    CatalogueEntry(
        name="digits",
        description="handwritten digits, grey, 17 levels",
        source=digits.SOURCE,
        licence=digits.LICENCE,
        image_shape=(1, 8, 8),
        num_levels=lambda _: digits.NUM_LEVELS,
        splits=lambda _: (1_350, 150, 297),
        load=digits.load_digits,
        num_classes=10,
    ),
    CatalogueEntry(
        name="photos",
        description="32x32 patches of twelve photographs",
        source=photos.photograph_sources(),
        licence=photos.photograph_licences(),
        image_shape=(3, 32, 32),
        num_levels=lambda _: 256,
        splits=lambda _: (4_636, 126, 1_464),
        load=photos.load_photos,
        options=frozenset({"num_levels", "patch_size", "random_crops"}),
    ),
    _cifar_entry(_CIFAR10, "small photographs of ten kinds of things", 170_052_171),
    _cifar_entry(_CIFAR100, "small photographs of a hundred kinds of things", 168_513_733),
    CatalogueEntry(
        name="mnist",
        description="handwritten digits, grey or binarised",
        source=mnist.SOURCE,
        licence=mnist.LICENCE,
        image_shape=(1, 28, 28),
        num_levels=mnist.mnist_levels,
        splits=mnist.mnist_splits,
        load=lambda options: load_located("mnist", options, mnist.mnist_files(options)),
        num_classes=10,
        options=frozenset({"num_levels", "binarisation"}),
        files=mnist.mnist_files,
    ),
)

CATALOGUE: Mapping[str, CatalogueEntry] = MappingProxyType(
    {entry.name: entry for entry in _ENTRIES}
)
