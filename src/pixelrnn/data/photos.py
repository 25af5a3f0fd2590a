"""`photos`: patches of the photographs that ship inside scikit-image, read from its folder.

Whole photographs are held out, never patches of one that is trained on. Those held out are PNG
files, without the traces of JPEG; a stereo pair shows one scene and stays in one split.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelrnn.data.dataset import SPLITS, DataSet, Images
from pixelrnn.data.image_files import read_header, read_pixels
from pixelrnn.data.options import DataOptions
from pixelrnn.data.patches import cut_patches
from pixelrnn.errors import DataError

PATCH_SIZE = 32


@dataclass(frozen=True)
class Photograph:
    """One photograph: its file, whose it is, and the split that all of it belongs to."""

    file: str
    split: str
    source: str
    licence: str
    sha256: str


PHOTOGRAPHS = (
    Photograph(
        "astronaut.png",
        "train",
        "NASA Great Images",
        "public domain",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    Photograph(
        "motorcycle_left.png",
        "train",
        "Middlebury 2014 stereo benchmark, Scharstein et al.",
        "none stated; cite Scharstein et al. (2014)",
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    ),
    Photograph(
        "motorcycle_right.png",
        "train",
        "Middlebury 2014 stereo benchmark, Scharstein et al.",
        "none stated; cite Scharstein et al. (2014)",
        "5fc913ae870e42a4b662314bc904d1786bcad8e2f0b9b67dba5a229406357797",
    ),
    Photograph(
        "rocket.jpg",
        "train",
        "SpaceX",
        "public domain",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    ),
    Photograph(
        "chelsea.png",
        "validation",
        "Stefan van der Walt",
        "CC0",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    ),
    Photograph(
        "coffee.png",
        "test",
        "Rachel Michetti, Pikolo Espresso Bar",
        "CC0",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    ),
)


def load_photos(options: DataOptions) -> DataSet:
    """Return 32x32 RGB patches of photographs: 4,636 training, 126 validation, 216 test patches.

    Training patches overlap by half; held-out ones do not, so that each pixel counts once.

    Args:
        options: `patch_size` changes the side of the patches, `num_levels` the levels.

    Raises:
        DataError: if a photograph is missing, is not the one that is meant, or is smaller than a
            patch.

    Example:
        >>> load_photos(DataOptions()).images("test").shape
        (216, 3, 32, 32)
    """
    side = options.patch_size or PATCH_SIZE
    folder = _photograph_folder()
    parts: dict[str, list[Images]] = {split: [] for split in SPLITS}
    for photograph in PHOTOGRAPHS:
        picture = _read_photograph(folder / photograph.file, photograph)
        if side > min(picture.shape[1:]):
            raise DataError(
                f"patches of {side}x{side} pixels do not fit {photograph.file}: ask less"
            )
        stride = max(1, side // 2) if photograph.split == "train" else side
        parts[photograph.split].append(cut_patches(picture, side, stride))
    images = {split: np.concatenate(parts[split]) for split in SPLITS}
    return DataSet(
        name="photos" if side == PATCH_SIZE else f"photos ({side}x{side} patches)",
        num_levels=options.num_levels or 256,
        train=images["train"],
        validation=images["validation"],
        test=images["test"],
        source=photograph_sources(),
        licence=photograph_licences(),
        notes=("training patches overlap by half; held-out ones do not",),
        split_rule="whole photographs; "
        + "; ".join(f"{split}: {', '.join(_files(split))}" for split in SPLITS),
    )


def photograph_sources() -> str:
    """Return where the photographs come from, in one line."""
    each = "; ".join(dict.fromkeys(f"{_scene(photo)}: {photo.source}" for photo in PHOTOGRAPHS))
    return f"inside the scikit-image wheel: {each}"


def photograph_licences() -> str:
    """Return the licences of the photographs, in one line."""
    licences = dict.fromkeys(photo.licence for photo in PHOTOGRAPHS)
    return "; ".join(f"{licence}: {', '.join(_scenes_under(licence))}" for licence in licences)


def _scenes_under(licence: str) -> list[str]:
    return list(dict.fromkeys(_scene(photo) for photo in PHOTOGRAPHS if photo.licence == licence))


def _scene(photograph: Photograph) -> str:
    return Path(photograph.file).stem.removesuffix("_left").removesuffix("_right")


def _files(split: str) -> list[str]:
    return [photo.file for photo in PHOTOGRAPHS if photo.split == split]


def _photograph_folder() -> Path:
    # By path: importing skimage takes a while, and its readers may download what they do not find.
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise DataError("photos needs scikit-image, which holds them: pip install scikit-image")
    return Path(spec.origin).parent / "data"


def _read_photograph(path: Path, photograph: Photograph) -> Images:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(
            f"photos needs {path}, which cannot be read: install scikit-image again"
        ) from error
    if digest != photograph.sha256:
        raise DataError(
            f"{path} is not the photograph that is meant (sha256 {digest}, not "
            f"{photograph.sha256}): install scikit-image 0.24 ... 0.26 again"
        )
    return read_pixels(read_header(path))
