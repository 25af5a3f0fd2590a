"""Autoregressive image models that can be trusted to the last bit.

`import pixelrnn` is light: torch is imported only when something that needs it is first used.

Example:
    >>> import pixelrnn
    >>> data = pixelrnn.data.load("digits")
    >>> data.images("test").shape
    (297, 1, 8, 8)
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "Scorer": "pixelrnn.scoring:Scorer",
    "audit": "pixelrnn.auditing:audit",
    "complete": "pixelrnn.completion:complete",
    "data": "pixelrnn.data",
    "keep": "pixelrnn.completion:keep",
    "load": "pixelrnn.models.store:load",
    "open": "pixelrnn.coding:Album",
    "score": "pixelrnn.scoring:score",
}

# Without `open`: `from pixelrnn import *` must not take Python's away.
__all__ = ["Scorer", "__version__", "audit", "complete", "data", "keep", "load", "score"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'pixelrnn' has no attribute {name!r}")
    module, _, attribute = _EXPORTS[name].partition(":")
    value = importlib.import_module(module)
    return getattr(value, attribute) if attribute else value


def __dir__() -> list[str]:
    return sorted({*__all__, *_EXPORTS})
