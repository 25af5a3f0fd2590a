"""The named sets, as `catalogue.toml` has them: what each is, whose, its size, files and splits."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from pixelrnn.data.download import RemoteFile
from pixelrnn.data.options import DataOptions

Counts = tuple[int, int, int]


class NamedSet(BaseModel):
    """One named set.

    Attributes:
        name: what `load` and `--data` call it.
        description: what the images show.
        source: where they come from.
        licence: what its owners allow.
        image_shape: (C, H, W).
        levels: pixel values are 0 ... levels - 1, unless they are binarised.
        counts: number of images in train, validation and test.
        class_names: that its labels tell apart; none if it has no labels.
        options: the options that apply to it.
        remote_files: what must be downloaded; nothing if it is installed.
        fixed_counts, fixed_files: the same of the fixed binarisation.
        content_md5s: the checksums of what packed files hold, by name, however it is packed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    source: str
    licence: str
    image_shape: tuple[int, int, int]
    levels: int = 256
    counts: Counts
    class_names: tuple[str, ...] = ()
    options: frozenset[str] = frozenset({"num_levels"})
    remote_files: tuple[RemoteFile, ...] = ()
    fixed_counts: Counts = (0, 0, 0)
    fixed_files: tuple[RemoteFile, ...] = ()
    content_md5s: dict[str, str] = {}

    @property
    def num_classes(self) -> int:
        """How many classes the labels tell apart; 0 if there are no labels."""
        return len(self.class_names)

    def num_levels(self, options: DataOptions) -> int:
        """Return how many values a pixel may have, as the images are read."""
        return self.levels if options.binarisation == "none" else 2

    def splits(self, options: DataOptions) -> Counts:
        """Return the number of images in train, validation and test."""
        return self.fixed_counts if options.binarisation == "fixed" else self.counts

    def files(self, options: DataOptions) -> tuple[RemoteFile, ...]:
        """Return what must be downloaded; nothing if it is installed."""
        return self.fixed_files if options.binarisation == "fixed" else self.remote_files


def read_table(name: str) -> dict[str, Any]:
    """Return what one of the `.toml` files beside this one says."""
    return tomllib.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))


CATALOGUE: Mapping[str, NamedSet] = {
    name: NamedSet(name=name, **facts) for name, facts in read_table("catalogue.toml").items()
}
