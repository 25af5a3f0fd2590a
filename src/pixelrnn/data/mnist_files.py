"""The files of MNIST: how they are published, what people call them, which checksums they have."""

from pathlib import Path

from pixelrnn.data.download import RemoteFile

_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FIXED = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"

IDX_FILES = tuple(
    RemoteFile(f"{name}.gz", f"{_MIRROR}{name}.gz", f"md5:{md5}", num_bytes)
    for name, md5, num_bytes in (
        ("train-images-idx3-ubyte", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
        ("train-labels-idx1-ubyte", "d53e105ee54ea40749a09fcbcd1e9432", 28_881),
        ("t10k-images-idx3-ubyte", "9fb629c4189551a2d022fa330f9573f3", 1_648_877),
        ("t10k-labels-idx1-ubyte", "ec29112dd5afa0611ce80d1b7f02629c", 4_542),
    )
)
# Larochelle publishes no checksums: these are the ones that TensorFlow Datasets records.
FIXED_FILES = tuple(
    RemoteFile(name, _FIXED + name, f"sha256:{sha256}", num_bytes)
    for name, sha256, num_bytes in (
        (
            "binarized_mnist_train.amat",
            "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
            78_400_000,
        ),
        (
            "binarized_mnist_valid.amat",
            "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
            15_680_000,
        ),
        (
            "binarized_mnist_test.amat",
            "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
            15_680_000,
        ),
    )
)
# Of the unpacked contents, by name: files that were packed anew are the same images.
CONTENT_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
IMAGE_FILES = tuple(name for name in CONTENT_MD5 if "images" in name)
AMAT_FILES = tuple(remote.name for remote in FIXED_FILES)


def spellings(name: str) -> tuple[str, ...]:
    """Return how a file of MNIST is called: as torchvision or LeCun has it, unpacked or packed.

    Example:
        >>> spellings("t10k-labels-idx1-ubyte")[:3]
        ('t10k-labels-idx1-ubyte', 't10k-labels.idx1-ubyte', 't10k-labels-idx1-ubyte.gz')
    """
    bases = (name, name.replace("-idx", ".idx"))
    return (*bases, *(f"{base}.gz" for base in bases))


def idx_path(folder: Path, name: str) -> Path | None:
    """Return the file of a folder that is called so, in the first spelling that there is."""
    paths = [folder / spelling for spelling in spellings(name)]
    return next((path for path in paths if path.exists() and not path.is_dir()), None)


def missing_amat(folder: Path) -> list[str]:
    """Return which of the three files of the fixed binarisation a folder lacks."""
    return [name for name in AMAT_FILES if not (folder / name).is_file()]


def content_trouble(path: Path, name: str, md5: str) -> str:
    """Return how the contents of an idx file differ from those of MNIST's; "" if they do not."""
    official = CONTENT_MD5[name]
    return "" if md5 == official else f"{path.name} holds contents of md5 {md5}, not {official}"


def amat_trouble(folder: Path) -> str:
    """Return which file of the fixed binarisation in a folder is not as published; "" if all are."""
    for remote in FIXED_FILES:
        if not remote.is_published(folder / remote.name):
            return f"{remote.name} has not the checksum that is known, {remote.checksum.replace(':', ' ')}"
    return ""
