"""Saving a model, and loading it again without trusting the file.

`model.safetensors` holds the weights and, in its metadata, the configuration: the file alone rebuilds
the model. `config.json` beside it is the same configuration for people to read; it is never read back.
A loaded file is checked before memory is taken: its header, the configuration's bounds, and the shape
of every tensor against the model that the configuration describes.
"""

import hashlib
import json
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from pixelrnn import shipped
from pixelrnn.errors import ModelFileError
from pixelrnn.files import replacing, write_json
from pixelrnn.likelihoods import LIKELIHOODS
from pixelrnn.models import MODELS, AnyModelConfig, AutoregressiveModel, build
from pixelrnn.models.torch_state import find_device, usual_torch
from pixelrnn.runs.run_folder import runs_inside
from pixelrnn.untrusted import check_safetensors, read_json
from pixelrnn.wording import choice, first_line

MODEL_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
FORMAT = "pixelrnn-model"
FORMAT_VERSION = 1
CHECKSUM = "sha256"  # in the metadata; files of earlier versions and of others have none
CALIBRATION = "calibration"  # how large results become; files of earlier versions have none
DTYPE = "F32"  # as safetensors calls it
# A mask has entries for what it hides too: in our layers at most as many as for weights.
MASK_ENTRIES_PER_WEIGHT = 2
# A model may be built that has this many times the numbers of the file, so that the error names a tensor.
SLACK = 2
MAX_BYTES = 1 << 32  # what is taken is a small multiple of the file's own size, whatever that is


