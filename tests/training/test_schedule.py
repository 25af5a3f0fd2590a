"""The learning rate over a run."""

import pytest

from pixelrnn.training.schedule import LearningRate
from pixelrnn.training.tables import ScheduleTable


def test_constant():
    rate = LearningRate(ScheduleTable())
    assert [rate.factor(step, step / 10) for step in (0, 5, 9)] == [1, 1, 1]


def test_warm_up_then_cosine_to_zero():
    rate = LearningRate(ScheduleTable(kind="cosine", warmup_steps=4))
    assert [rate.factor(step, 0.0) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rate.factor(100, 0.5) == pytest.approx(0.5)
    assert rate.factor(100, 1.0) == pytest.approx(0, abs=1e-12)
    assert rate.factor(100, 1.5) == pytest.approx(0, abs=1e-12), "a late clock does not turn it up"


def test_plateau_halves_after_patience_and_survives_saving():
    rate = LearningRate(ScheduleTable(kind="plateau", factor=0.5, patience=2))
    for result in (5.0, 4.0, 4.1, 4.2):
        rate.observe(result)
    assert rate.factor(0, 0) == 1.0, "two without improvement are within the patience"
    again = LearningRate(ScheduleTable(kind="plateau", factor=0.5, patience=2))
    again.load_state_dict(rate.state_dict())
    again.observe(4.0)  # equal is no improvement
    assert again.factor(0, 0) == 0.5
    again.observe(3.9)
    for _ in range(3):
        again.observe(4.0)
    assert again.factor(0, 0) == 0.25
