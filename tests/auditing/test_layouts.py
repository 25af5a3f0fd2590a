"""Layouts of outputs and forms of inputs: found out, stated, and told apart."""

import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pixelrnn.auditing import audit, mixtures
from pixelrnn.auditing.axes import fits, fold, parse, unfold
from pixelrnn.errors import SubjectError
from tests.auditing import zoo
from tests.auditing.conftest import COLOUR, GREY, LEVELS

ABOUT = "inputs and outputs"


@pytest.fixture(scope="module")
def colour():
    torch.manual_seed(0)
    return zoo.Colour()


@pytest.fixture(scope="module")
def grey():
    torch.manual_seed(0)
    return zoo.Grey()


COLOUR_LAYOUTS = {
    "(B, K, C, H, W)": lambda out: out,
    "(B, C, H, W, K)": lambda out: out.movedim(1, -1),
    "(B, C, K, H, W)": lambda out: out.transpose(1, 2),
    "(B, H, W, C, K)": lambda out: out.permute(0, 3, 4, 2, 1),
    "(B, C*K, H, W)": lambda out: out.transpose(1, 2).flatten(1, 2),
    "(B, K*C, H, W)": lambda out: out.flatten(1, 2),
    "(B, H, W, C*K)": lambda out: out.transpose(1, 2).flatten(1, 2).movedim(1, -1),
    "(B, H, W, K*C)": lambda out: out.flatten(1, 2).movedim(1, -1),
    "(B, H*W*C, K)": lambda out: out.permute(0, 3, 4, 2, 1).flatten(1, 3),
    "(B, C*H*W, K)": lambda out: out.movedim(1, -1).flatten(1, 3),
}


@pytest.mark.parametrize("pattern", COLOUR_LAYOUTS)
def test_layouts_of_colours(pattern, colour):
    found = audit(
        logits=lambda images: COLOUR_LAYOUTS[pattern](colour(images)),
        shape=COLOUR,
        num_levels=LEVELS,
    )
    assert found.holds
    assert f"read as logits {pattern}" in found[ABOUT].text
    assert found[ABOUT].verdict == "holds"


def test_the_layout_that_is_causal_is_taken_and_said_to_be_why(colour):
    found = audit(
        logits=lambda images: colour(images).flatten(1, 2), shape=COLOUR, num_levels=LEVELS
    )
    assert (
        "only so is it causal: if what you train with reads logits (B, C*K, H, W), it is not"
        in found[ABOUT].text
    )


def test_a_layout_that_is_named_is_believed(colour):
    def logits(images):
        return colour(images).flatten(1, 2)

    found = audit(logits=logits, shape=COLOUR, num_levels=LEVELS, layout="(B, C*K, H, W)")
    assert found["causal"].verdict == "fails"
    assert audit(logits=logits, shape=COLOUR, num_levels=LEVELS, layout="logits (B,K*C,H,W)").holds


def test_layouts_that_nothing_tells_apart():
    """Colours that do not see each other are causal whichever they are."""

    def logits(images):
        left = F.pad(images.float().mean(dim=1, keepdim=True), (1, 0))[..., :-1]
        return (left * torch.arange(24.0)[:, None, None]).sin()

    found = audit(logits=logits, shape=COLOUR, num_levels=LEVELS)
    assert found.holds
    assert found[ABOUT].verdict == "cannot be told"
    assert "causal in each" in found[ABOUT].text


GREY_LAYOUTS = {
    "logits (B, K, H, W)": lambda out: out,
    "logits (B, H, W, K)": lambda out: out.movedim(1, -1),
    "logits (B, K, C, H, W)": lambda out: out[:, :, None],
    "logits (B, H*W*C, K)": lambda out: out.flatten(2).mT,
    "probabilities (B, K, H, W)": lambda out: out.softmax(dim=1),
}


@pytest.mark.parametrize("name", GREY_LAYOUTS)
def test_layouts_of_grey(name, grey):
    found = audit(
        logits=lambda images: GREY_LAYOUTS[name](grey(images)), shape=GREY, num_levels=LEVELS
    )
    assert found.holds
    assert f"read as {name}" in found[ABOUT].text


BINARY = {
    "Bernoulli (B, C, H, W)": lambda out: out,
    "Bernoulli (B, H, W)": lambda out: out[:, 0],
    "Bernoulli (B, H*W*C)": lambda out: out.flatten(1),
    "probability (B, C, H, W)": torch.sigmoid,
}


@pytest.mark.parametrize("name", BINARY)
def test_layouts_of_two_levels(name):
    torch.manual_seed(0)
    model = zoo.Grey(levels=1)
    found = audit(logits=lambda images: BINARY[name](model(images)), shape=GREY, num_levels=2)
    assert found.holds
    assert f"read as {name}" in found[ABOUT].text


@pytest.mark.parametrize("wrap", [
    lambda out: types.SimpleNamespace(logits=out, loss=None),
    lambda out: (out, torch.zeros(())),
    lambda out: {"logits": out, "hidden": out},
    lambda out: [out],
    lambda out: torch.distributions.Categorical(logits=out.movedim(1, -1)),
    lambda out: out.half(),
    lambda out: out.detach().numpy(),
], ids=["object", "tuple", "dict", "list", "distribution", "half", "numpy"])  # fmt: skip
def test_what_logits_come_in(wrap, grey):
    assert audit(logits=lambda images: wrap(grey(images)), shape=GREY, num_levels=LEVELS).holds


