"""Models of others, named as MODULE:NAME or PATH.py:NAME, from the working folder."""

import contextlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pixelrnn.errors import SubjectError
from pixelrnn.wording import suggestion, told


def is_foreign(text: str) -> bool:
    """Return whether a text names something in a module, and no file or folder.

    Example:
        >>> is_foreign("my_module:build"), is_foreign("runs/mine"), is_foreign("./my.py:build.model")
        (True, False, True)
    """
    module, colon, name = text.rpartition(":")
    return (
        bool(colon and module and name and not Path(text).exists())
        and name.replace(".", "").isidentifier()
    )


def named(text: str) -> Any:
    """Return what MODULE:NAME names; a class, or a function without arguments, is called for it.

    Raises:
        SubjectError: if there is none, or it raises.
    """
    module_name, _, name = text.rpartition(":")
    with contextlib.redirect_stdout(sys.stderr):
        found: Any = _module(module_name)
        for part in name.split("."):
            if not hasattr(found, part):
                raise SubjectError(
                    f"{module_name} has no {name}{suggestion(part, filter(_is_public, dir(found)))}"
                )
            found = getattr(found, part)
        return _built(found, text)


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def _module(name: str) -> ModuleType:
    path = Path(name)
    try:
        with _from_here(path.parent if path.suffix == ".py" else Path()):
            if path.suffix != ".py":
                return importlib.import_module(name)
            if not path.is_file():
                raise SubjectError(f"there is no file {path}")
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[path.stem] = module
            spec.loader.exec_module(module)
            return module
    except SubjectError:
        raise
    except (Exception, SystemExit) as error:
        raise SubjectError(f"{name} cannot be imported: {told(error)}") from error


@contextlib.contextmanager
def _from_here(folder: Path) -> Iterator[None]:
    """Let modules be found in the working folder, and in that of a file."""
    folders = [str(folder.resolve()), str(Path.cwd())]
    sys.path[:0] = folders
    try:
        yield
    finally:
        for each in folders:
            sys.path.remove(each)


def method(owner: Any, name: str) -> Any:
    """Return a method of something by its name; raises `SubjectError` if it has none."""
    found = getattr(owner, name, None)
    if not callable(found):
        raise SubjectError(
            f"{type(owner).__name__} has no method {name}: name MODULE:NAME, or a method of what is audited"
        )
    return found


def _built(found: Any, text: str) -> Any:
    """Return what is named itself, or what it makes where it takes no arguments."""
    if not callable(found):
        raise SubjectError(
            f"{text} is a {type(found).__name__}: name a module of torch, a function of images, or a "
            "function without arguments that returns one"
        )
    needed = _num_needed(found)
    if isinstance(found, type) and needed:
        raise SubjectError(
            f"{text} needs {needed} arguments: name a function without arguments that builds it"
        )
    if not isinstance(found, type) and (needed or not inspect.isroutine(found)):
        return found
    try:
        built = found()
    except (Exception, SystemExit) as error:
        raise SubjectError(f"{text}() raised {told(error)}") from error
    if not callable(built):
        raise SubjectError(f"{text}() returned a {type(built).__name__}, which cannot be called")
    return built


def _num_needed(found: Any) -> int:
    """Return how many arguments must be given; a signature that cannot be read takes one."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return 1
    named_only = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return sum(
        each.default is inspect.Parameter.empty and each.kind not in named_only
        for each in parameters
    )
