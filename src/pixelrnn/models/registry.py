"""The models there are, by kind: `MODELS`, their configurations `CONFIGS` and their names `LABELS`."""

from collections.abc import Callable
from typing import TypeVar

from pixelrnn.models.base import AutoregressiveModel
from pixelrnn.models.config import ModelConfig
from pixelrnn.models.torch_state import usual_torch
from pixelrnn.registry import Registry

MODELS = Registry[type[AutoregressiveModel]]("model")
CONFIGS = Registry[type[ModelConfig]]("model")
LABELS = Registry[str]("model")

_Model = TypeVar("_Model", bound=type[AutoregressiveModel])


def register(
    label: str, config: type[ModelConfig], *, rank: int = 100
) -> Callable[[_Model], _Model]:
    """Return a decorator that registers a model; nothing else need know of it.

    Args:
        label: its name for tables.
        config: its configuration; the default of `kind` is what recipes and files call the model.
        rank: its place in tables and lists; those of one rank are sorted by kind.
    """
    kind = config.model_fields["kind"].default

    def enter(model: _Model) -> _Model:
        MODELS.add(kind, model, rank)
        CONFIGS.add(kind, config, rank)
        LABELS.add(kind, label, rank)
        return model

    return enter


def build(config: ModelConfig) -> AutoregressiveModel:
    """Return a freshly initialised model of this configuration: float32, on the processor.

    Raises:
        UnknownKindError: if no such model is registered.
    """
    with usual_torch():
        return MODELS[config.kind](config)


def require_registered(package: str) -> None:
    """Raise `TypeError` if a file of the models' package has a model that is not registered.

    It would be trained by nobody and, worse, checked by no test.
    """
    families = [AutoregressiveModel]
    while families:
        model = families.pop()
        families += model.__subclasses__()
        ours = model.__module__.startswith(f"{package}.")
        if ours and not model.__abstractmethods__ and model not in MODELS.values():
            raise TypeError(f"{model.__module__}: {model.__name__} is not registered: decorate it")
