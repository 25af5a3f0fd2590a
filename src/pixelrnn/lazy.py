"""Sequences whose items are made when they are asked for."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class LazySequence(Sequence[T_co]):
    """A sequence that makes an item when it is asked for; a slice of it is a list."""

    @abstractmethod
    def _make(self, index: int) -> T_co:
        """Return item `index`, from 0 to the length - 1."""

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> list[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | list[T_co]:
        if isinstance(index, slice):
            return [self._make(n) for n in range(*index.indices(len(self)))]
        return self._make(range(len(self))[index])
