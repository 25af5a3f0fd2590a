"""`mnist`: 70,000 handwritten digits, 28x28, in 256 grey levels or binarised in a named way.

Numbers of bits for differently binarised digits cannot be compared, so the way is part of the name. The
files are found by their names in any folder: idx files as MNIST's relatives have them too, and the `.amat`
files of the fixed binarisation.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.mnist_files import read_amat, read_idx
from pixelrnn.data.options import DataOptions
from pixelrnn.data.splits import SPLITS, Part, split_images
from pixelrnn.errors import DataError
from pixelrnn.files import FOLDER, not_a_file
from pixelrnn.wording import joined

BINARISED = {
    "none": "",
    "threshold": " (threshold at 0.5)",
    "sampled": " (sampled once)",
    "fixed": " (fixed, Larochelle)",
}
FIXED_SOURCE = "Larochelle and Murray, The Neural Autoregressive Distribution Estimator (2011)"
CONTENT_MD5 = CATALOGUE["mnist"].content_md5s
# Of the fixed binarisation, in the order of the splits.
AMAT_FILES = [remote.name for remote in CATALOGUE["mnist"].fixed_files]
# Keys of the generator that draws each pixel of `sampled`, once and for all.
TRAIN_KEY, TEST_KEY = 1601_06759_0, 1601_06759_1


# The splits that there are, and how it is known that they are somebody else's; "" if they are not.
_Contents = tuple[dict[str, Part], str]


class Mnist:
    """The idx and `.amat` files of MNIST, in any folder."""

    name = "mnist"
    archive = archive_md5 = ""  # it has none
    label = "idx or .amat files as of MNIST"

    def is_present(self, folder: Path, names: Iterable[str]) -> bool:
        """Return whether a folder that holds these names has idx or `.amat` files, all of them or not."""
        known = {*AMAT_FILES, *(spelling for name in CONTENT_MD5 for spelling in spellings(name))}
        return any(not_a_file(folder / name) != FOLDER for name in known.intersection(names))

    def missing_files(self, folder: Path, options: DataOptions) -> list[str]:
        """Return which of the files that a binarisation is made from a folder lacks."""
        if options.binarisation == "fixed":
            return [name for name in AMAT_FILES if not (folder / name).is_file()]
        return [name for name in CONTENT_MD5 if not _idx_path(folder, name)]

    def read(self, path: Path, options: DataOptions) -> tuple[DataSet, str]:
        """Return the images of a folder with idx files or the three `.amat` files.

        The fixed binarisation is read from the `.amat` files, which have no labels; where there are no
        others, it is what the folder holds. Everything else is made from the idx files.

        Raises:
            DataError: if a file is missing, is not what it should be, or does not have what is asked for.
        """
        if self._is_fixed(path, options):
            options = options.model_copy(update={"binarisation": "fixed"})
        is_fixed = options.binarisation == "fixed"
        read = _read_fixed(path) if is_fixed else _read_idx(path, options.binarisation)
        entry, (parts, mismatch) = CATALOGUE[self.name], read
        has_labels = parts["train"].labels is not None
        source = f"{entry.source}; {FIXED_SOURCE}" if is_fixed else entry.source
        notes = [f"binarisation: {options.binarisation}"]
        if mismatch:
            notes.append(f"not the official MNIST: {mismatch}")
        if not is_fixed and not has_labels:
            notes.append("there are no labels beside the images")
        data = DataSet(
            name=_base_name(path, mismatch) + BINARISED[options.binarisation],
            num_levels=options.num_levels or entry.num_levels(options),
            source=str(path) if mismatch else f"{source}; read from {path}",
            licence="the owner's" if mismatch else entry.licence,
            notes=tuple(notes),
            class_names=entry.class_names if has_labels and not mismatch else (),
            **split_images(parts, "as published", f"{path} has "),
        )
        return data, mismatch

    def _is_fixed(self, folder: Path, options: DataOptions) -> bool:
        """Return whether the fixed binarisation is what is asked for, or all that there is.

        Raises:
            DataError: if that is not in the folder, or something else is asked for that is not.
        """
        missing = self.missing_files(folder, DataOptions(binarisation="fixed"))
        has_idx = any(_idx_path(folder, name) for name in CONTENT_MD5 if "images" in name)
        wanted = options.binarisation
        if wanted != "fixed" and (has_idx or len(missing) == len(AMAT_FILES)):
            return False
        if wanted not in ("fixed", "none"):
            raise DataError(
                f"data.binarisation = {wanted} does not apply to {folder}, whose .amat files are binarised "
                "already: leave it out, or give a folder with the idx files of grey images"
            )
        if missing:
            others = "; or give none, threshold or sampled" if has_idx else ""
            raise DataError(
                f"{folder} has no {joined(missing)}: the fixed binarisation is all of "
                f"{joined(AMAT_FILES)}, in one folder{others}"
            )
        return True


def spellings(name: str) -> tuple[str, ...]:
    """Return how a file of MNIST is called: as torchvision or LeCun has it, unpacked or packed.

    Example:
        >>> spellings("t10k-labels-idx1-ubyte")[:3]
        ('t10k-labels-idx1-ubyte', 't10k-labels.idx1-ubyte', 't10k-labels-idx1-ubyte.gz')
    """
    bases = (name, name.replace("-idx", ".idx"))
    return (*bases, *(f"{base}.gz" for base in bases))


def _idx_path(folder: Path, name: str) -> Path | None:
    """Return the file of a folder that is called so, in the first spelling that there is."""
    paths = [folder / spelling for spelling in spellings(name)]
    return next((path for path in paths if path.exists() and not path.is_dir()), None)


def _base_name(folder: Path, mismatch: str) -> str:
    """Return what to call the images: nothing is called MNIST unless it is."""
    if not mismatch:
        return "mnist"
    path = folder.resolve()
    return f"{path.parent.name if path.name == 'raw' else path.name}, not the official MNIST"


def _read_fixed(folder: Path) -> _Contents:
    parts = {
        split: Part(read_amat(folder / name))
        for split, name in zip(SPLITS, AMAT_FILES, strict=True)
    }
    mismatches = [
        f"{remote.name} has not the checksum that is known, {remote.checksum.replace(':', ' ')}"
        for remote in CATALOGUE["mnist"].fixed_files
        if not remote.is_published(folder / remote.name)
    ]
    return parts, next(iter(mismatches), "")


def _read_idx(folder: Path, binarisation: str) -> _Contents:
    """Read the images of both parts and, if they are there, their labels."""
    paths = {name: path for name in CONTENT_MD5 if (path := _idx_path(folder, name))}
    has_labels = any("labels" in name for name in paths)
    arrays, mismatches = {}, []
    for name, official in CONTENT_MD5.items():
        if "labels" in name and not has_labels:
            continue
        if name not in paths:
            raise DataError(f"{folder} has no {name} (or .gz): it is incomplete, fetch it again")
        arrays[name], md5 = read_idx(paths[name], num_axes=3 if "images" in name else 1)
        if md5 != official:
            mismatches.append(f"{paths[name].name} holds contents of md5 {md5}, not {official}")
    parts = {}
    for split, part, key in (("train", "train", TRAIN_KEY), ("test", "t10k", TEST_KEY)):
        of_images, of_labels = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
        images, labels = arrays[of_images][:, np.newaxis], None
        if has_labels:
            labels = arrays[of_labels].astype(np.int64)
            if len(labels) != len(images):
                raise DataError(
                    f"{paths[of_images]} has {len(images):,} images and {paths[of_labels].name} "
                    f"{len(labels):,} labels: they do not belong together"
                )
        parts[split] = Part(binarise(images, binarisation, key), labels)
    return parts, next(iter(mismatches), "")


def binarise(images: Images, binarisation: str, key: int) -> Images:
    """Make grey images of 256 levels black and white, in a named way.

    Args:
        images: uint8 `(N, 1, H, W)`.
        binarisation: "none" returns the images; "threshold" gives 1 where grey / 255 > 0.5;
            "sampled" draws each pixel once, 1 with probability grey / 255.
        key: of the counter-based generator that draws; the same key gives the same images for
            ever, on any machine.

    Example:
        >>> binarise(np.array([[[[0, 127, 128, 255]]]], np.uint8), "threshold", key=0).tolist()
        [[[[0, 0, 1, 1]]]]
    """
    if binarisation == "none":
        return images
    if binarisation == "threshold":
        return (images > 127).astype(np.uint8)
    # Philox's raw stream is fixed by its definition, and the comparison is one of integers:
    # draw / 2**32 < grey / 255.
    generator = np.random.Philox(key=key)
    drawn = np.empty_like(images)
    for index, image in enumerate(images):
        draws = generator.random_raw(image.size).reshape(image.shape) >> np.uint64(32)
        drawn[index] = draws * np.uint64(255) < image.astype(np.uint64) << np.uint64(32)
    return drawn
