"""Change what a model is given, and see what moves: all later sub-pixels at once, or one alone.

What is compared is always a batch with a batch of the same shape: the same sums in the same order, so that
nothing moves by a single bit unless a changed value gets in.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pixelrnn.auditing.order import Order
from pixelrnn.auditing.subject import Subject
from pixelrnn.errors import DataError

OUTPUTS_AT_ONCE = 1 << 23  # numbers of a batch: memory, not the result
IMAGES_AT_ONCE = 64
CONFIRMED = 4  # images of a batch whose probabilities are looked at, too
NOISE_FACTOR = 8.0  # of what moves by itself, in a model that is not deterministic


@dataclass
class Moves:
    """What moved while later sub-pixels were changed.

    Attributes:
        steps: from which positions on all was changed.
        leak: how far a parameter moved that must not, at most.
        allowed: more than 0 if one moved that may.
        scale: the largest parameter.
        leaking: of each position, whether it moved and must not, `(groups, H, W)`.
        num_leaks: how often one did.
        leaking_steps: the positions that were changed then.
    """

    steps: list[int] = field(default_factory=list)
    leak: float = 0.0
    allowed: float = 0.0
    scale: float = 0.0
    leaking: Tensor | None = None
    num_leaks: int = 0
    leaking_steps: set[int] = field(default_factory=set)

    def add(self, steps: list[int], leaks: Tensor) -> None:
        """Note how far what must not move did, `(n, groups, H, W)`, as each of `steps` was changed."""
        self.leak = max(self.leak, float(leaks.max()))
        self.num_leaks += int((leaks > 0).sum())
        which = (leaks > 0).flatten(1).any(dim=1).tolist()
        self.leaking_steps.update(
            step for step, leaks_there in zip(steps, which, strict=True) if leaks_there
        )


@dataclass
class Probe:
    """A subject, and images to change.

    Attributes:
        subject: it is called as it is, see `Subject.under`.
        order: of the sub-pixels.
        images: int64 `(N, C, H, W)`.
        noise: how far parameters move by themselves.
        is_alone: whether each image must be looked at alone, since others of a batch change it.
        generator: draws the new levels.
    """

    subject: Subject
    order: Order
    images: Tensor
    noise: float = 0.0
    is_alone: bool = False
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(3))

    def __post_init__(self) -> None:
        self._kept: tuple[Tensor, Tensor] | None = None
        self.scale = 0.0
        parameters = self.subject.parameters(self.images[:2])
        self.groups = parameters.shape[1]
        if (
            self.groups < len(self.order.positions)
            and (np.diff(self.order.positions, axis=0) < 0).any()
        ):
            raise DataError(
                f"the order {self.order.name} has a colour before another that its distribution is "
                "given by: of whole pixels, red comes before green, and green before blue"
            )
        fits = OUTPUTS_AT_ONCE * len(parameters) // max(1, parameters.numel())
        self.at_once = 1 if self.is_alone else max(1, min(IMAGES_AT_ONCE, fits))

    @property
    def dtype(self) -> torch.dtype | None:
        """The type of the parameters that were last looked at."""
        return None if self._kept is None else self._kept[1].dtype

    @property
    def own(self) -> Tensor:
        """The position of what each parameter is of, `(groups, H, W)`: of a pixel its first colour's."""
        order = self.order.tensor
        return order if self.groups == len(order) else order.amin(dim=0, keepdim=True)

    def forbidden(self, steps: Tensor) -> Tensor:
        """Return which parameters must not move if positions from `steps` on change: as `own`, for each."""
        steps = steps[:, None, None, None]
        # A score is of the level that is there: it may move with its own value.
        return self.own < steps if self.subject.layout.is_score else self.own <= steps

    def later(self, steps: Sequence[int], image: Tensor, go_on: Callable[[], bool]) -> Moves:
        """Change all from each position on at once, as long as there is time.

        Args:
            steps: positions.
            image: int64 `(C, H, W)`.
            go_on: whether there is time left.
        """
        leaking = torch.zeros(self.own.shape, dtype=torch.bool)
        found = Moves(leaking=leaking)
        for some, moved in self._changed(steps, image, alone=False):
            forbidden = self.forbidden(some)
            found.steps += some.tolist()
            found.add(some.tolist(), moved * forbidden)
            found.allowed = max(found.allowed, float((moved * ~forbidden).max()))
            leaking |= ((moved > 0) & forbidden).any(dim=0)
            if not go_on():
                break
        found.scale = self.scale
        return found

    def alone(
        self, steps: Sequence[int], image: Tensor, go_on: Callable[[], bool]
    ) -> tuple[list[int], Tensor]:
        """Change each position alone: which were changed, and how far what moved, `(n, groups, H, W)`."""
        done: list[int] = []
        rows = []
        for some, moved in self._changed(steps, image, alone=True):
            done += some.tolist()
            rows.append(moved)
            if not go_on():
                break
        return done, torch.cat(rows) if rows else torch.zeros(0, *self.own.shape)

    def depends_on(
        self, where: tuple[int, int, int], steps: Sequence[int], image: Tensor
    ) -> list[int]:
        """Return on which of some positions one parameter depends, by halving what is changed together.

        Args:
            where: group, row and column of the parameter.
            steps: positions; far fewer looks than they are will do, where few of them matter.
            image: int64 `(C, H, W)`.
        """
        found: list[int] = []
        groups = [list(steps)] if steps else []
        while groups:
            kept = []
            for group, moved in zip(groups, self._together(groups, image), strict=True):
                if moved[where] > 0:
                    kept.append(group)
            found += [group[0] for group in kept if len(group) == 1]
            halves = [(group[: len(group) // 2], group[len(group) // 2 :]) for group in kept]
            groups = [half for pair in halves for half in pair if len(pair[0]) > 0]
        return sorted(found)

    def _together(self, groups: list[list[int]], image: Tensor) -> Iterator[Tensor]:
        """Yield, for groups of positions that are changed together, how far what moved."""
        order = self.order.tensor
        for first in range(0, len(groups), self.at_once):
            some = groups[first : first + self.at_once]
            masks = torch.stack([torch.isin(order, torch.tensor(group)) for group in some])
            yield from self.moved(image, masks)

    def _changed(
        self, steps: Sequence[int], image: Tensor, *, alone: bool
    ) -> Iterator[tuple[Tensor, Tensor]]:
        order = self.order.tensor
        for first in range(0, len(steps), self.at_once):
            some = torch.tensor(steps[first : first + self.at_once])
            bounds = some[:, None, None, None]
            masks = order == bounds if alone else order >= bounds
            yield some, self.moved(image, masks)

    def moved(self, image: Tensor, masks: Tensor) -> Tensor:
        """Change an image where masks `(n, C, H, W)` say, and return what moved, `(n, groups, H, W)`.

        Of parameters that must not move it is how far they did; of others 1 if they did.
        """
        levels, count = self.subject.num_levels, self.at_once
        images = image.expand(count, *image.shape).contiguous()
        before = self.unchanged(images)
        shifts = torch.randint(1, max(2, levels), images.shape, generator=self.generator)
        wide = torch.zeros(count, *masks.shape[1:], dtype=torch.bool)
        wide[: len(masks)] = masks
        changed = torch.where(wide, (images + shifts) % levels, images)
        after = self.subject.parameters(changed)
        moved = (before != after).any(dim=2).float()
        order, total = self.order.tensor, self.order.positions.size
        first = torch.where(wide, order, total).flatten(1).amin(dim=1)
        suspects = moved.bool() & self.forbidden(first)
        if self.noise:
            moved = self._apart(before, after)
            moved[moved <= NOISE_FACTOR * self.noise] = 0
        elif suspects.any():
            those = suspects.flatten(1).any(dim=1)
            amounts = self._apart(before[those], after[those])
            moved[those] = torch.where(suspects[those], amounts, moved[those])
            if self.groups < len(image):
                moved = self._confirmed(moved, images, changed, wide)
        return moved[: len(masks)]

    def _apart(self, before: Tensor, after: Tensor) -> Tensor:
        compared = self.subject.layout.compared
        return apart(compared(before), compared(after))

    def unchanged(self, images: Tensor) -> Tensor:
        """Return the parameters of images that are all alike; those of the last such are kept."""
        if self._kept is None or not torch.equal(self._kept[0], images[0]):
            self._kept = images[0].clone(), self.subject.parameters(images)
            one = self._kept[1][0].nan_to_num(neginf=0.0)
            self.scale = max(self.scale, float(one.abs().max()))
        return self._kept[1]

    def _confirmed(self, moved: Tensor, images: Tensor, changed: Tensor, masks: Tensor) -> Tensor:
        """Forgive parameters of a whole pixel that move with its first colours, if no probability does."""
        inside = masks.any(dim=1, keepdim=True) & (moved > 0)
        for n in inside.flatten(1).any(dim=1).nonzero()[:CONFIRMED, 0].tolist():
            pair = torch.stack([images[n], changed[n]])
            before, after = self.subject.log_pmf(pair)
            first = torch.where(masks[n], self.order.tensor, self.order.positions.size).amin(dim=0)
            own = self.order.tensor <= first  # at or before what was changed in its pixel
            if bool(((before != after).any(dim=-1) & own & inside[n]).any()):
                return moved
        return torch.where(inside, 0.0, moved)


def apart(before: Tensor, after: Tensor) -> Tensor:
    """Return how far parameters `(B, groups, maps, H, W)` are apart, `(B, groups, H, W)`; 0 if equal."""
    found = (after - before).abs().amax(dim=2)
    if found.isnan().any():  # minus infinity in both
        found = torch.where(before == after, 0.0, (after - before).abs()).amax(dim=2)
        found = found.nan_to_num(nan=torch.inf)
    return found.float()
