"""What holds around the steps of a run."""

import numpy as np
import pytest
import torch

from pixelrnn.kernels.threads import end, share
from pixelrnn.training.loop import no_subnormals

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
        with no_subnormals():
            assert (halves_in_all_threads() == 0).all()
        assert ((torch.full((1,), SUBNORMAL) / 2).item() == 0) == before
        assert ((halves_in_all_threads() == 0) == before).all()
    finally:
        torch.set_flush_denormal(False)
        end()
