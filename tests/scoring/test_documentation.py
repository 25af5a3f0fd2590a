"""docs/scoring.md can be typed: its Python is run, with others' classes where they are installed."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import pixelrnn
from pixelrnn.scoring import SCORES
from pixelrnn.scoring.changed import CHANGES
from pixelrnn.scoring.made import MADE

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scoring.md").read_text(encoding="utf-8")


def run(block):
    """Run the block of a project, and return what it defines."""
    (code,) = re.findall(rf"^```{block}\n(.*?)^```$", PAGE, re.M | re.S)
    defined = {}
    exec(code, defined)
    return defined


@pytest.fixture(scope="module")
def digits():
    return pixelrnn.data.load("digits")


@pytest.fixture(scope="module")
def fitted(digits):
    return pixelrnn.Scorer("digits-pixelcnn").fit(digits.images("validation"))


def test_the_page_names_all_there_is():
    for name in (*(f"`{kind}`" for kind in SCORES), *(f"`{name}`" for name in MADE)):
        assert name in PAGE
    assert all(f"`{name}:`" in PAGE for name in CHANGES)


def test_python():
    found = run("python")["found"]
    assert found.value.shape == found.p_value.shape == (20,)
    assert found.map.shape == (20, 8, 8)
    assert found.chosen == "density"


def test_pytorch_ood(digits, fitted):
    pytest.importorskip("pytorch_ood.api", exc_type=ImportError)
    detector = run("python pytorch_ood")["Autoregressive"]("digits-pixelcnn")
    images = torch.from_numpy(digits.images("validation").copy())
    labelled = torch.utils.data.TensorDataset(images, torch.zeros(len(images)))
    detector.fit(torch.utils.data.DataLoader(labelled, batch_size=32))
    test = torch.from_numpy(digits.images("test")[:9].copy())
    usual, strange = detector.predict(test), detector(16 - test)
    assert usual.shape == (9,)
    assert strange.min() > usual.max()
    np.testing.assert_allclose(usual.numpy(), fitted(test).value)


def test_anomalib(digits, fitted):
    pytest.importorskip("anomalib.data", exc_type=ImportError)
    module = run("python anomalib")["Scored"](fitted)
    test = digits.images("test")[:9]
    found = module(torch.from_numpy(test) / 16)
    assert found.pred_score.shape == (9,)
    assert found.anomaly_map.shape == (9, 1, 8, 8)
    np.testing.assert_allclose(found.pred_score.numpy(), fitted(test).value)
