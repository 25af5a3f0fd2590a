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
from pixelrnn.models import MODELS

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(pixelrnn.__file__).parent

MODEL = '''
"""A PixelCNN that is added to the package."""

from typing import Literal

import torch.nn.functional as F

from pixelrnn.graph.traced import Traced
from pixelrnn.models.pixel_cnn import PixelCNNBlock, PixelCNNConfig
from pixelrnn.models.residual import ResidualModel
from pixelrnn.models.registry import register


class Config(PixelCNNConfig):
    kind: Literal["{kind}"] = "{kind}"


class Block(PixelCNNBlock):
    def forward(self, maps):
        result = super().forward(maps)
        return result if isinstance(maps, Traced) else result + {more}


@register("Added", Config)
class Added(ResidualModel):
    config: Config

    @staticmethod
    def make_block(config, index, stream, inner):
        return Block(stream, inner, config.kernel_size, 1)
'''
HONEST = MODEL.format(kind="added-honest", more="0")
# It looks one pixel to the right.
PEEKING = MODEL.format(kind="added-peeking", more="0.1 * F.pad(maps, (0, 1))[..., 1:]")
# Its program does not know of it.
OTHERWISE = MODEL.format(kind="added-otherwise", more="0.1 * maps")

DIRECT = '''
"""A model beside the skeleton: every sub-pixel by itself."""

from typing import Literal

import numpy as np
import torch
from torch import nn

from pixelrnn.models.base import AutoregressiveModel
from pixelrnn.models.config import ModelConfig
from pixelrnn.models.registry import register
from pixelrnn.graph.operation import Tap


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

    reads_border = True

    def trace(self, image, given):
        bias = self.bias.detach().numpy().reshape(-1)
        groups = np.repeat(np.arange(len(self.bias)), self.bias.shape[1])
        border = image.features.part(self.config.channels, 1)

        def part(outputs):
            return [Tap(border, 0, 0, np.zeros((1, len(outputs))))], bias[outputs]

        return image.linear(groups, part, None, None)
'''

OPERATION = '''
"""negate: y = -x, of wide maps."""

from typing import ClassVar

from numba import njit

from pixelrnn.graph.operation import Operation
from pixelrnn.operations.base import Kind, register
from pixelrnn.operations.checks import is_wide, require
from pixelrnn.operations.export import moved, moved_tap
from pixelrnn.operations.scales import of_features
from pixelrnn.operations.tables import OP_COUNT, OP_TAPS, OPERATION_COLUMNS
from pixelrnn.operations.work import source_of, target_of


@register
class Negate(Kind):
    name: ClassVar[str] = "negate"

    def oracle(self, operation, read, curves):
        return (-read(operation.taps[0]),)

    def find_units(self, operation, program, scales):
        scales.wide.setdefault(operation.out.map, scales_of_stream(program, operation))
        scales.wide[operation.taps[0].features.map] = scales.wide[operation.out.map]

    def export(self, operation, to):
        taps = (moved_tap(to.wide, operation.taps[0]),)
        to.result.append(Operation(self.name, moved(to.wide, operation.out), taps))

    def check(self, operation, program):
        require(is_wide(program, operation.out), "what is negated")

    def bound(self, operation, proof):
        proof.widen(operation.out, of_features(proof.bounds, operation.taps[0].features))

    @property
    def step(self):
        return _step


def scales_of_stream(program, operation):
    import numpy as np

    from pixelrnn.operations.scales import stream_unit

    return np.full(program.maps[operation.out.map].features, stream_unit(program))


@njit(error_model="numpy")
def _step(work, n, column):
    row = n * OPERATION_COLUMNS
    source = source_of(work, work.operations[row + OP_TAPS], column)
    out = target_of(work, n, column)
    for j in range(work.operations[row + OP_COUNT]):
        work.wide[out + j] = -work.wide[source + j]
'''

