"""Whatever is added is under the contract: a file in the package's folder, and no test is edited.

Each test lays a copy of the package, which shares its files but for one that is added, over the real
one, and runs the tests of the contract on it in a process of its own.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pixelrnn

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(pixelrnn.__file__).parent

MODEL = '''
"""A PixelCNN that is added to the package."""

from typing import Literal

import torch.nn.functional as F

from pixelrnn.models.pixel_cnn import PixelCNNBlock, PixelCNNConfig
from pixelrnn.models.pixelrnn import PixelRNN
from pixelrnn.models.registry import register


class Config(PixelCNNConfig):
    kind: Literal["added-pixelcnn"] = "added-pixelcnn"


class Block(PixelCNNBlock):
    def forward(self, maps):
        return super().forward(maps) + {more}


@register("Added PixelCNN", Config)
class Added(PixelRNN):
    config: Config

    @staticmethod
    def make_block(config, index, stream, inner):
        return Block(stream, inner, config.kernel_size, 1)
'''
HONEST = MODEL.format(more="0")
PEEKING = MODEL.format(more="0.1 * F.pad(maps, (0, 1))[..., 1:]")  # looks one pixel to the right
OTHERWISE = MODEL.format(more="0.1 * maps")  # than its program

DIRECT = '''
"""A model beside the skeleton: every sub-pixel by itself."""

from typing import Literal

import numpy as np
import torch
from torch import nn

from pixelrnn.models.base import AutoregressiveModel, ModelConfig
from pixelrnn.models.registry import register
from pixelrnn.stepper.program import Program, Tap


class Config(ModelConfig):
    kind: Literal["added-direct"] = "added-direct"


@register("Direct", Config)
class Direct(AutoregressiveModel):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.likelihood = config.likelihood.build(config.channels, config.num_levels)
        likelihood = self.likelihood
        maps = likelihood.head_maps + likelihood.prediction_maps
        self.bias = nn.Parameter(torch.randn(likelihood.groups, maps))

    def forward(self, images):
        batch, _, height, width = images.shape
        return self.bias[None, :, :, None, None].expand(batch, -1, -1, height, width)

    def receptive_field(self, place, *, height, width):
        field = np.zeros((self.config.channels, height, width), bool)
        if self.likelihood.groups == 1:
            field[: place.channel, place.row, place.column] = True
        return field

    def lower(self):
        config, likelihood = self.config, self.likelihood
        program = Program(config.channels, config.num_levels, likelihood.groups)
        image = program.new_map(config.channels + 1)
        program.image = image.part(0, config.channels)
        program.border = image.part(config.channels, 1)
        bias = self.bias.detach().numpy().reshape(-1)
        out = program.new_map(bias.size)
        weights = np.zeros((1, bias.size), bias.dtype)
        program.linear(out, [Tap(program.border, 0, 0, weights)], bias)
        program.likelihood = likelihood.lower(out)
        return program
'''

LIKELIHOOD = '''
"""A softmax that loses a millionth of the probability."""

from typing import Literal

from pixelrnn.likelihoods.base import LikelihoodConfig, register
from pixelrnn.likelihoods.categorical import Categorical


@register
class Config(LikelihoodConfig):
    kind: Literal["added-softmax"] = "added-softmax"

    def build(self, channels, num_levels):
        return Faint(channels, num_levels)


class Faint(Categorical):
    def log_prob(self, parameters, images):
        return super().log_prob(parameters, images) - 1e-6
'''


@pytest.fixture
def contract(tmp_path):
    """Add a file to the package's folder, run tests of the contract: how many passed, which failed."""

    def run(folder, text, select, *options):
        package = overlay(tmp_path / "over", folder)
        (package / folder / "added.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "tests/contract", "-q", "-k", select,
                   "-p", "no:cacheprovider", *options]  # fmt: skip
        environment = {
            **os.environ,
            "PYTHONPATH": str(package.parent),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        ran = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode in (0, 1), ran.stdout + ran.stderr
        passed = re.search(r"(\d+) passed", ran.stdout)
        failed = re.findall(r"^FAILED (\S+?)(?: - (.*))?$", ran.stdout, re.M)
        return int(passed[1]) if passed else 0, dict(failed), ran.stdout

    return run


def overlay(root, folder):
    """Return a package like the real one, with one folder that can be written to."""
    package = root / "pixelrnn"
    (package / folder).mkdir(parents=True)
    for path in SOURCE.iterdir():
        if path.name != folder:
            (package / path.name).symlink_to(path)
    for path in (SOURCE / folder).iterdir():
        (package / folder / path.name).symlink_to(path)
    return package


def test_an_added_model_is_selected(contract):
    _, _, said = contract("models", PEEKING, "added-pixelcnn", "--collect-only")
    selected = int(re.search(r"(\d+)/\d+ tests collected", said)[1])
    assert selected > 100
    assert selected == said.count("added-pixelcnn")
    for test in ("causal", "covers", "normalised", "steps", "samples", "learns"):
        assert f"test_{test}.py::" in said


@pytest.mark.parametrize(
    ("text", "guilty"),
    [(HONEST, ()), (PEEKING, ("causal", "covers", "steps")), (OTHERWISE, ("steps",))],
    ids=["honest", "peeking", "another-program"],
)
def test_an_added_model_is_held_to_the_contract(text, guilty, contract):
    some = "test_causal_at_first or test_the_first or test_levels_sum or test_sees_just_what_it_claims["
    some += " or test_steps_as_it_forwards["
    select = f"added-pixelcnn and grey and 5x7 and not settings and not float32 and ({some})"
    passed, failed, said = contract("models", text, select.replace("[", ""))
    assert passed + len(failed) >= 8, said
    assert {re.search(r"test_(\w+)\.py", name)[1] for name in failed} == set(guilty), said
    if "causal" in guilty:
        assert "not causal: the parameters of row" in said


def test_a_model_beside_the_skeleton_is_held_to_it_too(contract):
    select = "added-direct and 5x7 and (test_causal or test_steps or test_levels or test_sees)"
    passed, failed, said = contract("models", DIRECT, select, "-rs")
    assert not [name for name in failed if "test_causal_at_first" not in name], said
    assert passed >= 12, said
    assert "added-direct has no " in said  # settings of the skeleton


def test_an_added_likelihood_is_held_to_the_contract(contract):
    select = "added-softmax and pixelcnn and grey and 5x7 and (test_levels or test_causal_at_first)"
    passed, failed, said = contract("likelihoods", LIKELIHOOD, select)
    assert passed >= 1
    assert list(failed), said
    assert all("test_levels_sum_to_one" in name for name in failed)
    assert "sum to one only within 1e-06" in said


def python(tmp_path, files, code):
    """Run code with files laid over the package; return the process."""
    package = overlay(tmp_path / "over", "models")
    recipes = package / "recipes"
    recipes.unlink()
    recipes.mkdir()
    for path in (SOURCE / "recipes").iterdir():
        (recipes / path.name).symlink_to(path)
    for name, text in files.items():
        (package / name).write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_recipes_and_tables_follow(tmp_path):
    recipe = (SOURCE / "recipes" / "digits-pixelcnn.toml").read_text()
    recipe = recipe.replace('kind = "pixelcnn"', 'kind = "added-pixelcnn"')
    files = {"models/added.py": HONEST, "recipes/digits-added-pixelcnn.toml": recipe}
    code = """
import json
from pixelrnn.models import LABELS, MODELS
from pixelrnn.training import load_recipe, suite_recipes, suites
print(json.dumps([suites(), suite_recipes("digits"), LABELS["added-pixelcnn"], list(MODELS)]))
load_recipe("digits-pixelcnn", ["model.kind=added-pixelcn"])
"""
    ran = python(tmp_path, files, code)
    suites, digits, label, kinds = json.loads(ran.stdout)
    assert "digits" in suites
    assert not [suite for suite in suites if "added" in suite]
    assert digits["added-pixelcnn"] == "digits-added-pixelcnn"
    assert label == "Added PixelCNN"
    assert kinds == ["pixelcnn", "row-lstm", "diagonal-bilstm", "added-pixelcnn"]
    wrong = ran.stderr.splitlines()[-1]
    assert "model.kind = 'added-pixelcn' is not known; did you mean added-pixelcnn?" in wrong
    assert "row-lstm" in wrong


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (HONEST.replace('@register("Added PixelCNN", Config)', ""), "Added is not registered"),
        (HONEST.replace("added-pixelcnn", "pixelcnn"), "two of one kind"),
    ],
    ids=["not-registered", "kind-taken"],
)
def test_a_model_that_no_test_would_select_is_refused(text, trouble, tmp_path):
    ran = python(tmp_path, {"models/added.py": text}, "import pixelrnn.models")
    assert ran.returncode == 1
    assert trouble in ran.stderr.splitlines()[-1]
