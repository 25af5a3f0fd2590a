"""Checks of the contract: does a model peek, does it cover what it claims, do its numbers add up?

Each check asks only what any autoregressive model can answer: its parameters, its likelihood, its
program and its claimed receptive field. A violation raises `ContractViolation`, which names the first
sub-pixel at fault. Run them in float64, where "equal" means equal and no rounding can hide behind a
tolerance. `checks` runs them on a model with the weights that it has.
"""

from pixelrnn.contract.causality import check_causal, check_causal_at
from pixelrnn.contract.fields import check_covers, field_in_float64, measure_receptive_field
from pixelrnn.contract.program import check_codes, check_samples, check_steps
from pixelrnn.contract.sums import check_batch_invariant, check_normalised, check_pmf
from pixelrnn.contract.trained import Check, checks, require_kept
from pixelrnn.contract.violation import ContractViolation

__all__ = [
    "Check",
    "ContractViolation",
    "check_batch_invariant",
    "check_causal",
    "check_causal_at",
    "check_codes",
    "check_covers",
    "check_normalised",
    "check_pmf",
    "check_samples",
    "check_steps",
    "checks",
    "field_in_float64",
    "measure_receptive_field",
    "require_kept",
]
