"""What a model's outputs mean: registered layouts, and which of them an output may have.

Every layout makes of an output the *parameters* of each position, `(B, groups, maps, H, W)`, which must
not depend on anything that comes later, and the logarithms of the probabilities, `(B, C, H, W, K)`. Groups
are colours, or there is one for the whole pixel.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pixelrnn.auditing import mixtures
from pixelrnn.auditing.axes import Sizes, fits, parse, unfold
from pixelrnn.errors import SubjectError
from pixelrnn.wording import joined

LOGITS, PROBABILITIES, BERNOULLI, SIGMOID = "logits", "probabilities", "Bernoulli", "probability"
MIXTURE, SCORES, IMAGE_SCORES = "mixture", "log_prob", "log_prob of images"
SUMS_TO_ONE = 1e-3


@dataclass(frozen=True)
class Layout:
    """What outputs mean.

    Attributes:
        kind: of distribution.
        pattern: the axes, see `axes`.
        is_negative: whether scores are minus the log-probability.
    """

    kind: str
    pattern: str
    is_negative: bool = False

    def __str__(self) -> str:
        """Name it, as `layout` takes it."""
        return f"{'minus ' if self.is_negative else ''}{self.kind} {self.pattern}"

    @property
    def is_of_images(self) -> bool:
        """Whether there is one number for a whole image."""
        return self.kind == IMAGE_SCORES

    @property
    def is_score(self) -> bool:
        """Whether the numbers are log-probabilities of the levels that are there."""
        return self.kind in {SCORES, IMAGE_SCORES}

    def fits(self, output: Tensor, sizes: Sizes) -> bool:
        """Return whether an output has this layout."""
        if self.is_of_images:
            return tuple(output.shape) == (sizes["B"],)
        return fits(self.pattern, tuple(output.shape), sizes)

    def compared(self, parameters: Tensor) -> Tensor:
        """Return parameters without what changes no probability: what all logits have in common."""
        if self.kind == LOGITS:
            return parameters - parameters.amax(dim=2, keepdim=True)
        return parameters

    def parameters(self, output: Tensor, sizes: Sizes) -> Tensor:
        """Return what an output says of each position, `(B, groups, maps, H, W)`."""
        match self.kind:
            case "logits" | "probabilities":
                return unfold(output, self.pattern, sizes, "BCKHW")
            case "mixture":
                return unfold(output, self.pattern, sizes, "BnHW").unsqueeze(1)
            case "Bernoulli" | "probability" | "log_prob":
                return unfold(output, self.pattern, sizes, "BCHW").unsqueeze(2)
            case "log_prob of images":
                return output.reshape(-1, 1, 1, 1, 1)
            case _:
                raise ValueError(f"no layout {self.kind}")

    def log_pmf(self, parameters: Tensor, levels: Tensor, num_levels: int) -> Tensor:
        """Return the log-probability of every level given what comes before, `(B, C, H, W, K)` nats."""
        values = parameters.double()
        match self.kind:
            case "logits":
                return values.log_softmax(dim=2).movedim(2, -1)
            case "probabilities":
                return values.log().log_softmax(dim=2).movedim(2, -1)
            case "Bernoulli":
                both = torch.cat([torch.zeros_like(values), values], dim=2)
                return both.log_softmax(dim=2).movedim(2, -1)
            case "probability":
                return torch.cat([1 - values, values], dim=2).log().movedim(2, -1)
            case "mixture":
                return mixtures.log_pmf(values[:, 0], levels, num_levels)
            case _:
                raise ValueError(f"of {self.kind} only the levels that are there are known")

    def nats(self, parameters: Tensor, levels: Tensor, num_levels: int) -> Tensor:
        """Return what each image costs, `(B,)` nats."""
        if self.is_score:
            scores = parameters.double().flatten(1).sum(dim=1)
            return scores if self.is_negative else -scores
        pmf = self.log_pmf(parameters, levels, num_levels)
        return -pmf.gather(-1, levels[..., None]).flatten(1).sum(dim=1)


_OF_LEVELS = (
    "(B, K, H, W)",
    "(B, H, W, K)",
    "(B, K, C, H, W)",
    "(B, C, H, W, K)",
    "(B, C, K, H, W)",
    "(B, H, W, C, K)",
    "(B, H, W, K, C)",
    "(B, K, H, W, C)",
    "(B, C*K, H, W)",
    "(B, K*C, H, W)",
    "(B, H, W, C*K)",
    "(B, H, W, K*C)",
    "(B, H*W*C, K)",
    "(B, C*H*W, K)",
    "(B, K, H*W*C)",
    "(B, K, C*H*W)",
    "(B, H*W, C, K)",
)
_OF_SUB_PIXELS = (
    "(B, C, H, W)",
    "(B, H, W)",
    "(B, H, W, C)",
    "(B, H*W*C)",
    "(B, C*H*W)",
)
_OF_MIXTURES = ("(B, {}*n, H, W)", "(B, H, W, {}*n)")


def _registered(channels: int, num_levels: int, *, scores: bool) -> Iterator[Layout]:
    if scores:
        yield Layout(IMAGE_SCORES, "(B)")
        yield from (Layout(SCORES, pattern) for pattern in _OF_SUB_PIXELS)
        return
    yield from (Layout(LOGITS, pattern) for pattern in _OF_LEVELS)
    if num_levels == 2:
        yield from (Layout(BERNOULLI, pattern) for pattern in _OF_SUB_PIXELS)
    per_component = mixtures.PER_COMPONENT.get(channels)
    if per_component:
        yield from (Layout(MIXTURE, each.format(per_component)) for each in _OF_MIXTURES)


def named(text: str, channels: int, num_levels: int) -> Layout:
    """Return the layout that a user named, such as "(B, K*C, H, W)" or "mixture (B, 10*n, H, W)".

    Raises:
        SubjectError: if there is none like it.
    """
    is_negative = text.strip().startswith("minus ")
    word, _bracket, axes = text.removeprefix("minus ").partition("(")
    kinds = {kind.lower(): kind for kind in (LOGITS, PROBABILITIES, BERNOULLI, SIGMOID, MIXTURE,
                                             SCORES, IMAGE_SCORES)}  # fmt: skip
    try:
        names = {name for axis in parse(axes) for name in axis}
        kind = kinds[word.strip().lower()] if word.strip() else _usual_kind(names, num_levels)
    except (ValueError, KeyError):
        raise SubjectError(
            f"{text!r} is no layout: write the axes, such as (B, K, C, H, W), (B, C*K, H, W) or "
            f"(B, C, H, W), and before them, if need be, one of {joined(list(kinds.values()))}"
        ) from None
    if kind == SCORES and names <= {"B"}:
        kind = IMAGE_SCORES
    if kind == MIXTURE and channels not in mixtures.PER_COMPONENT:
        raise SubjectError(f"a mixture is of 1 or 3 colours, not of {channels}")
    if (kind in {LOGITS, PROBABILITIES}) != ("K" in names) or ((kind == MIXTURE) != ("n" in names)):
        raise SubjectError(f"{text!r}: {kind} is not of these axes")
    return Layout(kind, f"({', '.join('*'.join(axis) for axis in parse(axes))})", is_negative)


def _usual_kind(names: set[str], num_levels: int) -> str:
    if "n" in names:
        return MIXTURE
    if "K" in names:
        return LOGITS
    return BERNOULLI if num_levels == 2 and names != {"B"} else SCORES


def possible(output: Tensor, sizes: Sizes, *, scores: bool) -> list[Layout]:
    """Return the layouts that an output may have, by its shape and its values; none if it fits none."""
    known = list(_registered(sizes["C"], sizes["K"], scores=scores))
    if not scores:  # what can only be log-probabilities
        known += _registered(sizes["C"], sizes["K"], scores=True)
    found = [each for each in known if each.fits(output, sizes)]
    if any(each.kind in {LOGITS, BERNOULLI} for each in found):
        found = [each for each in found if each.kind in {LOGITS, BERNOULLI}]
    return list(_distinct(found, sizes, lambda each: _read(each, output, sizes)))


def _distinct(
    found: list[Layout], sizes: Sizes, read: Callable[[Layout], Layout | None]
) -> Iterator[Layout]:
    """Yield those that differ: with one colour, C*K and K*C are the same."""
    seen = set()
    for each in found:
        layout = read(each)
        axes = [[name for name in axis if sizes.get(name, 2) > 1] for axis in parse(each.pattern)]
        key = (each.kind, tuple(tuple(axis) for axis in axes if axis))
        if layout is not None and key not in seen:
            seen.add(key)
            yield layout


def _read(layout: Layout, output: Tensor, sizes: Sizes) -> Layout | None:
    """Return the layout as the values say: probabilities for logits, minus for plus; None for neither."""
    values = output.double()
    if layout.kind == LOGITS and bool((values >= 0).all()):
        sums = layout.parameters(values, sizes).sum(dim=2)
        if bool(((sums - 1).abs() < SUMS_TO_ONE).all()):
            return replace(layout, kind=PROBABILITIES)
    if layout.kind == BERNOULLI and bool(((values >= 0) & (values <= 1)).all()):
        return replace(layout, kind=SIGMOID)
    if layout.is_score and not bool((values <= 0).all()):
        return replace(layout, is_negative=True) if bool((values >= 0).all()) else None
    return layout


def expected(sizes: Sizes, *, scores: bool) -> str:
    """Return in words which shapes are understood, with the numbers in place of the letters."""
    written: dict[str, None] = {}
    for each in _registered(sizes["C"], sizes["K"], scores=scores):
        if sizes["C"] > 1 and not {"C", "n"} & set(each.pattern) and not each.is_of_images:
            continue
        parts = ["*".join(_shown(name, sizes) for name in axis) for axis in parse(each.pattern)]
        written[f"{each.kind} ({', '.join(parts)})"] = None
    most = [each for each in written if "mixture" not in each][:7]
    return joined(most + [each for each in written if "mixture" in each][:1])


def _shown(name: str, sizes: Sizes) -> str:
    return str(sizes[name]) if name in sizes and name != "B" else name
