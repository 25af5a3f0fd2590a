"""Registries: what a folder of the package holds, by kind; a file added to the folder is in it.

A class enters with a decorator, when its file is imported, and `import_all` imports every file of a
package. So whatever is added is found by everything that asks the registry: configurations, recipes,
tables, and the tests of the contract.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar, cast

from pixelrnn.errors import UnknownKindError
from pixelrnn.wording import choice

T = TypeVar("T")
Entry = TypeVar("Entry")


class Registry(Mapping[str, T], Generic[T]):
    """What there is, by kind: in the order of its ranks, then of its kinds.

    Args:
        what: what is registered, in one word or two, for the errors.

    Example:
        >>> shapes = Registry[type]("shape")
        >>> shapes.add("dodecagon", int)
        >>> shapes.add("circle", float, rank=1)
        >>> list(shapes)
        ['circle', 'dodecagon']
        >>> shapes["cirle"]
        Traceback (most recent call last):
        pixelrnn.errors.UnknownKindError: there is no shape 'cirle'; did you mean circle? Known ...
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._entries: dict[str, tuple[int, T]] = {}

    def add(self, kind: str, entry: T, rank: int = 100) -> None:
        """Register an entry; the lowest ranks are listed first.

        Raises:
            ValueError: if the kind is taken.
        """
        if not kind:
            raise TypeError(f"a {self._what} without a kind: give its configuration one")
        if kind in self._entries:
            raise ValueError(f"two of one kind: there is a {self._what} {kind!r} already")
        self._entries[kind] = (rank, entry)

    def register(self, kind: str, rank: int = 100) -> Callable[[Entry], Entry]:
        """Return a decorator that registers what it decorates, and leaves it as it is; see `add`.

        Example:
            >>> shapes = Registry[type]("shape")
            >>> @shapes.register("circle")
            ... class Circle: ...
            >>> shapes["circle"] is Circle
            True
        """

        def enter(entry: Entry) -> Entry:
            self.add(kind, cast(T, entry), rank)
            return entry

        return enter

    def __getitem__(self, kind: str) -> T:
        if kind not in self._entries:
            raise UnknownKindError(f"there is no {self._what} {kind!r}; {choice(kind, self)}")
        return self._entries[kind][1]

    def __contains__(self, kind: object) -> bool:
        return kind in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries, key=lambda kind: (self._entries[kind][0], kind)))

    def __len__(self) -> int:
        return len(self._entries)


def import_all(package: str, path: Iterable[str], *, leave: Iterable[str] = ()) -> None:
    """Import every file of a package, so that what it registers is registered.

    Args:
        package: its dotted name.
        path: its `__path__`.
        leave: names of files to leave alone, which need the registry whole.
    """
    for module in pkgutil.iter_modules(path):
        if module.name not in leave:
            importlib.import_module(f"{package}.{module.name}")
