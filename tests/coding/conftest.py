"""Tiny models, their integer programs, programs in files, and images that are smooth."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from pixelrnn.coding import CodingModel, load_program, name_model, program_file, program_structure
from pixelrnn.errors import ModelFileError
from pixelrnn.graph import curves as tables
from pixelrnn.graph.operation import Features, Operation, Rescale, Tap
from pixelrnn.graph.program import FeatureMap, LikelihoodParameters, Program
from pixelrnn.models import ResidualModel
from pixelrnn.operations.export import export
from pixelrnn.operations.scales import Widths
from pixelrnn.stepper.coder import Coder

Images = npt.NDArray[np.uint8]


def draw_smooth_images(
    count: int, channels: int, height: int, width: int, num_levels: int = 17, seed: int = 0
) -> Images:
    """Draw uint8 images `(count, channels, height, width)` whose rows and colours hardly change."""
    steps = np.random.default_rng(seed).normal(size=(count, channels, height, width))
    from_the_middle = (0.06 * num_levels * steps).cumsum(axis=3)
    colours = 0.3 * from_the_middle + from_the_middle[:, :1]
    return (num_levels // 2 + colours).round().clip(0, num_levels - 1).astype(np.uint8)


@pytest.fixture
def smooth_images() -> Callable[..., Images]:
    """A function that draws smooth images, `(count, channels, height, width)`."""
    return draw_smooth_images


@pytest.fixture
def tiny_model(tiny_model: Callable[..., ResidualModel]) -> Callable[..., ResidualModel]:
    """A function that builds a tiny model with random weights, the same at every call."""

    def build(
        kind: str = "pixelcnn",
        likelihood: str = "categorical",
        channels: int = 1,
        num_levels: int = 17,
        *,
        noise: float = 0.1,
        **settings: object,
    ) -> ResidualModel:
        return tiny_model(
            kind, likelihood, channels, noise=noise, num_levels=num_levels, **settings
        )

    return build


@pytest.fixture
def coding_model(tiny_model: Callable[..., ResidualModel]) -> Callable[..., CodingModel]:
    """A function that builds the integer program of a tiny model, made anew at every call."""

    def build(
        kind: str = "pixelcnn",
        likelihood: str = "categorical",
        channels: int = 1,
        num_levels: int = 17,
        *,
        name: str = "tiny",
        widths: Widths = Widths(),  # noqa: B008
        **settings: object,
    ) -> CodingModel:
        model = tiny_model(kind, likelihood, channels, num_levels, **settings)
        images = draw_smooth_images(4, channels, 8, 8, num_levels, seed=100)
        return name_model(name, export(model.lower(images), widths))

    return build


@pytest.fixture
def program_made_by_hand() -> Callable[[str], Program]:
    """A function that makes a grey program of 5 levels which no float had a part in."""
    return make_program_by_hand


def make_program_by_hand(likelihood: Any) -> Program:
    """Make a program of every operation, from the integers of `whole_numbers` and straight lines."""
    program = Program(1, 5, 1)
    count = 5 if likelihood == "categorical" else 2 * 3 + 1
    image, hidden, both, narrow, late = (_new_map(program, size) for size in (2, 3, 3, 9, 3))
    gates, cell, stream, more = (_new_map(program, size, wide=True) for size in (12, 3, 9, 9))
    parameters = _new_map(program, count, wide=True)
    program.image, program.border = image.part(0, 1), image.part(1, 1)

    def product(features: Features, outputs: int, row: int = 0, column: int = 0) -> Tap:
        return Tap(features, row, column, whole_numbers((features.count, outputs), 999))

    def append(code: str, out: Features, *taps: Tap, shift: int, low: int = 0, **more: Any) -> None:
        wide = program.maps[out.map].wide
        low, high = (-(2**31) + 1, 2**31 - 1) if wide else (low, 4095)
        rescale = Rescale(np.full(out.count, shift, np.int32), low, high)
        bias = whole_numbers((out.count,), 1 << shift, np.int32)
        program.append(Operation(code, out, taps, bias, rescale=rescale, **more))

    before = [product(image, 12, 0, -1), product(image, 12, -1, 0), product(hidden, 12, -1, 1)]
    append("linear", gates, *before, shift=0)
    rescale = Rescale(np.full(1, 16, np.int32), 16, 0)
    lstm = Tap(gates), Tap(cell, -1, 0)
    program.append(Operation("lstm", hidden, lstm, cell=cell, rescale=rescale))
    program.append(Operation("add", both, (Tap(hidden), Tap(late, -1, 1))))
    append("linear", stream, product(both, 9), shift=2)
    append("requantise", narrow, Tap(stream), shift=5)
    append("linear", more, Tap(stream), product(narrow, 9), shift=3, residual=True)
    append("requantise", narrow, Tap(more), shift=6, low=-4095)
    append("linear", parameters, product(narrow, count), shift=12)
    with program.section("row_end"):
        program.append(Operation("add", late, (Tap(hidden),)))
    components = 0 if likelihood == "categorical" else 2
    program.likelihood = LikelihoodParameters(likelihood, (parameters,), components)
    program.curves = straight_curves()
    return program


def _new_map(program: Program, features: int, *, wide: bool = False) -> Features:
    fill = np.zeros(features, np.int32 if wide else np.int16)
    program.maps.append(FeatureMap(features, fill, wide))
    return Features(len(program.maps) - 1, 0, features)


def whole_numbers(
    shape: tuple[int, ...], largest: int, dtype: type = np.int16
) -> npt.NDArray[np.signedinteger]:
    """Return numbers from -largest to largest that look random."""
    count = np.arange(1, 1 + np.prod(shape))
    numbers = count * count * 7919 % (2 * largest + 1) - largest
    return numbers.astype(dtype).reshape(shape)


def straight_curves() -> tables.Curves:
    """Return curves that are straight lines."""
    sides = tables.SIGMOID_SIDE, tables.TANH_SIDE, tables.LOGISTIC_SIDE, tables.COUPLING_SIDE
    sigmoid, tanh, logistic, coupling = (np.arange(-side, side + 1) for side in sides)
    falling = np.arange(tables.EXPONENTIAL_SIZE, 0, -1)
    gate = 1 << tables.GATE_BITS
    return tables.Curves(
        ((sigmoid + sides[0]) * gate // (2 * sides[0])).astype(np.int16),
        (tanh * gate // sides[1]).astype(np.int16),
        (falling << tables.WEIGHT_BITS) // tables.EXPONENTIAL_SIZE,
        ((logistic + sides[2]) << tables.LOGISTIC_BITS) // (2 * sides[2]),
        (1 << tables.INVERSE_BITS) // (1 + np.arange(tables.num_scales(5)) // 64),
        (coupling << tables.COUPLING_BITS) // sides[3],
    )


def whole_image(height: int, width: int) -> Images:
    """Return a grey image of 5 levels `(height, width, 1)` that looks random."""
    levels = np.arange(height * width) * 7919 % 997 % 5
    return levels.astype(np.uint8).reshape(height, width, 1)


@pytest.fixture
def image_made_by_hand() -> Images:
    """A grey image `(9, 11, 1)` of 5 levels which no float had a part in."""
    return whole_image(9, 11)


@pytest.fixture
def check_that_images_come_back() -> Callable[[Program], None]:
    """A function that encodes and decodes an image with a program of grey images of 5 levels."""

    def check(program: Program) -> None:
        coder, image = Coder(program), whole_image(3, 4)
        np.testing.assert_array_equal(coder.decode(coder.encode(image), *image.shape), image)

    return check


Where = tuple[str | int, ...]


class Stored:
    """A program taken apart, to be damaged, written and read.

    Attributes:
        structure: what stands in the metadata as JSON.
        arrays: the tensors by name.
        metadata: the rest of it.
    """

    def __init__(self, program: Program, file: Path) -> None:
        structure, arrays = program_structure.take_apart(program)
        self.structure: Any = json.loads(json.dumps(structure))
        self.arrays = {name: array.copy() for name, array in arrays.items()}
        self.metadata = {"format": program_file.FORMAT, "name": "tiny"}
        self.metadata["format_version"] = str(program_file.FORMAT_VERSION)
        self._file = file

    def leaves(self, value: Any = None, where: Where = ()) -> Iterator[Where]:
        """Yield where the numbers, texts and truths of the structure are."""
        value = value if where else self.structure
        if isinstance(value, dict | list):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                yield from self.leaves(inner, (*where, key))
        else:
            yield where

    def around(self, where: Where) -> Any:
        """Return the list or dictionary in which something stands."""
        value = self.structure
        for key in where[:-1]:
            value = value[key]
        return value

    def load(self) -> CodingModel:
        """Write it and read it."""
        structure = {} if self.structure is None else {"structure": json.dumps(self.structure)}
        save_file(self.arrays, self._file, {**structure, **self.metadata})
        return load_program(self._file)

    def refused(self) -> str:
        """Check that it is refused, and return the line that says why."""
        with pytest.raises(ModelFileError) as caught:
            self.load()
        message = str(caught.value)
        assert len(message) > 20
        assert "\n" not in message
        return message


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """A categorical program made by hand, taken apart."""
    return Stored(make_program_by_hand("categorical"), tmp_path / "tiny.safetensors")
