"""Options as they are typed: what is allowed is what the parts behind them allow."""

import pytest

from pixelrnn.arrays import MAX_CHANNELS
from pixelrnn.cli import options
from pixelrnn.errors import RecipeError
from pixelrnn.stepper.asked import MAX_SIDE


def test_a_side_is_as_long_as_one_that_is_drawn():
    assert options.size(f"{MAX_SIDE}x1") == (MAX_SIDE, 1)
    with pytest.raises(RecipeError, match=f"a side is 1 to {MAX_SIDE}"):
        options.size(f"1x{MAX_SIDE + 1}")


def test_models_of_others_may_have_more_channels_than_ours():
    most = options.MAX_AUDITED_CHANNELS
    assert most > MAX_CHANNELS
    assert options.image_shape(f"{most}x3x4") == (most, 3, 4)
    with pytest.raises(RecipeError, match=f"there are 1 to {most} channels"):
        options.image_shape(f"{most + 1}x3x4")
