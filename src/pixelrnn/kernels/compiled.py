"""Functions compiled once on a machine: kept on disk, checked when they come back, and never in the way.

numba keeps what it compiled, and trusts what it finds. Here each file begins with its checksum and says
what it was made for: one that is damaged, cut short or of other versions is compiled again, and written
over. Where nothing can be kept the work is done all the same, and a `NotKeptWarning` says what helps.
"""

import functools
import hashlib
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llvmlite.binding import ffi
from numba import njit
from numba.core import config
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.compiler_lock import global_compiler_lock

from pixelrnn.errors import CompilingError, NotKeptWarning

DIGEST_BYTES = hashlib.sha256().digest_size

_Files: Any = IndexDataCacheFile
_llvm_lock: Any = ffi.lib._lock
_listeners: list[Callable[[], None]] = []


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function when it is first called, or load what was compiled before.

    Args:
        options: of numba's `njit`.

    Raises:
        CompilingError: when the function is called, if numba is told not to compile.

    Example:
        >>> @compiled(error_model="numpy")
        ... def twice(number):
        ...     return 2 * number
        >>> twice.signatures  # until it is called
        []
    """

    def make(function: Callable[..., Any]) -> Any:
        if getattr(config, "DISABLE_JIT", False):
            return _refusing(function)
        dispatcher = njit(**options)(function)
        dispatcher._cache = _Kept(function)
        return dispatcher

    return make


@contextmanager
def notify_of_compiling(tell: Callable[[str], None] | None, line: str) -> Iterator[None]:
    """Tell a line, once, before a function is compiled inside; nothing where all are loaded."""
    told: list[str] = []

    def listen() -> None:
        if tell is not None and not told:
            told.append(line)
            tell(line)

    _listeners.append(listen)
    try:
        yield
    finally:
        _listeners.remove(listen)


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def refuse(*_: object, **__: object) -> None:
        raise CompilingError(
            "NUMBA_DISABLE_JIT is set, and uncompiled the loops would take hours: unset it"
        )

    refuse.signatures = []  # type: ignore[attr-defined]
    return refuse


class _Kept(NullCache):
    """What was compiled of one function, as a dispatcher of numba asks for it.

    The folder is looked for when it is first wanted: to import a module touches no disk.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._found: FunctionCache | None = None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled for a signature; None if it has to be compiled."""
        try:
            loaded = self._opened().load_overload(sig, target_context)
        except Exception:  # whatever it is that cannot be read is made again
            loaded = None
        if loaded is None:
            for listen in tuple(_listeners):
                listen()
        return loaded

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for a signature, if it can be kept."""
        try:
            self._opened().save_overload(sig, data)
        except Exception as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else ""
            place = "no folder for them can be written"
            if self._found is not None:
                place = f"{self._found.cache_path} cannot be written"
            warnings.warn(
                NotKeptWarning(
                    f"the compiled loops are not kept, and are compiled anew each time, for {place}"
                    f"{reason and f' ({reason})'}: set NUMBA_CACHE_DIR to a folder that can be"
                ),
                stacklevel=2,
            )

    def _opened(self) -> FunctionCache:
        if self._found is None:
            found = FunctionCache(self._function)
            stamp = found._impl.locator.get_source_stamp()
            found._cache_file = _CheckedFiles(found.cache_path, found._impl.filename_base, stamp)
            self._found = found
        return self._found


class _CheckedFiles(_Files):  # type: ignore[misc]
    """An index and its data files, each with its checksum and with what it was made for."""

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (key, data))

    def load(self, key: Any) -> Any:
        # Another process may have written another function's code where the index still says this one's.
        found = super().load(key)
        return found[1] if found is not None and found[0] == key else None

    def _load_index(self) -> Any:
        try:
            return self._read(self._index_path)
        except Exception:  # not there, damaged, or of versions whose types cannot be read
            return {}

    def _save_index(self, overloads: Any) -> None:
        self._write(self._index_path, overloads)

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> Any:
        content = Path(path).read_bytes()
        body = content[DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != content[:DIGEST_BYTES]:
            raise ValueError(f"{path} is damaged")
        made_for, data = pickle.loads(body)
        if made_for != (self._version, self._source_stamp):
            raise ValueError(f"{path} is of other versions")
        return data

    def _write(self, path: str, data: Any) -> None:
        body = self._dump(((self._version, self._source_stamp), data))
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(body).digest() + body)


def _begin_fork() -> None:
    global_compiler_lock.acquire()
    _llvm_lock.__enter__()


def _end_fork() -> None:
    _llvm_lock.__exit__(None, None, None)
    global_compiler_lock.release()


if hasattr(os, "register_at_fork"):
    # A process that is forked off in the middle of compiling would wait for ever for the rest of it. LLVM
    # has a lock of its own, held for moments outside of compiling, too: when code is forgotten.
    os.register_at_fork(before=_begin_fork, after_in_parent=_end_fork, after_in_child=_end_fork)
