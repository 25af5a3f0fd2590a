"""The parts of docs/architecture.md are those of the code, imports only go down, starts are light.

Each rule is a function from a source folder to the violations it finds, so that the rule itself can
be tested: a violation planted in a small tree must be found.
"""

import ast
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "pixelrnn"
BENCHMARKS = ROOT / "benchmarks"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PACKAGE = "pixelrnn"

# From the top down; a part may import those on the lines below its own, and itself.
LAYERS = (
    ("cli",),
    ("compare",),
    ("report",),
    ("assessment", "pillow"),
    ("training",),
    ("auditing",),
    ("scoring",),
    ("contract", "evaluation", "baselines", "completion", "compiling", "pictures"),
    ("data",),
    ("models",),
    ("coding",),
    ("layers",),
    ("stepper",),
    ("operations",),
    ("likelihoods",),
    ("graph",),
    ("kernels",),
    ("runs",),
    (
        "registry",
        "agreement",
        "lazy",
        "ordering",
        "uncertainty",
        "shipped",
        "npz",
        "untrusted",
        "processes",
        "deep_images",
    ),
    ("arrays", "files", "units"),
    ("locks", "stopping"),
    ("errors", "wording"),
)
MAX_LINES = 300
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios"}
BANNED_NORMALISATIONS = re.compile(r"(Sync)?BatchNorm|InstanceNorm|batch_norm|instance_norm")


# The rules.


