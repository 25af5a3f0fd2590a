"""No value of an integer program leaves its bounds, and what has none is refused."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from pixelrnn.graph.operation import Operation, Tap
from pixelrnn.kernels import range_coder
from pixelrnn.operations.bounds import INT16_MAX, INT32_MAX, largest_magnitudes
from pixelrnn.operations.scales import Widths
from pixelrnn.operations.tables import MAP_BASE, MAP_ROWS, MAP_STRIDE
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.machine import run_rows


def images_that_go_far(channels, num_levels, height=9, width=8):
    """Black, white, checked, and noise: soft, hard, and in which one colour is another's opposite."""
    draw, top = np.random.default_rng(0), num_levels - 1
    shape = (height, width, channels)
    checked = np.indices(shape).sum(axis=0) % 2 * top
    hard = draw.choice([0, top], shape)
    opposite = np.concatenate([hard[..., :1], top - hard[..., :1], hard[..., :1]], axis=2)
    images = [np.zeros(shape), np.full(shape, top), checked, draw.integers(num_levels, size=shape)]
    return [image.astype(np.uint8) for image in [*images, hard, opposite[..., :channels]]]


def largest_seen(program, images):
    """Return the largest magnitude of each feature of each map, looked at after every row."""
    coder, seen = Coder(program), [np.zeros(each.features, np.int64) for each in program.maps]
    for image in images:
        world, tables = coder._state(image.shape, np.zeros(0, np.uint8), reads=False)
        range_coder.start(world.coder)
        for row in range(len(image)):
            run_rows(tables, world, image.copy(), row, row + 1)
            for number, each in enumerate(program.maps):
                memory = world.wide if each.wide else world.narrow
                base, rows, stride = tables.maps[number, [MAP_BASE, MAP_ROWS, MAP_STRIDE]]
                values = memory[base : base + rows * stride].reshape(-1, each.features)
                largest = np.abs(values.astype(np.int64)).max(axis=0)
                seen[number] = np.maximum(seen[number], largest)
    return seen


def check_bounds(program, bounds, images):
    """Check that nothing is larger than its bound; return the shares of their bounds that are reached."""
    seen = largest_seen(program, images)
    for number, largest in enumerate(seen):
        assert (largest <= bounds[number]).all(), number
    return [(seen[number] / np.maximum(bounds[number], 1)).max() for number in range(len(seen))]


@pytest.mark.parametrize("widths", [Widths(), Widths(4, 16, margin=0.3)], ids=["usual", "narrow"])
def test_no_value_is_larger_than_its_bound(kind, likelihood, channels, widths, coding_model):
    program = coding_model(kind, likelihood, channels, widths=widths, noise=0.2).program
    bounds = largest_magnitudes(program)
    shares = check_bounds(program, bounds, images_that_go_far(channels, 17))
    narrow = [share for share, each in zip(shares, program.maps, strict=True) if not each.wide]
    assert sorted(narrow)[-2] > 0.9  # the image, and others that are clamped at least nearly
    assert max(shares) <= 1


@pytest.mark.parametrize("likelihood_kind", ["categorical", "logistic-mixture"])
def test_nor_in_a_program_of_every_operation(likelihood_kind, program_made_by_hand):
    program = program_made_by_hand(likelihood_kind)
    shares = check_bounds(program, largest_magnitudes(program), images_that_go_far(1, 5))
    assert min(shares) > 1e-4


