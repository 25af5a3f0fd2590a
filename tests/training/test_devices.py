"""What a run computes on."""

import numpy as np
import pytest
import torch

from pixelrnn.kernels.threads import end, share
from pixelrnn.training import devices
from pixelrnn.training.devices import tuned
from pixelrnn.training.tables import TrainingTable

SUBNORMAL = torch.finfo(torch.float32).tiny / 4


def halves_in_all_threads(count=3):
    """Return half a subnormal number as each of `count` threads computes it."""
    results = np.full(count, np.nan)

    def work(first, last):
        results[first:last] = (torch.full((1,), SUBNORMAL) / 2).item()

    share(work, count, count)
    return results


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor cannot be told to")
@pytest.mark.parametrize("before", [False, True])
def test_no_thread_of_a_run_computes_with_subnormal_numbers(before):
    assert (halves_in_all_threads() > 0).all()
    torch.set_flush_denormal(before)
    try:
        with tuned():
            assert (halves_in_all_threads() == 0).all()
        assert ((torch.full((1,), SUBNORMAL) / 2).item() == 0) == before
        assert ((halves_in_all_threads() == 0) == before).all()
    finally:
        torch.set_flush_denormal(False)
        end()


@pytest.mark.parametrize(
    ("asked", "units", "used"),
    [
        ("auto", True, "32-true"),
        ("bf16-mixed", True, "bf16-mixed"),
        ("bf16-mixed", False, "32-true"),
        ("32-true", True, "32-true"),
    ],
)
def test_half_precision_is_for_processors_with_units_for_it(monkeypatch, asked, units, used):
    monkeypatch.setattr(devices, "_processor_has_matrix_units", lambda: units)
    said: list[str] = []
    training = TrainingTable(epochs=1, accelerator="cpu", precision=asked)
    assert devices._precision(training, said.append) == used
    assert len(said) == (asked != used and asked != "auto")
