"""A model or function that is audited: called with levels, it gives parameters or a clear error."""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from pixelrnn.auditing.borrowing import borrowed, seed_all
from pixelrnn.auditing.forms import Form, candidates
from pixelrnn.auditing.layouts import Layout, expected, named, possible
from pixelrnn.auditing.outputs import require_numbers, tensor_of
from pixelrnn.errors import SubjectError
from pixelrnn.wording import told

PROBES = 3  # images
SEED = 7


@dataclass(frozen=True)
class Subject:
    """What is audited.

    Attributes:
        function: takes images in the form `form`, gives outputs in the layout `layout`.
        name: of it.
        shape: of an image, (channels, height, width).
        num_levels: of a sub-pixel.
        modules: that it is made of, as far as they are known.
        form: of its inputs.
        layout: of its outputs.
        other_forms: that it takes as well.
        other_layouts: that its outputs could have as well.
    """

    function: Callable[..., Any]
    name: str
    shape: tuple[int, int, int]
    num_levels: int
    modules: Sequence[nn.Module] = ()
    form: Form = field(default_factory=lambda: Form("levels"))
    layout: Layout = field(default_factory=lambda: Layout("logits", "(B, K, C, H, W)"))
    other_forms: tuple[Form, ...] = ()
    other_layouts: tuple[Layout, ...] = ()

    @property
    def num_positions(self) -> int:
        """How many sub-pixels an image has."""
        channels, height, width = self.shape
        return channels * height * width

    def sizes(self, count: int) -> dict[str, int]:
        """Return the sizes of the axes for a number of images."""
        return dict(zip("BCHWK", (count, *self.shape, self.num_levels), strict=True))

    @contextmanager
    def under(self, dtype: torch.dtype | None = None, *, training: bool = False) -> Iterator[None]:
        """Set precision and mode for a while; all is given back as it was."""
        with borrowed(self.modules, dtype, training=training):
            yield

    def encode(self, levels: Tensor) -> Tensor:
        """Return levels as it takes them, on the device of its weights."""
        weights = (each for module in self.modules for each in module.parameters())
        weight = next((each for each in weights if each.is_floating_point()), torch.empty(0))
        return self.form.encode(levels.to(weight.device), self.num_levels, weight.dtype)

    def output(self, inputs: Tensor, *, is_seeded: bool = True) -> Tensor:
        """Return the output for inputs as it takes them.

        Raises:
            SubjectError: if it raises, or gives no tensor of finite numbers.
        """
        if is_seeded:
            seed_all(SEED)
        given = self.form.given(inputs)
        try:
            result = self.function(given)
        except SubjectError:
            raise
        except (Exception, SystemExit) as error:
            raise SubjectError(
                f"{self.name} raised {told(error)}, given {self._given(inputs)}"
            ) from error
        try:
            found, _ = tensor_of(result)
            require_numbers(found)
        except SubjectError as error:
            raise SubjectError(f"{self.name}: {error}, given {self._given(inputs)}") from None
        return found

    def _given(self, inputs: Tensor) -> str:
        kind = "numpy " if self.form.as_array else ""
        return f"{kind}{str(inputs.dtype).removeprefix('torch.')} {tuple(inputs.shape)}"

    def parameters(self, levels: Tensor, *, is_seeded: bool = True) -> Tensor:
        """Return what it says of each position, `(B, groups, maps, H, W)`, on the processor.

        Args:
            levels: int64 `(B, C, H, W)`.
            is_seeded: whether what it draws is the same at each call.

        Raises:
            SubjectError: if it raises, or what it gives has no such layout.
        """
        output = self.output(self.encode(levels), is_seeded=is_seeded)
        return self.read(output, len(levels)).clone()  # it may be written into at the next call

    def read(self, output: Tensor, count: int) -> Tensor:
        """Return what an output for so many images says of each position."""
        sizes = self.sizes(count)
        output = output.cpu()
        if not self.layout.fits(output, sizes):
            raise SubjectError(
                f"{self.name}: expected {self.layout} of {count} images; {tuple(output.shape)} came"
            )
        return self.layout.parameters(output, sizes)

    def log_pmf(self, levels: Tensor) -> Tensor:
        """Return the log-probability of every level, `(B, C, H, W, K)` nats in float64."""
        return self.layout.log_pmf(self.parameters(levels), levels, self.num_levels)

    def nats(self, levels: Tensor) -> Tensor:
        """Return what each image costs, `(B,)` nats."""
        return self.layout.nats(self.parameters(levels), levels, self.num_levels)