def save(
    model: AutoregressiveModel,
    folder: Path,
    *,
    name: str = MODEL_FILE,
    weights: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Write the weights of a model, and `config.json`, into `folder`.

    Args:
        model: the model.
        folder: where they go.
        name: of the file of weights.
        weights: others of the same model, as its `state_dict` has them, in place of its own.

    Raises:
        ModelFileError: if the weights are not float32, which is all that is read back.
        OutputError: if the folder cannot be written to.
    """
    if model.dtype != torch.float32:
        raise ModelFileError(f"weights are saved as float32, not {model.dtype}: use model.float()")
    config = model.config.model_dump(mode="json")
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "config": json.dumps(config),
    }
    tensors = model.state_dict() if weights is None else weights
    held = {key: value.detach().cpu() for key, value in tensors.items()}
    if model.calibration is not None and weights is None:
        held[CALIBRATION] = torch.from_numpy(model.calibration).float()
    write_tensors(folder / name, held, metadata)
    write_json(folder / CONFIG_FILE, config)


@usual_torch()
def load(path: str | Path, *, device: str | torch.device = "cpu") -> AutoregressiveModel:
    """Return a model in evaluation mode, float32.

    Args:
        path: a run folder, a `.safetensors` file, or the name of a model that comes with the package.
        device: "cpu", "cuda", "cuda:1", "mps", or "auto" for the fastest of them that is here.

    Raises:
        DeviceError: if this machine has no such device.
        ModelFileError: if there is none, or it is not ours, of a later version, damaged, of
            another shape than its configuration says, or has weights that are not finite float32.

    Example:
        >>> import tempfile
        >>> from pixelrnn.models import PixelCNNConfig
        >>> folder = Path(tempfile.mkdtemp())
        >>> save(build(PixelCNNConfig(channels=1, features=4)), folder)
        >>> load(folder).config.features
        4
    """
    place = find_device(device)
    file = shipped.file_of(path, shipped.WEIGHTS)
    if file.is_dir():
        file = file / MODEL_FILE
    if not file.is_file():
        raise ModelFileError(
            runs_inside(Path(path))
            or f"there is no model in {path}: give a run folder that holds {MODEL_FILE}, or such a file"
        )
    check_safetensors(file, most_bytes=MAX_BYTES)
    try:
        with safe_open(file, framework="pt") as opened:
            config = _config(file, opened.metadata() or {})
            shapes = _shapes(file, opened)
            _check_shapes(file, {n: s for n, s in shapes.items() if n != CALIBRATION}, config)
            weights = {name: opened.get_tensor(name) for name in shapes}
            metadata = opened.metadata()
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"{file} is not a safetensors file, or it is damaged ({error}); get it again"
        ) from error
    for name, value in weights.items():
        if not value.isfinite().all():
            raise ModelFileError(f"{file} is damaged: {name} holds numbers that are not finite")
    if not is_intact(weights, metadata):
        raise ModelFileError(f"{file} is damaged: it has another checksum; get it again")
    model = build(config)
    calibration = weights.pop(CALIBRATION, None)
    if calibration is not None:
        model.calibration = calibration.double().numpy()
    model.load_state_dict(weights)
    if file.parent == shipped.FOLDER:
        model.shipped_as = file.name.removesuffix(shipped.WEIGHTS)
    return model.to(place).eval()


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file with a checksum among its metadata.

    Raises:
        OutputError: if it cannot be written.
    """
    content = to_bytes(tensors, {**metadata, CHECKSUM: checksum(tensors, metadata)})
    with replacing(path) as beside:
        beside.write_bytes(content)


def checksum(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    """Return the SHA-256 of all that a file says: names, types, shapes, numbers and metadata."""
    about = {key: value for key, value in metadata.items() if key != CHECKSUM}
    shapes = {name: [str(value.dtype), *value.shape] for name, value in tensors.items()}
    digest = hashlib.sha256(json.dumps([about, shapes], sort_keys=True).encode())
    for _, value in sorted(tensors.items()):
        digest.update(value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def is_intact(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> bool:
    """Return whether a file has the checksum that it says; those of earlier versions say none."""
    return metadata.get(CHECKSUM, "") in ("", checksum(tensors, metadata))


def _config(file: Path, metadata: dict[str, str]) -> AnyModelConfig:
    if metadata.get("format") == "pixelrnn-integer-program":
        raise ModelFileError(
            f"{file} holds integers, which only compress and decompress: give the run folder or the "
            "weights that it was made of"
        )
    if metadata.get("format") != FORMAT:
        raise ModelFileError(f"{file} is a safetensors file, but not of a pixelrnn model")
    try:
        version = int(metadata.get("format_version", ""))
    except ValueError:
        version = 0
    if version < 1:
        raise ModelFileError(f"{file} does not say its format version; get it again")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{file} has format version {version}, and this pixelrnn reads up to {FORMAT_VERSION}: "
            "install a later pixelrnn"
        )
    try:
        read_json(metadata["config"])  # is stricter than who reads it next
        config: AnyModelConfig = TypeAdapter(AnyModelConfig).validate_json(metadata["config"])
    except KeyError as error:
        raise ModelFileError(f"{file} has no usable configuration: none there") from error
    except ValueError as error:
        reason = _reason(error) if isinstance(error, ValidationError) else first_line(error)
        raise ModelFileError(f"{file} has no usable configuration: {reason}") from error
    return config


def _reason(error: ValidationError) -> str:
    """Return the first problem of a configuration; a kind that is not known is named with those known."""
    first = error.errors()[0]
    match first["loc"], first.get("ctx", {}):
        case (), {"tag": kind}:
            return f"there is no model {kind!r}; {choice(kind, MODELS)}"
        case (_, "likelihood"), {"tag": kind}:
            return f"there is no likelihood {kind!r}; {choice(kind, LIKELIHOODS)}"
        case _:
            return first["msg"]


def _shapes(file: Path, opened: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor from the header."""
    shapes = {}
    for name in opened.keys():  # noqa: SIM118 - it is not a dictionary
        header = opened.get_slice(name)
        if header.get_dtype() != DTYPE:
            raise ModelFileError(
                f"{file}: {name} is of type {header.get_dtype()}, but a model's weights are {DTYPE}: "
                "convert them, or get the file again"
            )
        shapes[name] = tuple(header.get_shape())
    return shapes


def _check_shapes(file: Path, shapes: dict[str, tuple[int, ...]], config: AnyModelConfig) -> None:
    """Compare the header with the model that the configuration describes."""
    held = sum(math.prod(shape) for shape in shapes.values())
    too_few = ModelFileError(
        f"{file} holds {held:,} numbers, too few for the model that its configuration describes"
    )
    limit = SLACK * held
    if config.fewest_parameters() > limit:
        raise too_few
    with _at_most(limit, too_few):
        model = build(config)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    for name in sorted(expected.keys() | shapes.keys()):
        if shapes.get(name) != expected.get(name):
            raise ModelFileError(
                f"{file} does not fit its configuration: {name} should be "
                f"{expected.get(name, 'absent')} but is {shapes.get(name, 'absent')}"
            )


@contextmanager
def _at_most(limit: int, error: ModelFileError) -> Iterator[None]:
    """Stop building a model, layer by layer, once it has more numbers than `limit`."""
    thread = threading.get_ident()
    counted = 0

    def count(module: torch.nn.Module, name: str, parameter: Any) -> None:
        nonlocal counted
        if parameter is not None and threading.get_ident() == thread:
            counted += parameter.numel()
            if counted > limit:
                raise error

    def look(module: torch.nn.Module, name: str, buffer: Any) -> None:
        if threading.get_ident() == thread and buffer.numel() > MASK_ENTRIES_PER_WEIGHT * limit:
            raise error

    hooks = [
        register_module_parameter_registration_hook(count),
        register_module_buffer_registration_hook(look),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
