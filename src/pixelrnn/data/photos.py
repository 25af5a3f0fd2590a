"""`photos`: patches of the colour photographs inside scikit-image, scikit-learn and matplotlib.

Whole photographs are held out, never patches of one that is trained on; a stereo pair shows one scene
and stays in one split. The packages hold eight colour photographs that are not trained on: one is for
validation, seven are for the test. That is fewer than a verdict needs (`uncertainty.MIN_PICTURES`).
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from pixelrnn.data.catalogue import CATALOGUE, read_table
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.image_files import read_header, read_pixels
from pixelrnn.data.options import DataOptions
from pixelrnn.data.patches import RANDOM_CROPS, cut_patches, uncut
from pixelrnn.data.splits import SPLITS, Images, number_pictures
from pixelrnn.errors import DataError

PATCH_SIZE = 32
# Of a held-out photograph that is larger, the middle: else one picture would be most of the test.
HELD_OUT_ROWS, HELD_OUT_COLUMNS = 400, 600
FOLDERS = {
    "skimage": "data",
    "sklearn": "datasets/images",
    "matplotlib": "mpl-data/sample_data",
}
DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}


@dataclass(frozen=True)
class Photograph:
    """One photograph: its file, the package that it ships in, and the split that all of it belongs to."""

    file: str
    package: str
    split: str
    sha256: str

    @property
    def scene(self) -> str:
        """What it shows; two views of one scene share it."""
        return Path(self.file).stem.removesuffix("_left").removesuffix("_right")


# Those of one scene follow one another.
PHOTOGRAPHS = tuple(Photograph(**facts) for facts in read_table("photos.toml")["photographs"])


def load_photos(options: DataOptions) -> DataSet:
    """Return 32x32 RGB patches of photographs: 4,636 training, 126 validation, 1,464 test patches.

    Training patches overlap by half; held-out ones do not, so that each pixel counts once.

    Args:
        options: `patch_size` changes the side of the patches, `num_levels` the levels, and
            `random_crops` cuts those to train on anew in each epoch.

    Raises:
        DataError: if a photograph is missing, is not the one that is meant, or is smaller than a
            patch.

    Example:
        >>> data = load_photos(DataOptions())
        >>> data.images("test").shape, len(set(data.pictures_of("test")))
        ((1464, 3, 32, 32), 7)
    """
    side = options.patch_size or PATCH_SIZE
    pictures = {photograph.file: _read_photograph(photograph) for photograph in PHOTOGRAPHS}
    patches = {photo.file: _patches(photo, pictures[photo.file], side) for photo in PHOTOGRAPHS}
    files = {
        split: [photo.file for photo in PHOTOGRAPHS if photo.split == split] for split in SPLITS
    }
    images = {split: np.concatenate([patches[file] for file in files[split]]) for split in SPLITS}
    trained_on = files["train"]
    entry = CATALOGUE["photos"]
    return DataSet(
        name="photos" if side == PATCH_SIZE else f"photos ({side}x{side} patches)",
        num_levels=options.num_levels or entry.levels,
        train=images["train"],
        validation=images["validation"],
        test=images["test"],
        source=entry.source,
        licence=entry.licence,
        notes=(
            "training patches overlap by half; held-out ones do not",
            f"of held-out photographs the middle, at most {HELD_OUT_ROWS} x {HELD_OUT_COLUMNS} pixels",
            *([RANDOM_CROPS] if options.random_crops else []),
        ),
        split_rule="whole photographs; "
        + "; ".join(f"{split}: {', '.join(files[split])}" for split in SPLITS),
        pictures=number_pictures({split: _scene_counts(split, patches) for split in SPLITS}),
        uncut=uncut([pictures[file] for file in trained_on], [len(patches[f]) for f in trained_on])
        if options.random_crops
        else None,
    )


def _scene_counts(split: str, patches: dict[str, Images]) -> list[int]:
    """Return how many patches each scene of a split gave."""
    photographs = [photo for photo in PHOTOGRAPHS if photo.split == split]
    return [
        sum(len(patches[photo.file]) for photo in views)
        for _, views in groupby(photographs, lambda photo: photo.scene)
    ]


def _patches(photograph: Photograph, picture: Images, side: int) -> Images:
    stride = max(1, side // 2)
    if photograph.split != "train":
        picture, stride = _middle(picture), side
    if side > min(picture.shape[1:]):
        raise DataError(f"patches of {side}x{side} pixels do not fit {photograph.file}: ask less")
    return cut_patches(picture, side, stride)


def _middle(picture: Images) -> Images:
    _, height, width = picture.shape
    top, left = max(0, height - HELD_OUT_ROWS) // 2, max(0, width - HELD_OUT_COLUMNS) // 2
    return picture[:, top : top + HELD_OUT_ROWS, left : left + HELD_OUT_COLUMNS]


def _folder_of(package: str) -> Path:
    # By path: importing a package takes a while, and its readers may download what they do not find.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        name = DISTRIBUTIONS[package]
        raise DataError(f"photos needs {name}, which holds some of them: pip install {name}")
    return Path(spec.origin).parent / FOLDERS[package]


def _read_photograph(photograph: Photograph) -> Images:
    path = _folder_of(photograph.package) / photograph.file
    name = DISTRIBUTIONS[photograph.package]
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(
            f"photos needs {path}, which cannot be read: install {name} again"
        ) from error
    if digest != photograph.sha256:
        raise DataError(
            f"{path} is not the photograph that is meant (sha256 {digest}, not "
            f"{photograph.sha256}): install {name} again, in another version"
        )
    return read_pixels(read_header(path))
