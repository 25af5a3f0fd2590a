"""Float, integer and file sizes: what rounding explains raises no alarm, and what it cannot does."""

import dataclasses

import pytest
import torch

from pixelrnn import shipped
from pixelrnn.agreement import Sizes, alarms, disagreements
from pixelrnn.coding import load_program, name_model
from pixelrnn.contract import ContractViolation, check_codes
from pixelrnn.models import store
from pixelrnn.operations.export import export

HONEST = Sizes(
    num_images=297,
    dims_per_image=64,
    float_bits_per_dim=2.0810,
    integer_bits_per_dim=2.0815,
    message_bits_per_dim=2.1190,
    file_bits_per_dim=2.9,
)


def changed(**figures):
    return disagreements(dataclasses.replace(HONEST, **figures))


def test_what_rounding_explains():
    assert disagreements(HONEST) == []


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"float_bits_per_dim": 1.3377}, "the floats know what no decoder knows"),
        ({"float_bits_per_dim": 2.03}, "the floats know what no decoder knows"),
        ({"float_bits_per_dim": 2.9}, "the integers are of another model"),
        ({"message_bits_per_dim": 2.5}, "the coder does not code what the model says"),
        ({"message_bits_per_dim": 0.4}, "the coder does not code what the model says"),
        ({"file_bits_per_dim": 2.0}, "the file holds something else"),
        ({"file_bits_per_dim": 12.0}, "the file holds something else"),
        ({"integer_bits_per_dim": float("nan")}, "not a number"),
    ],
)
def test_what_it_does_not(figures, words):
    assert any(words in text for text in changed(**figures))


def test_a_surprised_model_is_dearer_in_floats_which_charge_without_end():
    dear = {"float_bits_per_dim": 9.4, "integer_bits_per_dim": 2.4, "message_bits_per_dim": 2.42}
    assert changed(**dear)
    assert changed(**dear, surprise_bits_per_dim=7.0) == []


def test_messages_that_are_the_levels_themselves():
    """Noise costs a model that never saw any 20 bits a level, and as it is 8."""
    bad = {"float_bits_per_dim": 20.0, "integer_bits_per_dim": 20.0, "file_bits_per_dim": 9.0}
    assert changed(**bad, message_bits_per_dim=8.0) == []
    assert changed(**bad, message_bits_per_dim=5.0)


def test_of_a_tiny_image_the_index_is_most():
    one = {"num_images": 1, "dims_per_image": 4, "message_bits_per_dim": 6.0}
    assert changed(**one, file_bits_per_dim=1200.0) == []


RESULT = {
    **dataclasses.asdict(HONEST),
    "file_num_images": 297,
    "num_images": 297,
    "test_bits_per_dim": 2.0810,
    "image_shape": [1, 8, 8],
}


def test_alarms_of_a_result():
    assert alarms(RESULT) == []
    assert alarms(RESULT | {"file_num_images": None}) == []
    assert "in integers against 1.3377" in alarms(RESULT | {"float_bits_per_dim": 1.3377})[0]


def test_a_headline_that_is_not_of_its_own_images():
    (text,) = alarms(RESULT | {"test_bits_per_dim": 1.9})
    assert "of the same images" in text
    assert alarms(RESULT | {"test_bits_per_dim": 1.9, "num_images": 1000}) == []


@pytest.mark.parametrize("name", shipped.names())
def test_no_alarm_of_a_shipped_model(name):
    """Nor of few images, nor of such as it never saw: noise, and a flat one."""
    model, coding = store.load(name), load_program(name)
    channels, levels = model.config.channels, model.config.num_levels
    own = torch.from_numpy(model.sample(2, size=(8, 8)))
    noise = torch.randint(levels, (2, channels, 4, 6), generator=torch.Generator().manual_seed(0))
    flat = torch.zeros(1, channels, 1, 1)
    for images in (own, noise.to(torch.uint8), flat.to(torch.uint8)):
        assert "in integers" in check_codes(model, coding, images)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_no_alarm_of_a_model_that_never_learnt(
    kind, likelihood, channels, noise, tiny_model, random_images
):
    for levels in (2, 17):
        settings = {"num_levels": levels, "noise": noise, "dtype": torch.float32}
        model = tiny_model(kind, likelihood, channels, **settings)
        images = random_images(5, channels, 6, 7, levels)
        if noise:  # a model that means something: of such images as it draws
            images = torch.from_numpy(model.sample(32, size=(6, 7)))
        coding = name_model("fresh", export(model.lower(images.numpy())))
        for some in (images, images[:1], torch.from_numpy(model.sample(3, size=(5, 4), seed=1))):
            check_codes(model, coding, some)


def test_the_alarm_of_a_model_that_peeks(likelihood, tiny_model, random_images):
    model = tiny_model("pixelcnn", likelihood, dtype=torch.float32, noise=0.3, num_levels=17)
    coding = name_model("peeking", export(model.lower(random_images(9, 1, 8, 8, 17).numpy())))
    images = torch.from_numpy(model.sample(40, size=(8, 8)))
    check_codes(model, coding, images)
    honest = model.log_prob_map
    # What a model that peeks may do: every level costs half a bit less than any decoder can make it.
    object.__setattr__(model, "log_prob_map", lambda *given, **kw: honest(*given, **kw) * 0.8)
    with pytest.raises(ContractViolation, match="the floats know what no decoder knows"):
        check_codes(model, coding, images)