def _trees(source):
    for path in sorted(source.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def _part(module):
    """The part that a dotted module belongs to; None for the package itself and for others'."""
    names = module.split(".")
    if names[0] != PACKAGE or len(names) == 1:
        return None
    # `python -m pixelrnn` is one more way into the command line.
    return "cli" if names[1] == "__main__" else names[1]


def _module_of(path, source):
    names = path.relative_to(source).with_suffix("").parts
    return ".".join((PACKAGE, *(name for name in names if name != "__init__")))


def _absolute(node, path, source):
    """The module that `from ... import` names, also where it is given relative to the file."""
    if not node.level:
        return node.module or ""
    package = (PACKAGE, *path.relative_to(source).parts[:-1])
    base = package[: len(package) - node.level + 1]
    return ".".join((*base, *filter(None, [node.module])))


def _imported_modules(tree, path, source):
    """All modules that a file names in imports, wherever in the file, with the line of each."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, path, source)
            # `from pixelrnn import data` names the module pixelrnn.data.
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from ((name, node.lineno) for name in (names if module == PACKAGE else [module]))
        elif isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            argument = node.args[0]
            if name in {"import_module", "__import__"} and isinstance(argument, ast.Constant):
                yield str(argument.value), node.lineno


def upward_imports(source, layers=LAYERS):
    """Imports of a part on the same line of the picture, or on a higher one."""
    level = {part: index for index, parts in enumerate(layers) for part in parts}
    found = []
    for path, tree in _trees(source):
        own = _part(_module_of(path, source))
        own_level = level.get(own, len(layers))  # the package itself may import none of its parts
        for module, line in _imported_modules(tree, path, source):
            other = _part(module)
            if other in level and other != own and level[other] <= own_level:
                found.append(f"{path.relative_to(source)}:{line}: {own or PACKAGE} imports {other}")
    return found


def imports_of(package, source):
    """Files that import another package."""
    return [
        f"{path.relative_to(source)}:{line}"
        for path, tree in _trees(source)
        for module, line in _imported_modules(tree, path, source)
        if module.partition(".")[0] == package
    ]


def long_files(source):
    """Files of more than 300 lines."""
    lines = (
        (path, len(path.read_text(encoding="utf-8").splitlines())) for path, _ in _trees(source)
    )
    return [
        f"{path.relative_to(source)}: {count} lines" for path, count in lines if count > MAX_LINES
    ]


def _is_log_of_two(node):
    if isinstance(node, ast.Call) and len(node.args) == 1:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        argument = node.args[0]
        return name == "log" and isinstance(argument, ast.Constant) and argument.value == 2
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return any(abs(node.value - value) < 1e-3 for value in (math.log(2), 1 / math.log(2)))
    return False


def logs_of_two(source):
    """Code outside units.py that has log(2), or its value or inverse written out."""
    return [
        f"{path.relative_to(source)}:{node.lineno}"
        for path, tree in _trees(source)
        if path != source / "units.py"
        for node in ast.walk(tree)
        if _is_log_of_two(node)
    ]


def batch_normalisations(source):
    """Code that names a layer which normalises over the batch, or over all positions of an image."""
    found = []
    for path, tree in _trees(source):
        for node in ast.walk(tree):
            names = [getattr(node, field, None) for field in ("id", "attr", "name", "module")]
            if any(isinstance(name, str) and BANNED_NORMALISATIONS.search(name) for name in names):
                found.append(f"{path.relative_to(source)}:{getattr(node, 'lineno', '?')}")
    return found


def unguarded_posix_imports(source):
    """Modules that Windows has not, imported by importing ours, with nothing to catch it."""
    found = []
    for path, tree in _trees(source):
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [getattr(node, "module", None), *(alias.name for alias in node.names)]
                if POSIX_MODULES.intersection(filter(None, names)):
                    found.append(f"{path.relative_to(source)}:{node.lineno}")
    return found


def layers_in(document):
    """The layers that the picture in docs/architecture.md shows, from the top down."""
    picture = re.search(r"^## The parts$.*?^```text$\n(.*?)^```$", document, re.M | re.S)
    assert picture, "docs/architecture.md has no ```text block under '## The parts'"
    layers = []
    for line in picture[1].splitlines():
        parts = re.match(r"((?:[a-z_]+(?:/|\.py) ?)+)", line)
        if parts:
            layers.append(tuple(re.findall(r"[a-z_]+(?=/|\.py)", parts[1])))
    return tuple(layers)


# The code keeps them.


def test_imports_only_go_down():
    assert upward_imports(SOURCE) == []


def _parts_in_code():
    entries = {
        path.stem
        for path in SOURCE.iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py")))
    }
    return entries - {"__init__", "__main__"}


def test_every_part_is_in_the_picture():
    assert _parts_in_code() - {part for parts in LAYERS for part in parts} == set()


def test_everything_in_the_picture_is_there():
    assert {part for parts in LAYERS for part in parts} - _parts_in_code() == set()


def test_picture_in_the_documentation_is_the_one_tested():
    assert layers_in(ARCHITECTURE.read_text(encoding="utf-8")) == LAYERS


def test_only_the_door_to_the_benchmarks_imports_them():
    where = {found.partition(":")[0] for found in imports_of("benchmarks", SOURCE)}
    assert where == {str(Path("cli", "bench.py"))}


def test_no_file_is_too_long():
    assert long_files(SOURCE) == []
    assert long_files(BENCHMARKS) == []


def test_only_units_divides_by_log_two():
    assert logs_of_two(SOURCE) == []
    assert logs_of_two(BENCHMARKS) == []
    units = ast.parse((SOURCE / "units.py").read_text(encoding="utf-8"))
    assert any(map(_is_log_of_two, ast.walk(units))), "the rule cannot see units.py's own"


def test_it_can_be_imported_on_windows():
    assert unguarded_posix_imports(SOURCE) == []


def test_nothing_normalises_over_the_batch():
    assert batch_normalisations(SOURCE) == []


def _modules_after(code):
    script = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(result.stdout.splitlines())


@pytest.mark.parametrize(
    "module", ["pixelrnn", "pixelrnn.data", "pixelrnn.report", "pixelrnn.cli.main"]
)
def test_import_is_light(module):
    modules = _modules_after(f"import {module}")
    assert module in modules
    assert not {"torch", "lightning_fabric"} & modules


def test_help_does_not_import_torch():
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pixelrnn", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "Usage" in result.stdout
    assert "pixelrnn.cli.main" in imported
    assert not {"torch", "lightning_fabric", "sklearn", "skimage", "matplotlib"} & imported


# And the rules would see a violation.


def _tree(tmp_path, files):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("layers/conv.py", "from pixelrnn.models.base import X"),
        ("layers/conv.py", "import pixelrnn.models"),
        ("layers/conv.py", "from pixelrnn import models"),
        ("layers/conv.py", "from ..models import base"),
        ("layers/conv.py", "from .. import models"),
        ("layers/__init__.py", "from ..models import base"),
        ("layers/conv.py", "def f():\n    from pixelrnn.models import base"),
        (
            "layers/conv.py",
            "def f():\n    import importlib\n    importlib.import_module('pixelrnn.cli')",
        ),
        ("errors.py", "import pixelrnn.units"),
        ("units.py", "from pixelrnn.ordering import position"),  # beside it, not below
        ("contract.py", "from pixelrnn import evaluation"),
        ("report/page.py", "from pixelrnn.compare import compare"),
        ("__init__.py", "from pixelrnn import data"),
        ("training/run.py", "from pixelrnn.__main__ import main"),
    ],
)
def test_an_upward_import_is_found(tmp_path, name, text):
    found = upward_imports(_tree(tmp_path, {name: text}))
    assert len(found) == 1
    assert found[0].startswith(name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("layers/conv.py", "from pixelrnn.layers.masks import mask"),
        ("layers/conv.py", "from .masks import mask"),
        ("layers/conv.py", "import torch\nfrom pixelrnn import __version__"),
        ("models/base.py", "from pixelrnn.layers import conv\nfrom pixelrnn import errors, units"),
        ("cli/train.py", "def f():\n    from pixelrnn.training import run"),
        ("__main__.py", "from pixelrnn.cli.main import main"),
        ("data/load.py", "text = 'from pixelrnn.models import base'"),
    ],
)
def test_a_downward_import_is_allowed(tmp_path, name, text):
    assert upward_imports(_tree(tmp_path, {name: text})) == []


def test_an_import_of_another_package_is_found(tmp_path):
    tree = _tree(tmp_path, {"a.py": "import benchmarks.plain", "b.py": "import mybenchmarks"})
    assert imports_of("benchmarks", tree) == ["a.py:1"]


def test_a_long_file_is_found(tmp_path):
    tree = _tree(tmp_path, {"a.py": "x = 1\n" * 300, "b.py": "x = 1\n" * 301})
    assert long_files(tree) == ["b.py: 301 lines"]


@pytest.mark.parametrize(
    "expression", ["math.log(2)", "np.log(2.0)", "log(2)", "0.6931", "0.693147180559945", "1.4427"]
)
def test_a_second_log_of_two_is_found(tmp_path, expression):
    code = f"def f(nats):\n    return nats / {expression}"
    tree = _tree(tmp_path, {"evaluation.py": code, "units.py": code})
    assert logs_of_two(tree) == ["evaluation.py:2"]


@pytest.mark.parametrize(
    "code", ["import fcntl", "import os, resource", "from pwd import getpwuid"]
)
def test_an_import_that_windows_has_not_is_found(tmp_path, code):
    guarded = f"try:\n    {code}\nexcept ImportError:\n    pass\ndef f():\n    {code}\n"
    tree = _tree(
        tmp_path, {"a.py": f"{code}\n", "b.py": guarded, "c.py": "from importlib import resources"}
    )
    assert unguarded_posix_imports(tree) == ["a.py:1"]


@pytest.mark.parametrize("expression", ["math.log(256)", "np.log(p)", "math.log2(levels)", "0.7"])
def test_other_logarithms_are_allowed(tmp_path, expression):
    assert logs_of_two(_tree(tmp_path, {"evaluation.py": f"x = {expression}"})) == []


@pytest.mark.parametrize(
    "code",
    [
        "layer = nn.BatchNorm2d(3)",
        "layer = torch.nn.SyncBatchNorm(3)",
        "from torch.nn import InstanceNorm2d",
        "y = F.batch_norm(x, m, v)",
        "y = F.instance_norm(x)",
    ],
)
def test_a_batch_normalisation_is_found(tmp_path, code):
    assert batch_normalisations(_tree(tmp_path, {"layers/a.py": code})) == ["layers/a.py:1"]


def test_a_changed_picture_is_found():
    document = ARCHITECTURE.read_text(encoding="utf-8")
    assert layers_in(document.replace("\nmodels/", "\nmodel/")) != LAYERS
    lines = document.splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if line.startswith("coding/"))
    lines[at - 1], lines[at] = lines[at], lines[at - 1]
    assert layers_in("".join(lines)) != LAYERS
