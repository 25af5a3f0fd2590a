"""Sequences whose items are made when they are asked for."""

import itertools
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

import numpy as np

from pixelrnn.arrays import Integers

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


class Picked(LazySequence[T_co]):
    """Some items of another sequence.

    Args:
        items: all of them.
        numbers: those that are picked, in their order.

    Example:
        >>> picked = Picked("abcd", np.array([0, 3]))
        >>> picked[-1], list(picked)
        ('d', ['a', 'd'])
    """

    def __init__(self, items: Sequence[T_co], numbers: Integers) -> None:
        self._items, self._numbers = items, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def _make(self, index: int) -> T_co:
        return self._items[int(self._numbers[index])]

    def __iter__(self) -> Iterator[T_co]:
        """Yield them in turn, as fast as those of the other sequence."""
        is_picked = np.zeros(len(self._items), bool)
        is_picked[self._numbers] = True
        return itertools.compress(self._items, is_picked)
