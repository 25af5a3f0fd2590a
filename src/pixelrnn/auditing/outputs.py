"""What a user's function gives back: the tensor in it, or one line that says what else it is."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelrnn.errors import SubjectError
from pixelrnn.wording import joined

MOST_SHOWN = 4  # of a tuple's or a dict's parts


def tensor_of(output: Any) -> tuple[Tensor, str]:
    """Return the tensor in an output, and where it was: "" if it is the output itself.

    Raises:
        SubjectError: if there is none, or one that holds no floating-point numbers.
    """
    found, where = _search(output)
    if found is None:
        raise SubjectError(f"expected a tensor of floating-point numbers; {_kind(output)} came")
    if not found.is_floating_point():
        raise SubjectError(
            f"expected floating-point logits or log-probabilities; {_kind(found)} came, which may be "
            "levels that were chosen already"
        )
    return found, where


def _search(output: Any) -> tuple[Tensor | None, str]:
    if isinstance(output, Tensor):
        return output, ""
    if isinstance(output, dict):
        return _search_dict(output)
    if isinstance(output, tuple | list):
        return _search_tuple(output)
    if not isinstance(output, np.ndarray | np.generic) and hasattr(output, "logits"):
        return _search(output.logits)[0], ".logits of it"
    if hasattr(output, "__array__"):
        array = np.asarray(output)
        if array.dtype.kind in "fiub":
            return torch.from_numpy(np.array(array)), ""
    return None, ""


def _search_dict(output: dict[Any, Any]) -> tuple[Tensor | None, str]:
    keys = [key for key in output if _search(output[key])[0] is not None]
    chosen = "logits" if "logits" in keys else (keys[0] if len(keys) == 1 else None)
    if chosen is None and keys:
        names = joined([repr(key) for key in keys[:MOST_SHOWN]])
        raise SubjectError(f"expected one tensor; a dict of {names} came: return one of them")
    return (_search(output[chosen])[0], f"[{chosen!r}] of it") if keys else (None, "")


def _search_tuple(output: tuple[Any, ...] | list[Any]) -> tuple[Tensor | None, str]:
    found = [(n, each) for n, each in enumerate(output) if isinstance(each, Tensor | np.ndarray)]
    large = [(n, each) for n, each in found if each.ndim > 0]
    if not large:
        return None, ""
    if len(large) > 1 and large[0][1].ndim <= max(each.ndim for _, each in large[1:]):
        raise SubjectError(
            f"expected one tensor; {_kind(output)} came: return the one with the logits"
        )
    number, tensor = large[0]
    return _search(tensor)[0], f"[{number}] of it"


def _kind(output: Any) -> str:
    """Return what an output is, in a few words."""
    if isinstance(output, Tensor | np.ndarray):
        dtype = str(output.dtype).removeprefix("torch.")
        return f"{dtype} {tuple(output.shape)}"
    if isinstance(output, tuple | list):
        parts = joined([_kind(each) for each in output[:MOST_SHOWN]])
        return f"a {type(output).__name__} of {len(output)}: {parts}"
    if isinstance(output, dict):
        return f"a dict of {joined([repr(key) for key in list(output)[:MOST_SHOWN]]) or 'nothing'}"
    return "None" if output is None else f"a {type(output).__name__}"


def require_numbers(values: Tensor) -> None:
    """Raise `SubjectError` where a value is not a number, or plus infinity."""
    if values.sum().isfinite():  # one look at all of them
        return
    bad = values.isnan() | (values == torch.inf)
    if bad.any():
        place = tuple(bad.nonzero()[0].tolist())
        what = "NaN" if values[place].isnan() else "infinity"
        raise SubjectError(
            f"expected finite numbers; {what} came in {int(bad.sum()):,} of {bad.numel():,} outputs, "
            f"the first at {place}"
        )
