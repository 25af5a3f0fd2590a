"""No false alarm: right models, ours and others', whatever their weights."""

import pytest
import torch

from pixelrnn.auditing import audit
from pixelrnn.evaluation import evaluate
from pixelrnn.likelihoods import LIKELIHOODS
from pixelrnn.models import MODELS
from pixelrnn.models.given_images import as_array, as_levels
from tests.auditing import zoo
from tests.auditing.conftest import COLOUR, GREY
from tests.conftest import build_tiny_model

RIGHT = {
    "grey": (zoo.Grey, (1, 4, 5)),
    "colour": (zoo.Colour, (3, 3, 4)),
    "two stacks": (zoo.Stacks, (1, 5, 4)),
    "diagonal": (zoo.Diagonal, (1, 3, 4)),
    "transformer": (lambda: zoo.Transformer((3, 3, 2)), (3, 3, 2)),
    "mixture": (zoo.Mixture, (3, 3, 3)),
}


def fails(found):
    return [(each.check, each.text) for each in found.failures]


@pytest.mark.parametrize("kind", RIGHT)
def test_twenty_initialisations(kind, audited):
    build, shape = RIGHT[kind]
    for seed in range(20):
        assert fails(audited(build, shape, seed=seed)) == []


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("kind", MODELS)
def test_our_models(kind, likelihood, channels):
    for seed, size in enumerate([(3, 4), (4, 3), (3, 3)]):
        model = build_tiny_model(
            kind,
            likelihood,
            channels,
            seed=seed,
            noise=0.1,
            num_levels=4,
            layers=1,
            dtype=torch.float32,
        )
        assert fails(audit(model, shape=(channels, *size))) == []


@pytest.mark.parametrize("num_levels", [256, 1024])
def test_our_models_cost_what_they_score(num_levels):
    settings = {"num_levels": num_levels, "noise": 0.1, "layers": 1, "dtype": torch.float32}
    model = build_tiny_model("pixelcnn", "logistic-mixture", 3, **settings)
    levels = torch.randint(num_levels, (2, 3, 3, 4), generator=torch.Generator().manual_seed(0))
    images = as_array(as_levels(levels, num_levels))
    found = audit(model, shape=(3, 3, 4), images=images)
    assert fails(found) == []
    assert f"{evaluate(model, images).bits_per_dim:.4f}" in found["bits/dim"].text


def test_a_transformer_is_causal_in_every_way(audited):
    found = audited(lambda: zoo.Transformer(COLOUR), COLOUR)
    verdicts = {each.check: each.verdict for each in found.findings}
    assert verdicts.pop("Jacobian") == "cannot be told"  # levels have no derivative
    assert set(verdicts.values()) == {"holds"}


@pytest.mark.parametrize("build", [zoo.Gates, lambda: zoo.Colour(reshape="flat")])
def test_others_of_colours(build, audited):
    assert fails(audited(build, COLOUR)) == []


class Fourier(torch.nn.Module):
    """A causal convolution by Fourier transforms, whose rounding mixes all positions."""

    def __init__(self):
        super().__init__()
        self.kernel, self.out = torch.nn.Parameter(torch.randn(8, 30)), torch.nn.Linear(8, 8)

    def forward(self, images):
        values = torch.nn.functional.pad(images.flatten(1).float(), (1, 0))[:, :-1]
        product = torch.fft.rfft(values, 60)[:, None] * torch.fft.rfft(self.kernel, 60)
        return self.out(torch.tanh(torch.fft.irfft(product, 60)[..., :30]).mT)


@pytest.mark.parametrize(
    "wrap", [lambda model: model, lambda model: lambda images: model(images) + 0]
)
def test_rounding_is_no_leak(wrap, audited):
    found = audited(lambda: wrap(Fourier()))
    assert fails(found) == []
    assert found["causal"].verdict == "holds"
    assert "rounding, no leak" in found["causal"].text


def test_what_all_logits_have_in_common_is_no_leak(audited):
    """A model may subtract the largest logit of all positions."""

    class Shifted(zoo.Grey):
        def forward(self, images):
            logits = super().forward(images)
            return logits - logits.amax(dim=(1, 2, 3), keepdim=True)

    found = audited(Shifted)
    assert fails(found) == []


def test_a_model_is_given_back_as_it_was():
    model = zoo.Grey(norm=True).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    audit(logits=model, shape=GREY, num_levels=8)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()


class Multiplied(zoo.Grey):
    """A mask that is multiplied into the weights in `forward`."""

    def forward(self, images):
        self.second.weight.data *= self.second.mask
        return super().forward(images)


def test_weights_that_are_changed_in_place_are_said_so(audited):
    found = audited(Multiplied)
    assert fails(found) == []
    assert "the first changes its own second.weight" in found["deterministic"].text


def test_a_model_in_another_precision(audited):
    assert fails(audited(lambda: zoo.Grey().double())) == []
    assert fails(audited(lambda: zoo.Grey().bfloat16())) == []


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_model_that_is_compiled_to_a_graph(audited):
    found = audited(lambda: torch.jit.trace(zoo.Grey().eval(), torch.zeros(2, *GREY)))
    assert fails(found) == []
    assert found["causal"].verdict == "holds"


def test_what_is_given_first_may_be_anything():
    torch.manual_seed(0)
    model = zoo.Grey()
    found = [audit(model, shape=GREY, num_levels=8), audit(logits=model, shape=GREY, num_levels=8)]
    assert str(found[0]) == str(found[1])
    ours = build_tiny_model("pixelcnn", num_levels=4, layers=1, dtype=torch.float32)
    assert (
        audit(logits=ours, shape=GREY)["normalised"].text == "the levels of a sub-pixel sum to one"
    )


class StraightThrough(zoo.Grey):
    """Its derivative is that of the images themselves, which its outputs do not use."""

    def forward(self, images):
        return super().forward(images) * (1 + images - images.detach())


def test_a_derivative_that_is_not_its_own_is_no_leak(audited):
    found = audited(StraightThrough)
    assert fails(found) == []
    assert found["Jacobian"].verdict == "cannot be told"
    assert "is the derivative not its own?" in found["Jacobian"].text
