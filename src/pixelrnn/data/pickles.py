"""Pickles that hold plain values and arrays of bytes, as CIFAR's Python version does; read, never run.

A pickle is a program. It is looked through first: only operations that build values are let pass, and few
times more of them than the largest published file has. The names that such a file may call are not what
they are elsewhere, but stand-ins that do what these files need and nothing else. So nothing is imported,
and no length that a pickle claims takes memory that its bytes do not fill.
"""

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from pixelrnn.errors import DataError
from pixelrnn.wording import as_ascii, first_line

# What pickle writes up to protocol 4 for dictionaries, lists, tuples, integers, bytes and text.
_OPERATIONS = (
    "PROTO FRAME STOP MARK EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 APPEND "
    "APPENDS SETITEM SETITEMS NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINSTRING "
    "SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINUNICODE SHORT_BINUNICODE GLOBAL STACK_GLOBAL "
    "REDUCE BUILD BINPUT LONG_BINPUT BINGET LONG_BINGET MEMOIZE"
)
OPERATIONS = frozenset(_OPERATIONS.split())
MAX_OPERATIONS = 1_000_000  # CIFAR-100's training images have a quarter of that
# Arrays need a few; a hundred inside each other are no danger to whoever compares them.
MAX_TUPLES = 100
MEMO = frozenset({"BINPUT", "LONG_BINPUT"})
TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})


class PickledArray:
    """An array of a pickle, before it is known to be one: shape, type and bytes are the file's word."""

    __slots__ = ("state",)

    def __setstate__(self, state: object) -> None:
        """Take version, shape, type, order and bytes, as numpy writes them."""
        self.state = state

    def to_numpy(self) -> npt.NDArray[np.uint8]:
        """Return the array of bytes that this stands for.

        Raises:
            ValueError: if it is none, or its bytes are not as many as its shape says.
        """
        match getattr(self, "state", None):
            case (int(), tuple() as shape, _Type("u1"), bool() as is_fortran, bytes() as content):
                if not all(type(side) is int and side >= 0 for side in shape):
                    raise ValueError("an array whose shape is damaged")
                if math.prod(shape) != len(content):
                    raise ValueError(f"an array of shape {shape} with {len(content):,} bytes")
                flat = np.frombuffer(content, np.uint8)
                return flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)
        raise ValueError("an array that is not of bytes (uint8)")


class _Type:
    """The type of an array's elements, such as "u1"."""

    __slots__ = ("code",)
    __match_args__ = ("code",)

    def __init__(self, code: object, *_: object) -> None:
        self.code = code.decode("ascii") if isinstance(code, bytes) else code

    def __setstate__(self, state: object) -> None:
        """Take what numpy adds: byte order and fields, which bytes have not."""


@dataclass(frozen=True)
class _Name:
    """A name that a pickle mentions: it can be called, if that makes sense, and not be changed."""

    call: Callable[..., object]

    def __call__(self, *arguments: object) -> object:
        return self.call(*arguments)

    def __setstate__(self, state: object) -> NoReturn:
        raise pickle.UnpicklingError("it changes what a name means")


def _nothing(*_: object) -> NoReturn:
    raise pickle.UnpicklingError("it makes an array without its bytes")


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._num_bytes_left = len(content)
        self._names: dict[tuple[str, str], Callable[..., object]] = {
            ("numpy", "ndarray"): _nothing,
            ("numpy", "dtype"): _Type,
            ("numpy.core.multiarray", "_reconstruct"): lambda *_: PickledArray(),
            ("numpy._core.multiarray", "_reconstruct"): lambda *_: PickledArray(),
            ("_codecs", "encode"): self._encoded,
        }

    def find_class(self, module: str, name: str) -> _Name:
        if (module, name) not in self._names:
            called = as_ascii(f"{module}.{name}")
            raise pickle.UnpicklingError(f"it calls {called}, which images need not")
        return _Name(self._names[module, name])

    def _encoded(self, text: object, encoding: object) -> bytes:
        """Return the bytes that Python 3 wrote as text: all of them together are no more than the file."""
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise pickle.UnpicklingError("it encodes other text than bytes")
        self._num_bytes_left -= len(text)
        if self._num_bytes_left < 0:
            raise pickle.UnpicklingError("it encodes one text again and again")
        return text.encode("latin-1")


def read_pickle(content: bytes, where: str) -> Any:
    """Return what a pickle holds; text of Python 2 as bytes, arrays as `PickledArray`.

    Args:
        content: the whole of it, in memory already.
        where: it is from, for the error.

    Raises:
        DataError: if it is damaged, or does anything but build values.

    Example:
        >>> read_pickle(pickle.dumps({"labels": [1, 2]}, protocol=2), "a file")
        {'labels': [1, 2]}
        >>> read_pickle(pickle.dumps(print), "a file")
        Traceback (most recent call last):
            ...
        pixelrnn.errors.DataError: a file is not read: it calls builtins.print, which images need not
    """
    try:
        _look_through(content)
    except Exception as error:  # pickletools raises nearly anything for damaged bytes
        raise DataError(
            f"{where} is truncated, damaged or no pickle ({_reason(error)}): fetch it again"
        ) from error
    try:
        return _Unpickler(content).load()
    except pickle.UnpicklingError as error:
        raise DataError(f"{where} is not read: {_reason(error)}") from error
    except Exception as error:
        raise DataError(f"{where} is damaged ({_reason(error)}): fetch it again") from error


def _look_through(content: bytes) -> None:
    """Raise a ValueError if a pickle does more than build a few values."""
    num_tuples = 0
    for number, (operation, argument, _) in enumerate(pickletools.genops(content)):
        name = operation.name
        num_tuples += name in TUPLES
        if name not in OPERATIONS:
            raise ValueError(f"the operation {name}, which images need not")
        if number == MAX_OPERATIONS or num_tuples > MAX_TUPLES:
            raise ValueError("far more operations than any file of images needs")
        if name in MEMO and not 0 <= int(argument or 0) < MAX_OPERATIONS:
            raise ValueError("a memo that would take all memory")


def _reason(error: Exception) -> str:
    return as_ascii(first_line(error), most=200)
