"""From what a user writes to images: a path, a name, something made, or a change of one of these."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pixelrnn.data import DataSet
from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.data.finding import find_one
from pixelrnn.data.image_files import OTHER_IMAGES, SUFFIXES
from pixelrnn.data.loading import existing_path
from pixelrnn.data.splits import SPLITS
from pixelrnn.errors import DataError
from pixelrnn.scoring.changed import CHANGES
from pixelrnn.scoring.made import MADE
from pixelrnn.scoring.sources import Fit, Source, changed, of_album, of_data, of_folder, of_made
from pixelrnn.shipped import require_one_meaning
from pixelrnn.wording import choice, suggestion

ALBUM, ARRAYS = ".pxr", (".npy", ".npz")
MADE_COUNT = 1000  # images, where nobody says how many


@dataclass(frozen=True)
class Opening:
    """How images are opened for one model.

    Args:
        fit: what they must be like.
        size: (height, width) of images that are made; None if nobody said.
        load: reads a data set by its name or path, as the model's run reads its own.
        own: what the model's run was trained on, as its recipe says; None where there is no recipe.
        as_they_are: whether folders and albums are read image by image, for no setting says otherwise.
        count: the most images of any one.
        seed: of what is made, and of changes.
    """

    fit: Fit
    size: tuple[int, int] | None
    load: Callable[[str], DataSet]
    own: str | None = None
    as_they_are: bool = True
    count: int | None = None
    seed: int = 0

    def __call__(self, text: str, *, split: str | None = None, held_out: str = "test") -> Source:
        """Return the images that a user names.

        Args:
            text: NAME, PATH or CHANGE:NAME-or-PATH.
            split: train, validation, test or all, if the user says; by default all of a folder, an album
                or an array file.
            held_out: the split of sets whose splits are known, by default.

        Raises:
            DataError: if there is no such thing, or it cannot be read.
        """
        change, colon, rest = text.partition(":")
        path = existing_path(text) if text else None
        if colon and path is None:
            if change not in CHANGES:
                raise DataError(
                    f"there are no images {text}, nor a change of images {change!r}; "
                    f"{choice(change, CHANGES)}"
                )
            inner = self(rest, split=split, held_out=held_out)
            return changed(inner, change, self.fit.num_levels, self.seed)
        if text in MADE:
            require_one_meaning(text, "a set of images that are made", DataError)
            return self._made(text, split)
        return self._opened(text, path, split, held_out).at_most(self.count)

    def _made(self, name: str, split: str | None) -> Source:
        if split is not None:
            raise DataError(f"{name} is made, and has no splits: leave --split out")
        if self.size is None:
            raise DataError(
                f"{name} is made, and nobody says how large: add --set data.size=[32,32]"
            )
        shape = (self.fit.channels, *self.size)
        return of_made(name, shape, self.fit.num_levels, self.count or MADE_COUNT, self.seed)

    def _opened(self, text: str, path: Path | None, split: str | None, held_out: str) -> Source:
        is_named = text in CATALOGUE or text == self.own
        if path is None and not is_named:
            known = [*CATALOGUE, *MADE]
            what = f"there is no {text or 'name'}{suggestion(text, known)}"
            raise DataError(
                f"{what}: give a path, one of {', '.join(known)}, or a change of one, such as "
                f"{next(iter(CHANGES))}:{next(iter(CATALOGUE))}"
            )
        if is_named or path is None:
            return self._of_data(text, split, held_out)
        is_folder = path.is_dir() and find_one(path) is None
        if self.as_they_are and is_folder:
            return of_folder(_part(path, split), self.fit.num_levels)
        suffix = path.suffix.lower()
        if suffix in SUFFIXES | OTHER_IMAGES or (self.as_they_are and suffix == ALBUM):
            if split not in (None, "all"):
                raise DataError(f"{path} has no splits: leave --split out")
            return of_album(path) if suffix == ALBUM else of_folder(path, self.fit.num_levels)
        is_all = is_folder or suffix in (ALBUM, *ARRAYS)
        return self._of_data(text, split, "all" if is_all else held_out)

    def _of_data(self, text: str, split: str | None, usual: str) -> Source:
        data = self.load(text)
        return of_data(data, split or (usual if data.count(usual) else "all"))


def _part(folder: Path, split: str | None) -> Path:
    """Return the sub-folder of a split; the folder itself for all."""
    if split in (None, "all"):
        return folder
    if split not in SPLITS:
        raise DataError(f"there is no split {split!r}: choose one of {', '.join(SPLITS)}, all")
    if not (folder / split).is_dir():
        raise DataError(f"{folder} has no sub-folder {split}: leave --split out to score all of it")
    return folder / split
