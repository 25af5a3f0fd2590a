"""What steps a model's weights: the optimisers, Muon among them, and the moving average of the steps."""

import copy
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from pixelrnn.layers.matrices import Matrices
from pixelrnn.models import AutoregressiveModel
from pixelrnn.training.tables import OptimizerTable

MOMENTUM = 0.95
STEPS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
SIZE = 0.2  # of a step, root mean square: what Adam's have
FAINT = 1e-12  # norm of a momentum that is all but gone: float32 cannot square what is much smaller


def make_optimizer(table: OptimizerTable, model: AutoregressiveModel) -> Optimizer:
    """Return the optimiser of a model's weights; the learning rate is set anew for every step."""
    parameters = list(model.parameters())
    options: dict[str, Any] = {"lr": table.learning_rate, "weight_decay": table.weight_decay}
    match table.name:
        case "adam":
            return torch.optim.Adam(parameters, betas=(0.9, table.beta2), fused=True, **options)
        case "adamw":
            return AdamW(parameters, betas=(0.9, table.beta2), fused=True, **options)
        case "muon":
            return Muon(parameters, model.matrices(), beta2=table.beta2, **options)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, **options)


class Muon(Optimizer):
    """Muon for matrices, AdamW for the rest: steps of one size in every direction of a matrix.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks".

    With M the momentum of a hidden layer's gradient and U S V' its singular value decomposition,

        W <- W - rate * 0.2 sqrt(max(rows, columns)) * U V'

    where U V' comes from five steps of a Newton-Schulz iteration on M / |M|. The factor gives the step the
    size of one of Adam's (Liu et al. 2025, "Muon is scalable for LLM training", arXiv 2502.16982, 2.2), so
    that one learning rate serves both: all that is no matrix of a hidden layer - first and last layer,
    biases, initial states - is left to AdamW.

    Args:
        parameters: all of them.
        matrices: those of hidden layers.
        lr: learning rate of both.
        beta2: decay of AdamW's second moments.
        weight_decay: decoupled, of both.

    Example:
        >>> weight = nn.Parameter(torch.eye(3))
        >>> optimizer = Muon([weight], [Matrices(weight, torch.arange(9).view(1, 3, 3))], lr=0.1)
        >>> weight.grad = torch.diag(torch.tensor([1.0, 10.0, 100.0]))
        >>> optimizer.step()
        >>> steps = (1 - weight.diagonal()) / (0.1 * SIZE * 3**0.5)  # a hundredfold gradient, and yet:
        >>> bool(((steps > 0.6) & (steps < 1.3)).all())
        True
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        matrices: Sequence[Matrices],
        lr: float,
        beta2: float = 0.999,
        weight_decay: float = 0.0,
    ) -> None:
        stepped = {id(each.parameter) for each in matrices}
        rest = [parameter for parameter in parameters if id(parameter) not in stepped]
        options: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay}
        self._rest = AdamW([{"params": rest}], betas=(0.9, beta2), fused=True, **options)
        groups = [{"params": [each.parameter for each in matrices]}, *self._rest.param_groups]
        super().__init__(groups if matrices else groups[1:], options)
        by_shape = groupby(sorted(matrices, key=_shape), key=_shape)
        self._alike = [list(group) for _, group in by_shape]
        self._places: dict[tuple[int, ...], Tensor] = {}

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # nothing here steps by a closure
        """Take a step by the gradients that there are."""
        for alike in self._alike:
            with_gradient = [each for each in alike if each.parameter.grad is not None]
            if with_gradient:
                self._step_together(with_gradient, self.param_groups[0])
        self._rest.state, self._rest.param_groups = self.state, self.param_groups[-1:]
        self._rest.step()

    def _step_together(self, alike: Sequence[Matrices], group: dict[str, Any]) -> None:
        """Step matrices of one shape: each thing done to them is one operation, which a GPU starts once."""
        weights: list[Tensor] = [each.parameter for each in alike]
        gradients = [cast(Tensor, weight.grad) for weight in weights]
        momenta = [self._momentum(weight) for weight in weights]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)  # Nesterov's
        numbers = torch.cat([*map(torch.flatten, ahead), weights[0].new_zeros(1)])
        places = self._places_in_line(alike)
        steps = torch.zeros_like(numbers)
        rows, columns = _shape(alike[0])
        steps[places] = SIZE * max(rows, columns) ** 0.5 * orthogonalised(numbers[places])
        of_each = steps[:-1].split([weight.numel() for weight in weights])
        if group["weight_decay"]:
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        shaped = [step.view_as(weight) for step, weight in zip(of_each, weights, strict=True)]
        torch._foreach_sub_(weights, shaped, alpha=group["lr"])

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        momentum: Tensor = state["momentum"]
        return momentum

    def _places_in_line(self, alike: Sequence[Matrices]) -> Tensor:
        """Return where the entries are among the numbers of these parameters, which a zero follows."""
        key = tuple(id(each.parameter) for each in alike)
        if key not in self._places:
            sizes = [each.parameter.numel() for each in alike]
            firsts = accumulate(sizes, initial=0)
            places = [
                torch.where(each.places == size, sum(sizes), each.places + first)
                for each, size, first in zip(alike, sizes, firsts, strict=False)
            ]
            self._places[key] = torch.cat(places).to(alike[0].parameter.device)
        return self._places[key]


def _shape(matrices: Matrices) -> tuple[int, int]:
    _, rows, columns = matrices.places.shape
    return rows, columns


def orthogonalised(matrices: Tensor) -> Tensor:
    """Return about U V' of matrices `(N, rows, columns)` = U S V': singular values from 0.7 to 1.2.

    Of matrices whose norm is below `FAINT`, such as the momentum of weights that have had no gradient for
    hundreds of steps, less and less.
    """
    first, third, fifth = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    result: Tensor = matrices.mT if tall else matrices
    result = result / (result.norm(dim=(1, 2), keepdim=True) + FAINT)
    for _ in range(STEPS):
        square = result @ result.mT
        factor = torch.baddbmm(square, square, square, beta=third, alpha=fifth)
        result = torch.baddbmm(result, factor, result, beta=first)
    return result.mT if tall else result


class MovingAverage:
    """Averaged weights: the exponential moving average (EMA) of a run, which is what is evaluated.

        average <- average + (1 - d_n) (weights - average),     d_n = min(decay, (1 + n) / (10 + n))

    after the n-th step. The rise of d_n lets short runs forget their start.

    Args:
        model: whose weights they are.
        decay: of the average; 0 keeps the last weights.

    Attributes:
        model: one with the averaged weights.
        count: how many steps are in them.
    """

    def __init__(self, model: AutoregressiveModel, decay: float) -> None:
        self.model, self.count = copy.deepcopy(model), 0
        self._decay = decay
        # Walking over the modules in every step would take longer than the update.
        self._averages: list[Tensor] = list(self.model.parameters())
        self._weights: list[Tensor] = list(model.parameters())

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after an optimiser step."""
        decay = min(self._decay, (1 + self.count) / (10 + self.count)) if self.count else 0.0
        torch._foreach_lerp_(self._averages, self._weights, 1 - decay)
        self.count += 1