def find(
    function: Callable[..., Any],
    shape: tuple[int, int, int],
    num_levels: int,
    *,
    scores: bool = False,
    inputs: str = "",
    layout: str = "",
    name: str = "",
) -> Subject:
    """Return a subject, with the form of inputs and the layouts of outputs found out by trying.

    Raises:
        SubjectError: if it cannot be called, or its outputs have no layout that is known.
    """
    function = getattr(function, "_orig_mod", function)  # of torch.compile
    subject = Subject(
        function, name or name_of(function), shape, num_levels, tuple(modules_of(function))
    )
    wanted = named(layout, shape[0], num_levels) if layout else None
    levels = torch.randint(
        num_levels, (PROBES, *shape), generator=torch.Generator().manual_seed(SEED)
    )
    errors: list[SubjectError] = []
    taken: list[Subject] = []
    with subject.under(), torch.no_grad():
        for form in candidates(shape, num_levels, inputs):
            if taken and (form.pattern, form.as_array) != (
                taken[0].form.pattern,
                taken[0].form.as_array,
            ):
                break
            try:
                taken.append(_tried(replace(subject, form=form), levels, scores, wanted))
            except SubjectError as error:
                errors.append(error)
    if not taken:
        raise _most_telling(errors)
    others = tuple(each.form for each in taken[1:])
    return replace(taken[0], other_forms=others)


def _tried(subject: Subject, levels: Tensor, scores: bool, wanted: Layout | None) -> Subject:
    """Return the subject with the layouts of its outputs, if it takes this form of inputs."""
    output = subject.output(subject.encode(levels)).cpu()
    sizes = subject.sizes(len(levels))
    if wanted is not None:
        subject = replace(subject, layout=wanted)
        subject.read(output, len(levels))
        return subject
    found = possible(output, sizes, scores=scores)
    if not found:
        channels, height, width = subject.shape
        raise UnreadError(
            f"{subject.name} gave {tuple(output.shape)} for {len(levels)} images: of "
            f"{channels}x{height}x{width} with "
            f"{subject.num_levels} levels are expected {expected(sizes, scores=scores)}"
        )
    return replace(subject, layout=found[0], other_layouts=tuple(found[1:]))


class UnreadError(SubjectError):
    """An output that came, of a shape that is not understood."""


def _most_telling(errors: list[SubjectError]) -> SubjectError:
    """Return the error to show: of an output that came, before those of inputs that were not taken."""
    for error in errors:
        if not isinstance(error.__cause__, Exception):
            return error
    return errors[0]


def name_of(function: Any) -> str:
    """Return what to call a function or module.

    Example:
        >>> name_of(torch.nn.Linear(1, 1)), name_of(name_of)
        ('Linear', 'name_of')
    """
    return str(getattr(function, "__name__", type(function).__name__))


def modules_of(function: Any, depth: int = 3) -> list[nn.Module]:
    """Return the modules that a function is, belongs to, or names.

    Args:
        function: anything that can be called.
        depth: how far functions that it names are followed.

    Example:
        >>> layer = torch.nn.Linear(1, 1)
        >>> modules_of(lambda images: layer(images)) == modules_of(layer) == [layer]
        True
    """
    if isinstance(function, nn.Module):
        return [function]
    if isinstance(function, functools.partial):
        parts = [function.func, *function.args, *function.keywords.values()]
    elif inspect.ismethod(function):
        parts = [function.__self__, function.__func__]
    elif inspect.isfunction(function):
        names = inspect.getclosurevars(function)
        parts = [*names.nonlocals.values(), *names.globals.values()]
    else:
        parts = list(getattr(function, "__dict__", {}).values())
    found = [part for part in parts if isinstance(part, nn.Module)]
    if depth:
        called = [
            each for each in parts if callable(each) and not isinstance(each, type | nn.Module)
        ]
        found += [module for each in called for module in modules_of(each, depth - 1)]
        if inspect.ismethod(function) and not isinstance(function.__self__, nn.Module):
            found += modules_of(function.__self__, 0)
    return list(dict.fromkeys(found))
