"""What is known of the files in which a published set lies in a folder; `cifar` and `mnist` say it."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from pixelrnn.data.dataset import DataSet
from pixelrnn.data.options import DataOptions


class Layout(ABC):
    """One form in which a set lies in a folder.

    Attributes:
        name: of the set in the catalogue.
        archive: the file that it is packed into; "" if there is none.
        archive_md5: its checksum, as published.
    """

    name: str
    archive: str
    archive_md5: str

    @property
    @abstractmethod
    def label(self) -> str:
        """What it is, in words."""

    @abstractmethod
    def is_in(self, folder: Path, names: Iterable[str]) -> bool:
        """Return whether a folder that holds these names has files of this form, all of them or not."""

    @abstractmethod
    def missing(self, folder: Path, options: DataOptions) -> list[str]:
        """Return which of them are missing, for given options."""

    @abstractmethod
    def read(self, path: Path, options: DataOptions) -> tuple[DataSet, str]:
        """Return the images of a folder or archive, and what is not as it was published; "" if all is.

        Raises:
            DataError: if they cannot be read.
        """


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
