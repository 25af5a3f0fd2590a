"""A user's function that does something else: one clear line that says what was expected and what came."""

import json

import numpy as np
import pytest
import torch

from pixelrnn.auditing import audit, order_of
from pixelrnn.errors import DataError, ImageMismatchError, PixelRNNError, RecipeError, SubjectError
from tests.auditing.conftest import GREY, LEVELS


def raises(images):
    raise ValueError("boom\nand more")


def exits(images):
    raise SystemExit(3)


class Unfinished(torch.nn.Module):
    def forward(self, images, labels):
        return images


WRONG = {
    "raises": (raises, r"raises raised ValueError: boom, given int64 \(3, 1, 5, 6\)"),
    "exits": (exits, "exits raised SystemExit: 3"),
    "needs labels": (Unfinished(), "missing 1 required positional argument: 'labels'"),
    "NaN": (
        lambda x: torch.full((len(x), 8, 5, 6), torch.nan),
        "expected finite numbers; NaN came in 720 of 720",
    ),
    "infinity": (lambda x: torch.full((len(x), 8, 5, 6), torch.inf), "infinity came"),
    "shape": (
        lambda x: torch.zeros(len(x), 7, 5, 6),
        r"gave \(3, 7, 5, 6\) for 3 images: of 1x5x6 with 8 levels",
    ),
    "one number": (lambda x: torch.zeros(()), r"gave \(\) for 3 images"),
    "integers": (
        lambda x: torch.zeros(len(x), 8, 5, 6).argmax(1),
        r"int64 \(3, 5, 6\) came, which may be levels",
    ),
    "text": (lambda x: "logits", "expected a tensor of floating-point numbers; a str came"),
    "None": (lambda x: None, "None came"),
    "several": (
        lambda x: (torch.zeros(3, 8, 5, 6), torch.zeros(3, 8, 5, 6)),
        "expected one tensor; a tuple of 2",
    ),
    "keys": (
        lambda x: {"a": torch.zeros(2, 3), "b": torch.zeros(2, 3)},
        "a dict of 'a' and 'b' came",
    ),
    "an empty dict": (lambda x: {}, "a dict of nothing came"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_a_function_may_do(what):
    function, message = WRONG[what]
    with pytest.raises(SubjectError, match=message) as caught:
        audit(logits=function, shape=GREY, num_levels=LEVELS)
    assert len(str(caught.value).splitlines()) == 1


def test_what_a_function_prints_is_no_result(capsys):
    def logits(images):
        print("hello")  # noqa: T201
        return torch.zeros(len(images), 8, 5, 6)

    audit(logits=logits, shape=GREY, num_levels=LEVELS)
    assert capsys.readouterr().out == ""


UNIFORM = {"logits": lambda x: torch.zeros(len(x), 8, 5, 6), "shape": GREY, "num_levels": 8}


@pytest.mark.parametrize(("asked", "error", "message"), [
    ({"log_prob": print}, RecipeError, "one of model, logits and log_prob: 2"),
    ({"shape": (5, 6)}, RecipeError, "shape is"),
    ({"shape": None}, RecipeError, "must be given"),
    ({"shape": (1, 0, 6)}, RecipeError, "sub-pixels"),
    ({"num_levels": 1}, RecipeError, "2 to 65,536"),
    ({"minutes": 0}, RecipeError, "minutes"),
    ({"at": (9, 0, 0)}, RecipeError, "no row 9"),
    ({"inputs": "halves"}, SubjectError, "no inputs"),
    ({"images": np.zeros((2, 1, 5, 6))}, ImageMismatchError, "float64"),
    ({"images": np.zeros((2, 5, 6), np.uint8)}, ImageMismatchError, "expected are levels"),
    ({"images": np.full((2, 1, 5, 6), 9)}, ImageMismatchError, "values 9 to 9"),
    ({"order": np.zeros((5, 6), int)}, DataError, "same position twice"),
    ({"order": np.zeros((6, 5), int)}, DataError, "expected are integers"),
    ({"order": "no-such.npy"}, DataError, "cannot be read"),
    ({"reported": "two"}, RecipeError, "no number"),
    ({"images": np.zeros((2, 1, 5, 6), int), "reported": "nan"}, RecipeError, "no number"),
    ({"batch_size": 0}, RecipeError, "batch_size"),
])  # fmt: skip
def test_what_is_asked_wrongly(asked, error, message):
    with pytest.raises(error, match=message) as caught:
        audit(**{**UNIFORM, **asked})
    assert isinstance(caught.value, PixelRNNError)


def test_orders(tmp_path):
    np.save(tmp_path / "order.npy", np.arange(6)[::-1].reshape(2, 3))
    order = order_of(tmp_path / "order.npy", (2, 2, 3))
    assert order.positions[0, 0, 0] == 10
    assert order.positions[1, 0, 0] == 11
    assert order.place(0) == (1, 2, 0)
    (tmp_path / "broken.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match="cannot be read"):
        order_of(tmp_path / "broken.npy", (2, 2, 3))
    np.save(tmp_path / "floats.npy", np.zeros((2, 3)))
    with pytest.raises(DataError, match="it holds float64"):
        order_of(tmp_path / "floats.npy", (2, 2, 3))


def test_integers_made_of_floats_are_named_as_what_keeps_gradients_back():
    table = torch.nn.Embedding(4, 4)

    def by_table(images):
        before = torch.nn.functional.pad(images[..., :-1], (1, 0))
        return table(before.long()).movedim(-1, 1)

    found = audit(logits=by_table, shape=(1, 2, 3), num_levels=4, inputs="float-levels")["Jacobian"]
    assert found.verdict == "cannot be told"
    assert found.text.endswith("turn into integers")


def test_an_audit_as_text_and_as_json():
    found = audit(**UNIFORM)
    about = found.to_json()
    assert about["holds"] is True
    assert about["findings"][0]["check"] == "inputs and outputs"
    assert str(found).splitlines()[0].startswith("holds           inputs and outputs: given")
    assert np.shape(about["picture"]["cells"]) == GREY
    with pytest.raises(KeyError, match="there are"):
        found["beauty"]


def test_a_function_that_writes_into_what_it_is_given_and_into_what_it_gave():
    buffers = {}

    def left(images):
        images[..., 1:] = images[..., :-1].clone()
        images[..., 0] = 0
        out = buffers.setdefault(len(images), torch.zeros(len(images), 8, 5, 6))
        out[:] = -(torch.arange(8)[:, None, None] - images).abs()
        return out

    found = audit(logits=left, shape=GREY, num_levels=LEVELS)
    assert found["causal"].verdict == "holds"
    assert found["deterministic"].verdict == "holds"

    def own(images):
        out = buffers.setdefault(len(images), torch.zeros(len(images), 8, 5, 6))
        out[:] = -(torch.arange(8)[:, None, None] - images).abs()
        return out

    assert "its own value" in audit(logits=own, shape=GREY, num_levels=LEVELS)["causal"].text


def test_an_order_of_colours_that_a_mixture_cannot_have():
    positions = np.arange(3 * 4 * 5)[::-1].reshape(3, 4, 5)
    with pytest.raises(DataError, match="red comes before green"):
        audit(
            logits=lambda x: torch.zeros(len(x), 10, 4, 5),
            shape=(3, 4, 5),
            num_levels=8,
            order=positions,
        )


def test_a_sum_that_is_infinite_is_json():
    found = audit(
        log_prob=lambda x: 1e4 * torch.ones(len(x), 5, 6),
        shape=GREY,
        num_levels=LEVELS,
        layout="log_prob (B, H, W)",
    )
    assert found["normalised"].verdict == "fails"
    json.loads(json.dumps(found.to_json(), allow_nan=False))