def test_half_of_a_bound_is_passed(coding_model):
    program = coding_model("row-lstm", noise=0.2).program
    bounds = largest_magnitudes(program)
    halves = {number: bound // 2 for number, bound in bounds.items()}
    with pytest.raises(AssertionError):
        check_bounds(program, halves, images_that_go_far(1, 17))


def test_bounds_of_two_operations_by_hand(program_made_by_hand):
    """Gates: sum |w| bound + |bias|, not shifted; hidden states: 1; a sum of two: 2."""
    program = program_made_by_hand("categorical")
    bounds = largest_magnitudes(program)
    gates, *_ = program.operations
    of_taps = [
        np.abs(tap.weights.astype(np.int64)).sum(axis=0) * largest
        for tap, largest in zip(gates.taps, (4, 4, 1 << 12), strict=True)
    ]
    np.testing.assert_array_equal(bounds[gates.out.map], sum(of_taps) + np.abs(gates.bias) + 1)
    hidden, both = program.operations[1].out, program.operations[2].out
    assert (bounds[hidden.map] == 1 << 12).all()
    assert (bounds[both.map] == 2 << 12).all()


def with_operation(program, number, **changes):
    """A copy of a program with something changed in one of its operations."""
    changed = copy.deepcopy(program)
    wanted = changed.operations[number]
    for section in changed.sections:
        section[:] = [replace(each, **changes) if each is wanted else each for each in section]
    return changed


def test_a_weight_made_too_large_later_is_refused(kind, coding_model):
    program = coding_model(kind, noise=0.2).program
    largest_magnitudes(program)
    refused = 0
    for number, operation in enumerate(program.operations):
        if operation.kind == "linear":
            first = operation.taps[operation.residual]
            weights = np.full_like(first.weights, INT16_MAX)
            taps = list(operation.taps)
            taps[operation.residual] = replace(first, weights=weights)
            bias = np.full_like(operation.bias, INT32_MAX - 1000)
            with pytest.raises(ValueError, match="may need more than 32 bits"):
                largest_magnitudes(with_operation(program, number, taps=tuple(taps), bias=bias))
            refused += 1
    assert refused > 2


def test_a_sum_of_just_32_bits_is_let_pass(program_made_by_hand):
    program = program_made_by_hand("categorical")
    gates, *_ = program.operations
    room = INT32_MAX + 1 - largest_magnitudes(program)[gates.out.map] + np.abs(gates.bias)
    for sign in (1, -1):
        fits = with_operation(program, 0, bias=(sign * room).astype(np.int32))
        assert (largest_magnitudes(fits)[gates.out.map] == INT32_MAX).all()
        too_large = with_operation(program, 0, bias=(sign * (room + 1)).astype(np.int32))
        with pytest.raises(ValueError, match="32 bits"):
            largest_magnitudes(too_large)


@pytest.mark.parametrize(("number", "match"), [(2, "16 bits"), (5, "32 bits")])
def test_results_that_are_added_up_are_bounded_too(number, match, program_made_by_hand):
    """A sum of narrow maps, and what is added to the residual stream."""
    program = program_made_by_hand("categorical")
    operation = program.operations[number]
    if operation.kind == "add":
        changed = with_operation(program, number, taps=(operation.taps[0],) * 9)
    else:
        changed = copy.deepcopy(program)
        changed.maps[operation.taps[0].features.map].fill[0] = INT32_MAX - 10
    with pytest.raises(ValueError, match=match):
        largest_magnitudes(changed)


def test_the_value_outside_the_image_counts(program_made_by_hand):
    program = program_made_by_hand("categorical")
    stream = program.operations[3].out.map
    program.maps[stream].fill[2] = -12_345_678
    assert largest_magnitudes(program)[stream][2] == 12_345_678


def test_a_sum_that_grows_from_pixel_to_pixel_is_refused(program_made_by_hand):
    program = program_made_by_hand("categorical")
    stream = program.operations[3].out
    growing = Operation("add", stream, (Tap(stream), Tap(stream, 0, -1)))
    program.append(growing)
    with pytest.raises(ValueError, match=r"grow from pixel to pixel|32 bits"):
        largest_magnitudes(program)


@pytest.mark.parametrize("missing", ["rescale", "cell"])
def test_an_operation_without_what_it_needs_is_refused(missing, program_made_by_hand):
    program = program_made_by_hand("categorical")
    with pytest.raises(ValueError, match="without"):
        largest_magnitudes(with_operation(program, 1, **{missing: None}))


def test_the_border_counts_wherever_it_is(program_made_by_hand):
    """It is levels - 1 on every pixel, although no operation writes it."""
    program = program_made_by_hand("categorical")
    program.border = program.operations[4].out.part(0, 1)
    program.border = replace(program.border, map=len(program.maps))
    program.maps.append(replace(program.maps[0], features=1, fill=np.zeros(1, np.int16)))
    assert largest_magnitudes(program)[program.border.map][0] == 4
