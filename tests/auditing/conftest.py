"""Audits of small models."""

import pytest
import torch

from pixelrnn.auditing import audit

GREY, COLOUR, LEVELS = (1, 5, 6), (3, 4, 5), 8


@pytest.fixture
def audited():
    """Audit a model that is built with a seed: `(build, shape)`, and arguments of `audit`."""

    def run(build, shape=GREY, *, seed=0, **asked):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = build()
        return audit(logits=model, shape=shape, **{"num_levels": LEVELS} | asked)

    return run
