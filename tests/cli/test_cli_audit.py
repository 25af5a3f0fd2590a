"""`pixelrnn audit MODULE:NAME`: models of others, from the working folder."""

import json
import re
import sys

import numpy as np
import pytest

from pixelrnn.data import load

MODULE = """
import torch
from torch import nn

print("being imported")


class Left(nn.Module):
    def __init__(self, leaks=False):
        super().__init__()
        self.out, self.leaks = nn.Conv2d(1, 17, 1), leaks

    def forward(self, images):
        left = nn.functional.pad(images, (1, 0))[..., :-1]
        return self.out(left + images if self.leaks else left)

    def log_prob(self, images):
        pmf = self(images / 16).log_softmax(1)
        return pmf.gather(1, images.long())[:, 0]

    def sample(self, count):
        return torch.randint(17, (count, 1, 8, 8))


def build():
    torch.manual_seed(0)
    return Left()


def leaking():
    return Left(leaks=True)


def logits(images):
    return model(images / 16)


def raises(images):
    raise RuntimeError("no\\nway")


def unbuilt():
    raise OSError("no weights here")


def uniform(count):
    return torch.randint(17, (count, 1, 8, 8))


model, number = build(), 3
"""
OF_DIGITS = ("--shape", "1x8x8", "--levels", "17")


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """A module of somebody in the working folder."""
    (tmp_path / "somebodys.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "somebodys"
    sys.modules.pop("somebodys", None)


NAMES = (
    *("somebodys:build", "somebodys:model", "somebodys:logits", "somebodys:Left"),
    *("somebodys.py:build", "./somebodys.py:model.forward"),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_can_be_named(name, pixelrnn):
    answer = pixelrnn("audit", name, *OF_DIGITS)
    assert answer.code == 0, answer
    assert answer.out.splitlines()[-1] == f"{name}: nothing fails"
    assert "being imported" not in answer.out
    assert re.search(r"^holds +causal: ", answer.out, re.M)


def test_a_leak_as_text_as_json_and_as_a_page(pixelrnn, tmp_path):
    answer = pixelrnn(
        "audit", "somebodys:leaking", *OF_DIGITS, "--html", "page.html", "--at", "3,4"
    )
    assert answer.code == 1
    assert answer.err.splitlines()[-1].startswith(
        "error: somebodys:leaking fails: causal: it uses its own value"
    )
    assert "...#!..." in answer.out or "---#!..." in answer.out
    page = (tmp_path / "page.html").read_text()
    assert "Audit of somebodys:leaking" in page
    assert page.count('class="leak"') == 2  # in the map, and in its key
    assert "its own value" in page
    answer = pixelrnn("audit", "somebodys:leaking", *OF_DIGITS, "--json")
    found = json.loads(answer.out)
    assert (answer.code, found["holds"], found["subject"]) == (1, False, "somebodys:leaking")
    assert (
        found["findings"][3]["counterexample"]["position"]
        == found["findings"][3]["counterexample"]["uses"]
    )


def test_figures_and_samples(pixelrnn):
    images = ("--data", "digits", "--count", "20", "--reported", "4.1", "--sample")
    for sampler in ("somebodys:uniform", "sample"):
        answer = pixelrnn("audit", "somebodys:build", *OF_DIGITS, *images, sampler)
        assert re.search(r"^(holds|fails) +bits/dim: ", answer.out, re.M)
        assert re.search(r"^(holds|fails) +samples: ", answer.out, re.M)
        assert re.search(
            r"^cannot be told +plausible: nothing published of digits", answer.out, re.M
        )


def test_the_reported_figure_is_right(pixelrnn):
    asked = ("--data", "digits", "--inputs", "unit")
    answer = pixelrnn("audit", "somebodys:build", *OF_DIGITS, *asked, "--json")
    text = next(
        each["text"] for each in json.loads(answer.out)["findings"] if each["check"] == "bits/dim"
    )
    figure = text.split()[0]
    answer = pixelrnn("audit", "somebodys:build", *OF_DIGITS, *asked, "--reported", figure)
    assert f"holds           bits/dim: {float(figure):g} is right" in answer.out
    assert load("digits").count("test") == 297
    assert "297 images" in answer.out


def test_log_probabilities(pixelrnn):
    answer = pixelrnn("audit", "somebodys:build", *OF_DIGITS, "--log-prob")
    assert answer.code == 0
    assert "read as log_prob (B, H, W)" in answer.out


def test_an_order_of_ones_own(pixelrnn, tmp_path):
    np.save(tmp_path / "order.npy", np.arange(64)[::-1].reshape(8, 8))
    answer = pixelrnn("audit", "somebodys:build", *OF_DIGITS, "--order", "order.npy")
    assert answer.code == 1
    assert "other pixels that come later in this order" in answer.err


@pytest.mark.parametrize(("name", "message"), [
    ("nobodys:build", "nobodys cannot be imported: ModuleNotFoundError: No module named 'nobodys'"),
    ("no.py:build", "there is no file no.py"),
    ("somebodys:biuld", "somebodys has no biuld (did you mean build?)"),
    ("somebodys:number", "somebodys:number is a int"),
    ("somebodys:unbuilt", "somebodys:unbuilt() raised OSError: no weights here"),
    ("somebodys:raises", "somebodys:raises raised RuntimeError: no, given int64 (3, 1, 8, 8)"),
])  # fmt: skip
def test_what_is_no_model(name, message, pixelrnn):
    answer = pixelrnn("audit", name, *OF_DIGITS)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines()[-1].startswith(f"error: {message}")


@pytest.mark.parametrize(("options", "message"), [
    ((), "--shape CxHxW and --levels say what images it is of"),
    (("--shape", "8x8", "--levels", "17"), "is not a size"),
    (("--shape", "1x8x8", "--levels", "1"), "num_levels is 1"),
    ((*OF_DIGITS, "--at", "three"), "is no position"),
    ((*OF_DIGITS, "--minutes", "0"), "give minutes"),
    ((*OF_DIGITS, "--reported", "two"), "is no number"),
    ((*OF_DIGITS, "--html", "page.txt"), "give a name that ends in .html"),
    ((*OF_DIGITS, "--sample", "draw"), "has no method draw"),
    ((*OF_DIGITS, "--order", "spiral"), "the order spiral cannot be read"),
])  # fmt: skip
def test_what_is_asked_wrongly(options, message, pixelrnn):
    answer = pixelrnn("audit", "somebodys:build", *options)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err.splitlines()[-1]


def test_a_module_that_does_not_import(pixelrnn, tmp_path):
    (tmp_path / "broken.py").write_text("import sys; sys.exit(5)")
    answer = pixelrnn("audit", "broken.py:model", *OF_DIGITS)
    assert answer.code == 2
    assert answer.err.splitlines()[-1] == "error: broken.py cannot be imported: SystemExit: 5"
