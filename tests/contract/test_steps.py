"""Contract 4: the program gives, pixel by pixel, what `forward` gives for the whole image."""

import dataclasses

import numpy as np
import pytest
import torch

from pixelrnn.models import CONFIGS
from pixelrnn.operations.export import export
from pixelrnn.operations.oracle import UnwrittenError, parameters_of
from pixelrnn.stepper.coder import Coder
from tests.reference.plain_frequencies import frequencies

SIZES = [(5, 7), (7, 5), (1, 6), (6, 1), (1, 1)]
BY_SIZE = pytest.mark.parametrize("any_size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
NOISE = 0.3


def rich_model(tiny_model, kind, likelihood, channels, **settings):
    """Skips, a deep head, dilations, uneven groups, no parameter at zero."""
    rich = {"layers": 3, "skip_connections": True, "head_layers": 2, "dilations": (1, 2)}
    has = CONFIGS[kind].model_fields
    settings = {key: value for key, value in rich.items() if key in has} | settings
    return tiny_model(kind, likelihood, channels, noise=NOISE, **settings)


def step(program, images):
    """Return the parameters of a program, `(N, groups, maps, H, W)`, by the oracle."""
    return np.stack([parameters_of(program, image) for image in images.numpy()])


def assert_steps_as_it_forwards(model, images, program=None, within=1e-10):
    """Assert that parameters agree at every position."""
    stepped = step(program or model.lower(), images)
    with torch.no_grad():
        parameters = model(images).numpy()
    assert stepped.shape == parameters.shape
    np.testing.assert_allclose(stepped, parameters, rtol=within, atol=within)


@BY_SIZE
def test_steps_as_it_forwards(kind, likelihood, channels, any_size, tiny_model, random_images):
    model = rich_model(tiny_model, kind, likelihood, channels)
    assert_steps_as_it_forwards(model, random_images(2, channels, *any_size))


@pytest.mark.parametrize(
    "settings",
    [
        {"border_channel": False},
        {"decorrelate": True},
        {"kernel_size": 5, "stem_kernel_size": 7},
        {"kernel_size": 1},
        {"features": 3, "head_features": 3, "stem_kernel_size": 5},
        {"num_levels": 256, "layers": 1},
        {"num_levels": 2, "layers": 1},
    ],
    ids=[
        "no-border",
        "decorrelated",
        "wide-kernels",
        "kernel-1",
        "one-feature-a-colour",
        "256-levels",
        "2-levels",
    ],
)
def test_steps_as_it_forwards_with_settings(
    kind, likelihood, channels, settings, tiny_model, random_images
):
    if "stem_kernel_size" in settings:  # wide kernels where there are any
        has = CONFIGS[kind].model_fields
        settings = {key: value for key, value in settings.items() if key in has}
    model = rich_model(tiny_model, kind, likelihood, channels, **settings)
    levels = model.config.num_levels
    assert_steps_as_it_forwards(model, random_images(2, channels, 4, 5, levels))


def assert_codes_as_the_oracle(coded, program, image):
    """Assert that the compiled loop gives every level the frequency that plain whole numbers give it."""
    found = Coder(coded).frequencies(image.permute(1, 2, 0).numpy())
    expected = frequencies(program, parameters_of(program, image.numpy()), image.numpy())
    np.testing.assert_array_equal(found.transpose(2, 0, 1), expected)


@pytest.mark.parametrize("any_size", [(5, 7), (1, 1)], ids=["5x7", "1x1"])
def test_integers_step_as_the_oracle(
    kind, likelihood, channels, any_size, tiny_model, random_images
):
    model = rich_model(tiny_model, kind, likelihood, channels)
    images = random_images(2, channels, *any_size)
    program = export(model.lower(images))
    assert_codes_as_the_oracle(program, program, images[1])


def test_integers_shifted_otherwise_are_noticed(kind, likelihood, tiny_model, random_images):
    """Each operation with shifts, one after the other, makes smaller results."""
    images = random_images(2, 3, 5, 7)
    program = export(rich_model(tiny_model, kind, likelihood, 3).lower(images))
    noticed, tried = 0, 0
    for section in program.sections:
        for number, operation in enumerate(section):
            rescale = operation.rescale
            if operation.bias is None or rescale is None:  # of curves, whose shift is said twice
                continue
            tried += 1
            shifts = np.minimum(rescale.shifts + 1, 31)
            section[number] = dataclasses.replace(
                operation, rescale=dataclasses.replace(rescale, shifts=shifts)
            )
            changed = Coder(program).frequencies(images[1].permute(1, 2, 0).numpy())
            section[number] = operation
            whole = Coder(program).frequencies(images[1].permute(1, 2, 0).numpy())
            noticed += bool((changed != whole).any())
    assert noticed > 0.9 * tried > 3


@pytest.mark.parametrize("dilations", [(3,), (1, 4)], ids=str)
def test_dilated_kernels_reach_over_the_image(likelihood, dilations, tiny_model, random_images):
    model = rich_model(tiny_model, "pixelcnn", likelihood, 3, dilations=dilations)
    for height, width in SIZES:
        assert_steps_as_it_forwards(model, random_images(1, 3, height, width))


def test_steps_as_it_forwards_in_float32(kind, likelihood, channels, tiny_model, random_images):
    model = rich_model(tiny_model, kind, likelihood, channels, dtype=torch.float32)
    assert_steps_as_it_forwards(model, random_images(2, channels, 5, 7), within=1e-4)


# --- faults in tracing --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Moved:
    """A fault: every tap that fits is moved."""

    rows: int = 0
    columns: int = 0
    kind: str | None = None
    from_row: int | None = None
    at_row_end: bool = False

    def plant(self, program):
        """Move the taps of a program; return how many there were."""
        count = 0
        for number, section in enumerate(program.sections):
            if self.at_row_end != (number == program.groups):
                continue
            for n, operation in enumerate(section):
                if self.kind is not None and operation.kind != self.kind:
                    continue
                taps = []
                for tap in operation.taps:
                    fits = tap.row == self.from_row or self.from_row is None
                    count += fits
                    row, column = (
                        (tap.row + self.rows, tap.column + self.columns)
                        if fits
                        else (tap.row, tap.column)
                    )
                    taps.append(dataclasses.replace(tap, row=row, column=column))
                section[n] = dataclasses.replace(operation, taps=tuple(taps))
        return count


def faulty(model, fault):
    program = model.lower()
    assert fault.plant(program) > 0
    return program


def test_right_to_left_map_shifted_the_wrong_way(likelihood, channels, tiny_model, random_images):
    """Moved up: refused. Not moved: read before it is written. Moved down twice: another number."""
    model = rich_model(tiny_model, "diagonal-bilstm", likelihood, channels)
    images = random_images(1, channels, 5, 7)
    with pytest.raises(ValueError, match="later in the order"):
        step(faulty(model, Moved(rows=2, kind="add", from_row=-1)), images)
    with pytest.raises(UnwrittenError):
        step(faulty(model, Moved(rows=1, kind="add", from_row=-1)), images)
    twice = faulty(model, Moved(rows=-1, kind="add", from_row=-1))
    with pytest.raises(AssertionError, match="Mismatched"):
        assert_steps_as_it_forwards(model, images, twice)


def test_right_to_left_half_run_over_left_neighbours(likelihood, tiny_model, random_images):
    model = rich_model(tiny_model, "diagonal-bilstm", likelihood, 1)
    program = model.lower()
    row_end = program.section_of("row_end")
    for n, operation in enumerate(row_end):
        taps = [dataclasses.replace(tap, column=-abs(tap.column)) for tap in operation.taps]
        row_end[n] = dataclasses.replace(operation, taps=tuple(taps))
    with pytest.raises(UnwrittenError):
        step(program, random_images(1, 1, 5, 7))


def test_state_outside_the_image_left_at_zero(likelihood, channels, tiny_model, random_images):
    for kind in ("row-lstm", "diagonal-bilstm"):
        model = rich_model(tiny_model, kind, likelihood, channels)
        program = model.lower()
        for feature_map in program.maps:
            feature_map.fill = np.zeros(feature_map.features)
        with pytest.raises(AssertionError, match="Mismatched"):
            assert_steps_as_it_forwards(model, random_images(1, channels, 5, 7), program)


def test_operations_in_another_order_are_caught_or_make_no_difference(
    kind, likelihood, channels, tiny_model, random_images
):
    """Each operation in turn is put last in its section: what it wrote is read before that."""
    model = rich_model(tiny_model, kind, likelihood, channels)
    images, caught = random_images(1, channels, 3, 4), 0
    sections = [len(section) for section in model.lower().sections]
    for number, length in enumerate(sections):
        for n in range(length - 1):
            program = model.lower()
            program.sections[number].append(program.sections[number].pop(n))
            try:
                assert_steps_as_it_forwards(model, images, program)
            except UnwrittenError:
                caught += 1
    assert caught > 0.7 * sum(sections)


def test_every_tap_moved_and_every_weight_counts(kind, likelihood, tiny_model, random_images):
    """No tap is so placed, and no bias so small, that another would do.

    The larger image is looked at only for what does not show in the small one.
    """
    model = rich_model(tiny_model, kind, likelihood, 3, seed=1)  # none of whose features is dead
    program = model.lower()
    sizes = [random_images(1, 3, *size) for size in ((2, 3), (6, 7))]
    right = [step(program, images) for images in sizes]

    def shows(images, right):
        try:
            return np.abs(step(program, images) - right).max() > 1e-8
        except (UnwrittenError, ValueError):
            return True

    for number, section in enumerate(program.sections):
        for n, operation in enumerate(section):
            for fault in faults_of(operation):
                section[n] = fault
                assert any(map(shows, sizes, right)), (number, n, fault)
                section[n] = operation


def faults_of(operation):
    """Yield the operation with one tap a column further left, with fewer rows, or its bias left out."""
    for t, tap in enumerate(operation.at_offsets):
        moved = dataclasses.replace(tap, column=tap.column - 1)
        taps = (*operation.taps[:t], moved, *operation.taps[t + 1 :])
        yield dataclasses.replace(operation, taps=taps)
    if operation.attended:
        fewer = (dataclasses.replace(tap, row=-1) for tap in operation.attended)
        yield dataclasses.replace(operation, taps=(*operation.at_offsets, *fewer))
    if operation.bias is not None:
        yield dataclasses.replace(operation, bias=None)
    if operation.kind == "lstm":
        gates, before = operation.taps
        yield dataclasses.replace(operation, taps=(gates, dataclasses.replace(before, row=-2)))
