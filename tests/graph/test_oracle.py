"""What a program may not do, and what is caught of it: refused by its taps, or seen by the oracle."""

import numpy as np
import pytest

from pixelrnn.graph.operation import Tap
from pixelrnn.graph.order import check_order
from pixelrnn.graph.program import LikelihoodParameters, Program
from pixelrnn.graph.reaches import reaches
from pixelrnn.operations.oracle import UnwrittenError, parameters_of


class Small:
    """A program of grey images, 3 levels: logits = weights^T hidden, hidden from the pixels before."""

    def __init__(self):
        self.program = Program(channels=1, num_levels=3, groups=1)
        self.image = self.program.image = self.program.new_map(1)
        self.hidden, self.rectified, self.logits = (self.program.new_map(n) for n in (2, 2, 3))
        self.late = self.program.new_map(2)
        self.program.likelihood = LikelihoodParameters("categorical", (self.logits,))

    def to_hidden(self, *taps):
        self.program.linear(self.hidden, taps or [self.tap(self.image, 2, column=-1)])

    def to_logits(self, *taps):
        self.program.linear(self.logits, taps or [self.tap(self.hidden, 3)], np.arange(3.0))

    def at_row_end(self, *taps):
        with self.program.section("row_end"):
            self.program.add(self.late, taps or [Tap(self.hidden)])

    @staticmethod
    def tap(features, outputs, row=0, column=0):
        weights = np.linspace(-1, 1, features.count * outputs).reshape(features.count, outputs)
        return Tap(features, row, column, weights)

    def run(self, height=3, width=4):
        image = np.random.default_rng(0).integers(0, 3, size=(1, height, width), dtype=np.uint8)
        return parameters_of(self.program, image)


@pytest.fixture
def small():
    return Small()


def test_a_sound_program_runs(small):
    small.to_hidden()
    small.program.relu(small.rectified, small.hidden)
    small.to_logits(small.tap(small.rectified, 3), small.tap(small.late, 3, row=-1, column=1))
    small.at_row_end(Tap(small.hidden), Tap(small.late, column=1))
    assert np.isfinite(small.run()).all()


@pytest.mark.parametrize(("row", "column"), [(0, 1), (0, 2), (1, 0), (1, -3), (2, 1)])
def test_what_comes_later_is_refused(small, row, column):
    small.to_hidden(small.tap(small.image, 2, row, column))
    small.to_logits()
    with pytest.raises(ValueError, match="later in the order"):
        check_order(small.program)


def test_taps_that_are_joined_are_checked_to_their_last_column(small):
    small.to_hidden(*(small.tap(small.image, 2, column=column) for column in (-1, 0, 1)))
    small.to_logits()
    with pytest.raises(ValueError, match="column 1 of map"):
        check_order(small.program)


def test_features_beyond_the_map_are_those_of_the_next_column(small):
    small.to_hidden()
    small.to_logits(small.tap(small.hidden.part(1, 2), 3))
    with pytest.raises(ValueError, match="later in the order"):
        check_order(small.program)


def test_the_row_below_is_refused_at_the_row_end_too(small):
    small.to_hidden()
    small.to_logits()
    small.at_row_end(Tap(small.hidden, row=1))
    with pytest.raises(ValueError, match="later in the order"):
        check_order(small.program)


def test_a_program_without_likelihood_is_refused(small):
    small.to_hidden()
    small.program.likelihood = None
    with pytest.raises(ValueError, match="without a likelihood"):
        small.run()


def test_a_linear_tap_without_weights_is_refused(small):
    with pytest.raises(ValueError, match="needs weights"):
        small.to_hidden(Tap(small.image, column=-1))


def test_read_before_it_is_written_in_the_same_pixel(small):
    small.to_logits()
    small.to_hidden()
    with pytest.raises(UnwrittenError):
        small.run()


def test_read_but_never_written(small):
    small.to_hidden()
    small.to_logits(small.tap(small.rectified, 3))
    with pytest.raises(UnwrittenError):
        small.run()


def test_a_part_that_is_not_written(small):
    small.program.linear(small.hidden.part(0, 1), [small.tap(small.image, 1, column=-1)])
    small.to_logits()
    with pytest.raises(UnwrittenError):
        small.run()


def test_the_pixel_itself_is_not_known_yet(small):
    small.to_hidden(small.tap(small.image, 2))
    small.to_logits()
    with pytest.raises(UnwrittenError):
        small.run()


def test_a_relu_does_not_hide_what_is_unwritten(small):
    small.program.relu(small.rectified, small.hidden)
    small.to_logits(small.tap(small.rectified, 3))
    small.to_hidden()
    with pytest.raises(UnwrittenError):
        small.run()


@pytest.mark.parametrize("unwritten", ["gates", "cell"])
def test_an_lstm_does_not_hide_it(small, unwritten):
    gates, cell, hidden = (small.program.new_map(n) for n in (8, 2, 2))
    if unwritten == "cell":
        small.program.linear(gates, [small.tap(small.image, 8, column=-1)])
    before = Tap(cell, column=0 if unwritten == "cell" else -1)
    small.program.lstm(hidden, cell, gates, before)
    small.to_logits(small.tap(hidden, 3))
    with pytest.raises(UnwrittenError):
        small.run()


def test_a_bias_alone_is_an_operation(small):
    """It reads nothing, not even what the next operation's first tap would be."""
    small.program.linear(small.logits, [], np.arange(3.0))
    np.testing.assert_array_equal(small.run()[0, :, 2, 3], np.arange(3.0))


def test_the_row_end_is_not_read_in_its_own_row(small):
    small.to_hidden()
    small.to_logits(small.tap(small.late, 3))
    small.at_row_end()
    with pytest.raises(UnwrittenError):
        small.run()


def test_the_row_end_runs_from_right_to_left(small):
    small.to_hidden()
    small.to_logits(small.tap(small.late, 3, row=-1))
    small.at_row_end(Tap(small.hidden), Tap(small.late, column=-1))
    with pytest.raises(UnwrittenError):
        small.run()


@pytest.mark.parametrize("unwritten", ["at-row-end", "before"])
def test_the_row_end_reads_nothing_unwritten(small, unwritten):
    """Neither a vector of its own before it is written, nor another's part that is not."""
    vector = small.program.new_map(2)
    small.to_hidden()
    small.to_logits(small.tap(small.late, 3, row=-1))
    small.at_row_end(Tap(vector if unwritten == "at-row-end" else small.rectified))
    with small.program.section("row_end"):
        small.program.relu(vector, small.hidden)
    with pytest.raises(UnwrittenError):
        small.run()


def test_a_map_is_kept_as_a_row_only_if_it_is_used_in_both_directions(small):
    gates = small.program.new_map(4)
    small.to_hidden()
    small.to_logits(small.tap(small.late, 3, row=-1))
    with small.program.section("row_end"):
        small.program.linear(gates, [small.tap(small.hidden, 4)])
    small.at_row_end(Tap(gates.part(0, 2)), Tap(gates.part(2, 2)))
    kept = [reaches(small.program)[features.map] for features in (gates, small.hidden, small.late)]
    assert [(reach.rows, reach.columns, reach.is_row) for reach in kept] == [
        (1, 0, False),
        (1, 0, True),
        (2, 0, True),
    ]
    assert np.isfinite(small.run()).all()
