"""The learning rate over a run."""

import pytest

from pixelrnn.training.tables import ScheduleTable


def test_constant():
    table = ScheduleTable()
    assert [table.rate_factor(step, step / 10) for step in (0, 5, 9)] == [1, 1, 1]


def test_warm_up_then_cosine_to_zero():
    table = ScheduleTable(kind="cosine", warmup_steps=4)
    assert [table.rate_factor(step, 0.0) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert table.rate_factor(100, 0.5) == pytest.approx(0.5)
    assert table.rate_factor(100, 1.0) == pytest.approx(0, abs=1e-12)
    assert table.rate_factor(100, 1.5) == pytest.approx(0, abs=1e-12), "no late clock turns it up"


def test_plateau_halves_after_patience():
    table = ScheduleTable(kind="plateau", factor=0.5, patience=2)
    results = [5.0, 4.0, 4.1, 4.2]
    assert table.rate_factor(0, 0, results) == 1.0, (
        "two without improvement are within the patience"
    )
    results.append(4.0)  # equal is no improvement
    assert table.rate_factor(0, 0, results) == 0.5
    assert table.rate_factor(0, 0, [*results, 3.9, 4.0, 4.0]) == 0.5
    assert table.rate_factor(0, 0, [*results, 3.9, 4.0, 4.0, 4.0]) == 0.25
