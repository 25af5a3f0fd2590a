"""`photos`: patches of the colour photographs inside scikit-image, scikit-learn and matplotlib.

Whole photographs are held out, never patches of one that is trained on; a stereo pair shows one scene
and stays in one split. The packages hold eight colour photographs that are not trained on: one is for
validation, seven are for the test. That is fewer than a verdict needs (`uncertainty.MIN_PICTURES`).
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelrnn.data.dataset import SPLITS, DataSet, Images, number_pictures
from pixelrnn.data.image_files import read_header, read_pixels
from pixelrnn.data.options import DataOptions
from pixelrnn.data.patches import RANDOM_CROPS, cut_patches, uncut
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
    """One photograph: its file, whose it is, and the split that all of it belongs to.

    `package` is the one that it ships in.
    """

    file: str
    split: str
    source: str
    licence: str
    sha256: str
    package: str = "skimage"

    @property
    def scene(self) -> str:
        """What it shows; two views of one scene share it."""
        return Path(self.file).stem.removesuffix("_left").removesuffix("_right")


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
    Photograph(
        "china.jpg",
        "test",
        "danielbuechele (Flickr)",
        "CC BY 2.0",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
        package="sklearn",
    ),
    Photograph(
        "flower.jpg",
        "test",
        "vultilion (Flickr)",
        "CC BY 2.0",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
        package="sklearn",
    ),
    Photograph(
        "grace_hopper.jpg",
        "test",
        "United States Navy",
        "public domain",
        "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
        package="matplotlib",
    ),
    Photograph(
        "ihc.png",
        "test",
        "Center for Microscopy and Molecular Imaging",
        "no known restrictions",
        "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef",
    ),
    Photograph(
        "retina.jpg",
        "test",
        "Mikael Häggström",
        "CC0",
        "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    ),
    Photograph(
        "hubble_deep_field.jpg",
        "test",
        "NASA, Hubble eXtreme Deep Field",
        "public domain",
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    ),
)


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
    parts: dict[str, dict[str, list[Images]]] = {split: {} for split in SPLITS}
    trained_on: list[Images] = []
    for photograph in PHOTOGRAPHS:
        picture = _read_photograph(photograph)
        if photograph.split == "train":
            trained_on.append(picture)
        scenes = parts[photograph.split]
        scenes.setdefault(photograph.scene, []).append(_patches(photograph, picture, side))
    images = {
        split: np.concatenate([part for scene in scenes.values() for part in scene])
        for split, scenes in parts.items()
    }
    counts = [[sum(map(len, scene)) for scene in parts[split].values()] for split in SPLITS]
    return DataSet(
        name="photos" if side == PATCH_SIZE else f"photos ({side}x{side} patches)",
        num_levels=options.num_levels or 256,
        train=images["train"],
        validation=images["validation"],
        test=images["test"],
        source=photograph_sources(),
        licence=photograph_licences(),
        notes=(
            "training patches overlap by half; held-out ones do not",
            f"of held-out photographs the middle, at most {HELD_OUT_ROWS} x {HELD_OUT_COLUMNS} pixels",
            *([RANDOM_CROPS] if options.random_crops else []),
        ),
        split_rule="whole photographs; "
        + "; ".join(f"{split}: {', '.join(_files(split))}" for split in SPLITS),
        pictures=number_pictures(counts),
        uncut=uncut(trained_on, _counts(parts["train"])) if options.random_crops else None,
    )


def _counts(scenes: dict[str, list[Images]]) -> list[int]:
    """Return how many patches each photograph gave; those of one scene follow one another."""
    return [len(part) for scene in scenes.values() for part in scene]


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


def photograph_sources() -> str:
    """Return where the photographs come from, in one line."""
    each = [
        f"inside the {name} wheel: "
        + "; ".join(
            dict.fromkeys(
                f"{photo.scene}: {photo.source}"
                for photo in PHOTOGRAPHS
                if photo.package == package
            )
        )
        for package, name in DISTRIBUTIONS.items()
    ]
    return "; ".join(each)


def photograph_licences() -> str:
    """Return the licences of the photographs, in one line."""
    licences = dict.fromkeys(photo.licence for photo in PHOTOGRAPHS)
    return "; ".join(f"{licence}: {', '.join(_scenes_under(licence))}" for licence in licences)


def _scenes_under(licence: str) -> list[str]:
    return list(dict.fromkeys(photo.scene for photo in PHOTOGRAPHS if photo.licence == licence))


def _files(split: str) -> list[str]:
    return [photo.file for photo in PHOTOGRAPHS if photo.split == split]


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