FORMS = {
    "levels as int64 (B, C, H, W)": lambda model: (
        lambda x: model(F.one_hot(x, 8).float().argmax(-1) / 7)
    ),
    "floats in [0, 1] (B, C, H, W)": lambda model: model,
    "floats in [0, 1] (B, H, W, C)": lambda model: lambda x: model(x.permute(0, 3, 1, 2)),
    "levels as int64 (B, H*W*C)": lambda model: (
        lambda x: model(F.one_hot(x.view(-1, 1, 5, 6), 8).argmax(-1) / 7) if x.ndim == 2 else 1 / 0
    ),
    "levels as int64 (B, C, H, W), numpy": lambda model: (
        lambda x: (
            model(torch.from_numpy(np.eye(8, dtype=np.float32)[x]).argmax(-1) / 7)
            if isinstance(x, np.ndarray)
            else 1 / 0
        )
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_inputs(form, grey):
    found = audit(logits=FORMS[form](grey), shape=GREY, num_levels=LEVELS)
    assert found.holds
    assert found[ABOUT].text.startswith(f"given {form}, read as")


def test_inputs_that_are_named_are_believed(grey):
    seen = set()

    def logits(images):
        seen.add((float(images.min()) < 0, images.dtype))
        return grey(images)

    audit(logits=logits, shape=GREY, num_levels=LEVELS, inputs="symmetric")
    assert {each for each in seen if each[1] == torch.float32} == {(True, torch.float32)}


def test_a_mixture_sums_to_one_and_couples_colours():
    generator = torch.Generator().manual_seed(0)
    parameters = torch.randn(2, 20, 2, 2, generator=generator)
    levels = torch.randint(8, (2, 3, 2, 2), generator=generator)
    pmf = mixtures.log_pmf(parameters, levels, 8)
    assert pmf.shape == (2, 3, 2, 2, 8)
    assert torch.allclose(pmf.exp().sum(dim=-1), torch.ones(2, 3, 2, 2, dtype=torch.float64))
    changed = levels.clone()
    changed[:, 0] = (levels[:, 0] + 3) % 8
    other = mixtures.log_pmf(parameters, changed, 8)
    assert torch.equal(pmf[:, 0], other[:, 0])
    assert not torch.allclose(pmf[:, 1], other[:, 1])
    # The sum over all pixels of a world of two levels, by the joint mixture: one.
    every = torch.cartesian_prod(*[torch.arange(2)] * 3).view(8, 3, 1, 1)
    one = parameters[:1, :, :1, :1].expand(8, -1, -1, -1)
    joint = mixtures.log_pmf(one, every, 2).gather(-1, every[..., None]).sum(dim=(1, 2, 3, 4))
    assert float(joint.exp().sum()) == pytest.approx(1)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mixture_is_recognised(channels, audited):
    found = audited(lambda: zoo.Mixture(channels), (channels, 4, 5))
    assert f"read as mixture (B, {10 if channels == 3 else 3}*n, H, W)" in found[ABOUT].text


def test_axes_there_and_back():
    sizes = {"B": 2, "C": 3, "K": 4, "H": 5, "W": 6}
    levels = torch.arange(2 * 3 * 5 * 6).view(2, 3, 5, 6)
    for pattern in ("(B, C, H, W)", "(B, H, W, C)", "(B, H*W*C)", "(B, C*H*W)", "(B, W, H*C)"):
        folded = fold(levels, pattern)
        assert fits(pattern, tuple(folded.shape), sizes)
        assert torch.equal(unfold(folded, pattern, sizes, "BCHW"), levels)


@pytest.mark.parametrize("pattern", ["", "B, C, C", "(B, Q)", "(B; C)", "(B, C*)"])
def test_what_is_no_pattern(pattern):
    with pytest.raises(ValueError, match=r"axes|axis"):
        parse(pattern)


@pytest.mark.parametrize(
    "layout",
    [
        "nonsense",
        "(B, K, C, H",
        "mixture (B, K, H, W)",
        "logits (B, C, H, W)",
        "softmax (B, K, H, W)",
    ],
)
def test_what_is_no_layout(layout, grey):
    with pytest.raises(SubjectError, match=r"layout|axes|expected"):
        audit(logits=grey, shape=GREY, num_levels=LEVELS, layout=layout)


@pytest.mark.parametrize("pattern", ["(B, K, C, H, W)", "(B, C, H, W, K)", "(B, C, K, H, W)"])
def test_axes_of_one_size(pattern):
    """Colours, levels, rows and columns all three: only causality tells them apart."""
    torch.manual_seed(0)
    model = zoo.Colour(levels=3)
    found = audit(logits=lambda x: COLOUR_LAYOUTS[pattern](model(x)), shape=(3, 3, 3), num_levels=3)
    assert found.holds
    assert f"read as logits {pattern}" in found[ABOUT].text


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (3, 1, 1), (1, 1, 7), (1, 7, 1), (4, 3, 2), (2, 1, 5)]
)
def test_images_of_any_shape(shape):
    found = audit(logits=zoo.Transformer(shape), shape=shape, num_levels=LEVELS)
    assert [each.text for each in found.failures] == []
    assert np.shape(found.picture.cells) == shape


def test_two_levels_of_colours():
    torch.manual_seed(0)
    model = zoo.Colour(levels=2)

    def bernoulli(images):
        logits = model(images)
        return logits[:, 1] - logits[:, 0]

    for logits, name in (
        (bernoulli, "Bernoulli (B, C, H, W)"),
        (lambda x: model(x).flatten(1, 2), "(B, K*C, H, W)"),
    ):
        found = audit(logits=logits, shape=COLOUR, num_levels=2)
        assert found.holds
        assert name in found[ABOUT].text
