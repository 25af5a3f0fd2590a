"""`photos`: patches of the colour photographs inside scikit-image, scikit-learn and matplotlib.

Whole photographs are held out, never patches of one that is trained on; a stereo pair shows one scene
and stays in one split. The packages hold eight colour photographs that are not trained on: one is for
validation, seven are for the test. That is fewer than a verdict needs (`uncertainty.MIN_PICTURES`).
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from pixelrnn.arrays import Images
from pixelrnn.data.catalogue import CATALOGUE, read_table
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.image_files import read_header, read_pixels
from pixelrnn.data.options import DataOptions
from pixelrnn.data.patches import RANDOM_CROPS, Cut, cut_patches, gather
from pixelrnn.data.splits import SPLITS
from pixelrnn.errors import DataError

PATCH_SIZE = 32
# Of a held-out photograph that is larger, the middle: else one picture would be most of the test.
HELD_OUT_ROWS, HELD_OUT_COLUMNS = 400, 600


@dataclass(frozen=True)
class Photograph:
    """One photograph.

    Attributes:
        path: of its file, from the folder of the package that it ships in.
        package: as it is imported.
        distribution: as it is installed.
        split: that all of it belongs to.
        sha256: of the file.
    """

    path: str
    package: str
    distribution: str
    split: str
    sha256: str

    @property
    def file(self) -> str:
        """The name of its file."""
        return Path(self.path).name

    @property
    def scene(self) -> str:
        """What it shows; two views of one scene share it."""
        return Path(self.path).stem.removesuffix("_left").removesuffix("_right")


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
    side, entry = options.patch_size or PATCH_SIZE, CATALOGUE["photos"]
    files = [
        f"{split}: {', '.join(photo.file for photo in PHOTOGRAPHS if photo.split == split)}"
        for split in SPLITS
    ]
    return DataSet(
        name="photos" if side == PATCH_SIZE else f"photos ({side}x{side} patches)",
        num_levels=options.num_levels or entry.levels,
        source=entry.source,
        licence=entry.licence,
        notes=(
            "training patches overlap by half; held-out ones do not",
            f"of held-out photographs the middle, at most {HELD_OUT_ROWS} x {HELD_OUT_COLUMNS} pixels",
            *([RANDOM_CROPS] if options.random_crops else []),
        ),
        split_rule=f"whole photographs; {'; '.join(files)}",
        **gather([_cut(photo, side, options) for photo in PHOTOGRAPHS]),
    )


def _cut(photograph: Photograph, side: int, options: DataOptions) -> Cut:
    whole = picture = _read_photograph(photograph)
    is_trained_on = photograph.split == "train"
    if not is_trained_on:
        _, height, width = whole.shape
        top, left = max(0, height - HELD_OUT_ROWS) // 2, max(0, width - HELD_OUT_COLUMNS) // 2
        picture = whole[:, top : top + HELD_OUT_ROWS, left : left + HELD_OUT_COLUMNS]
    if side > min(picture.shape[1:]):
        raise DataError(f"patches of {side}x{side} pixels do not fit {photograph.file}: ask less")
    patches = cut_patches(picture, side, max(1, side // 2) if is_trained_on else side)
    uncut = whole if options.random_crops and is_trained_on else None
    return Cut(photograph.split, patches, photograph.scene, uncut)


def _folder_of(photograph: Photograph) -> Path:
    # By path: importing a package takes a while, and its readers may download what they do not find.
    spec = importlib.util.find_spec(photograph.package)
    if spec is None or spec.origin is None:
        name = photograph.distribution
        raise DataError(f"photos needs {name}, which holds some of them: pip install {name}")
    return Path(spec.origin).parent


def _read_photograph(photograph: Photograph) -> Images:
    path, name = _folder_of(photograph) / photograph.path, photograph.distribution
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