NEGATING = '''
"""A PixelCNN whose blocks are negated, by an operation that is added."""

from typing import Literal

from pixelrnn.graph.operation import Operation, Tap
from pixelrnn.graph.traced import Traced, parts
from pixelrnn.models.pixel_cnn import PixelCNNBlock, PixelCNNConfig
from pixelrnn.models.residual import ResidualModel
from pixelrnn.models.registry import register


class Config(PixelCNNConfig):
    kind: Literal["added-negating"] = "added-negating"


class Block(PixelCNNBlock):
    def forward(self, maps):
        result = super().forward(maps)
        return negated(result) if isinstance(maps, Traced) else -result


def negated(maps):
    out = maps.program.new_map(len(maps.groups))
    for group, _, part in parts(maps.groups):
        with maps.program.section(group):
            taps = (Tap(maps.features.part(*part)),)
            maps.program.append(Operation("negate", out.part(*part), taps))
    return Traced(maps.program, out, maps.groups, None if maps.value is None else -maps.value)


@register("Negating", Config)
class Negating(ResidualModel):
    config: Config

    @staticmethod
    def make_block(config, index, stream, inner):
        return Block(stream, inner, config.kernel_size, 1)
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


FILES = {
    "models/honest.py": HONEST,
    "models/peeking.py": PEEKING,
    "models/otherwise.py": OTHERWISE,
    "models/direct.py": DIRECT,
    "models/negating.py": NEGATING,
    "operations/negate.py": OPERATION,
    "likelihoods/faint.py": LIKELIHOOD,
}
RUN = [
    f"tests/contract/test_{file}.py"
    for file in ("causal", "covers", "normalised", "steps", "samples")
]
SOME = ("test_causal_at_first or test_the_first or test_levels_sum or "
        "test_sees_just_what_it_claims or test_steps_as_it_forwards")  # fmt: skip


def overlay(root, files):
    """Return a folder that holds a package like the real one, and some files more."""
    package = root / "pixelrnn"
    package.mkdir()
    written = {Path(name).parts[0] for name in files}
    for path in SOURCE.iterdir():
        if path.name not in written:
            (package / path.name).symlink_to(path)
    for folder in written:
        (package / folder).mkdir()
        for path in (SOURCE / folder).iterdir():
            (package / folder / path.name).symlink_to(path)
    for name, text in files.items():
        (package / name).write_text(text)
    return root


def python(over, *arguments):
    """Run Python with the package laid over the real one; return the process."""
    environment = {**os.environ, "PYTHONPATH": str(over), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def contract(tmp_path_factory):
    """A function that runs tests of the contract with all of `FILES` added; it returns what was said."""
    over = overlay(tmp_path_factory.mktemp("over"), FILES)

    def run(select, *options):
        pytest_ = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
        ran = python(over, *pytest_, "-k", select, *options)
        assert ran.returncode in (0, 1), ran.stdout + ran.stderr
        return ran.stdout

    return run


@pytest.fixture(scope="module")
def outcomes(contract):
    """Of tests that take no time: outcome by file, model and likelihood; and all that was said.

    With them runs one that samples in integers, so that nothing is collected twice.
    """
    fast = f"grey and 5x7 and not settings and not float32 and ({SOME})"
    sampled = "added-negating and match_the_pmf and not whole_image and grey-2x2"
    said = contract(f"added and ({fast} or {sampled})", "-rA", *RUN)
    found = {}
    line = r"^(PASSED|FAILED|ERROR) tests/contract/test_(\w+)\.py::\w+\[(\S+?)\]"
    for outcome, file, parameters in re.findall(line, said, re.M):
        kind = next(kind for kind in KINDS if kind in parameters)
        likelihood = next(each for each in LIKELIHOODS if each in parameters)
        found.setdefault((kind, likelihood), {}).setdefault(file, set()).add(outcome)
    return found, said


KINDS = ("added-honest", "added-peeking", "added-otherwise", "added-direct", "added-negating",
         *sorted(MODELS, key=len, reverse=True))  # fmt: skip
LIKELIHOODS = ("categorical", "logistic-mixture", "added-softmax")


def guilty(outcomes, kind, likelihood):
    """Return the files whose tests failed; those of others passed, and there were some."""
    of_files = outcomes[0][kind, likelihood]
    assert set(of_files) - {"samples"} == {"causal", "covers", "normalised", "steps"}
    return {file for file, found in of_files.items() if found != {"PASSED"}}


def test_an_added_model_is_selected(contract):
    said = contract("added-peeking", "--collect-only", "tests/contract")
    selected = int(re.search(r"(\d+)/\d+ tests collected", said)[1])
    assert selected > 200
    assert selected == said.count("added-peeking")
    for test in ("causal", "covers", "normalised", "steps", "samples", "learns"):
        assert f"test_{test}.py::" in said


@pytest.mark.parametrize("likelihood", ["categorical", "logistic-mixture"])
@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        ("added-honest", set()),
        ("added-direct", set()),
        ("added-negating", set()),
        ("added-peeking", {"causal", "covers", "steps"}),
        ("added-otherwise", {"steps"}),
    ],
)
def test_an_added_model_is_held_to_the_contract(kind, likelihood, faults, outcomes):
    assert guilty(outcomes, kind, likelihood) == faults, outcomes[1]


@pytest.mark.parametrize("likelihood", ["categorical", "logistic-mixture"])
def test_an_added_operation_runs_in_integers(likelihood, outcomes):
    """The exporter, the proof, the layout and the compiled loop find it in the registry."""
    passed = re.findall(r"^PASSED \S+test_samples_match_the_pmf\[(\S+)\]", outcomes[1], re.M)
    assert [each for each in passed if likelihood in each], outcomes[1]


def test_a_peeking_model_is_told_where(outcomes):
    assert "not causal: the parameters of row 0, column 0, colour 0 changed" in outcomes[1]


def test_an_added_likelihood_is_held_to_the_contract(outcomes):
    for kind in ("pixelcnn", "added-honest", "added-direct"):
        assert guilty(outcomes, kind, "added-softmax") == {"normalised"}, outcomes[1]
    assert "sum to one only within 1e-06" in outcomes[1]


def test_recipes_and_tables_follow(tmp_path):
    recipe = (SOURCE / "recipes" / "digits-pixelcnn.toml").read_text()
    recipe = recipe.replace('kind = "pixelcnn"', 'kind = "added-pixelcnn"')
    model = MODEL.format(kind="added-pixelcnn", more="0")
    files = {"models/added.py": model, "recipes/digits-added-pixelcnn.toml": recipe}
    code = """
import json
from pixelrnn.models import LABELS, MODELS
from pixelrnn.training.recipe import load_recipe, suite_recipes, suites
print(json.dumps([suites(), suite_recipes("digits"), LABELS["added-pixelcnn"], list(MODELS)]))
load_recipe("digits-pixelcnn", ["model.kind=added-pixelcn"])
"""
    ran = python(overlay(tmp_path, files), "-W", "error", "-c", code)
    suites, digits, label, kinds = json.loads(ran.stdout)
    assert "digits" in suites
    assert not [suite for suite in suites if "added" in suite]
    assert digits["added-pixelcnn"] == "digits-added-pixelcnn"
    assert label == "Added"
    assert kinds == [*MODELS, "added-pixelcnn"]
    wrong = ran.stderr.splitlines()[-1]
    assert "model.kind = 'added-pixelcn' is not known; did you mean added-pixelcnn?" in wrong
    assert "row-lstm" in wrong


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (HONEST.replace('@register("Added", Config)', ""), "Added is not registered"),
        (MODEL.format(kind="pixelcnn", more="0"), "two of one kind"),
    ],
    ids=["not-registered", "kind-taken"],
)
def test_a_model_that_no_test_would_select_is_refused(text, trouble, tmp_path):
    ran = python(overlay(tmp_path, {"models/added.py": text}), "-c", "import pixelrnn.models")
    assert ran.returncode == 1
    assert trouble in ran.stderr.splitlines()[-1]
