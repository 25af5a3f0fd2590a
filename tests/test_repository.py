"""The files around the code: they agree with each other, and hold nothing of one machine."""

import doctest
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import pixelrnn

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 1_000_000
# Written so that this file does not hold what it looks for.
MACHINE_FOLDERS = ("work", "root", "home", "Users")
MACHINE_PATH = re.compile(r"(?<![\w.~/:\-])/(?:" + "|".join(MACHINE_FOLDERS) + r")/[\w.~\-]")
REGISTRY_HOST = re.compile(
    r"\b(?:[\w\-]+\.)*(?:pypi|pythonhosted|npmjs|debian|conda)\.(?:org|com)\b"
    r"|\bdownload\.pytorch\.org\b",
    re.IGNORECASE,
)


def _read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def _repository_files():
    """Tracked files, and those that would be: new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    names = filter(None, result.stdout.decode().split("\0"))
    return [path for name in names if (path := ROOT / name).is_file()]


def _texts():
    for path in _repository_files():
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def _project():
    return tomllib.loads(_read("pyproject.toml"))["project"]


def _constraints():
    lines = (line.strip() for line in _read("constraints.txt").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _uncovered(requirements, constraints):
    """Requirements that no constraint pins to a version inside their range."""
    pins = {canonicalize_name(name): version for name, version in constraints}
    return [
        text
        for text in requirements
        for requirement in [Requirement(text)]
        if (pin := pins.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(pin, prereleases=True)
    ]


def test_constraints_are_exact_and_portable():
    lines = _constraints()
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._\-]+==[^\s+]+", line), f"not NAME==VERSION: {line!r}"
    names = [canonicalize_name(line.split("==")[0]) for line in lines]
    assert len(set(names)) == len(names)


def test_constraints_cover_every_dependency():
    project = _project()
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    others = [each for each in extras if not each.startswith("pixelrnn[")]
    requirements = [*project["dependencies"], *others]
    assert _uncovered(requirements, [line.split("==") for line in _constraints()]) == []


def test_a_dependency_without_a_fitting_pin_is_found():
    pins = [("torch", "2.13.0"), ("Tomli_W", "1.2.0"), ("numpy", "3.0")]
    requirements = ["torch>=2.6", "tomli-w>=1.0", "numpy>=1.26,<3", "rich>=13"]
    assert _uncovered(requirements, pins) == ["numpy>=1.26,<3", "rich>=13"]


def test_version_is_in_one_place():
    project = _project()
    assert "version" not in project
    assert "version" in project["dynamic"]
    assert str(Version(pixelrnn.__version__)) == pixelrnn.__version__
    assert "\nversion:" not in _read("CITATION.cff")
    assert pixelrnn.__version__ in _read("CHANGELOG.md")
    places = [str(name) for name, text in _texts() if re.search(r"^__version__ *=", text, re.M)]
    assert places in ([], ["src/pixelrnn/__init__.py"])


def test_ci_script_can_be_run_and_runs_make_test():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")
    for name in (".ci/run", ".github/workflows/test.yml", ".pre-commit-config.yaml"):
        assert "make test" in _read(name), name


def test_workflow_runs_every_python_that_is_promised():
    promised = {
        classifier.rpartition(" ")[2]
        for classifier in _project()["classifiers"]
        if re.search(r":: 3\.\d+$", classifier)
    }
    matrix = re.search(r"python: \[(.*)\]", _read(".github/workflows/test.yml"))
    assert promised
    assert set(re.findall(r"[\d.]+", matrix[1])) == promised


def test_golden_files_are_checked_with_the_oldest_and_the_newest():
    """The lower ends of the ranges, and the pins; the oldest and the newest Python."""
    workflow = yaml.safe_load(_read(".github/workflows/golden.yml"))
    matrix = workflow["jobs"]["golden"]["strategy"]["matrix"]
    assert matrix["machine"] == [
        "ubuntu-latest", "ubuntu-24.04-arm", "macos-latest", "windows-latest"
    ]  # fmt: skip
    oldest, newest = matrix["libraries"]
    promised = [
        Version(classifier.rpartition(" ")[2])
        for classifier in _project()["classifiers"]
        if re.search(r":: 3\.\d+$", classifier)
    ]
    assert Version(oldest["python-version"]) == min(promised)
    assert Version(newest["python-version"]) == max(promised)
    ranges = {r.name: r.specifier for r in map(Requirement, _project()["dependencies"])}
    packages = newest["packages"].removeprefix("-c constraints.txt ").split()
    for text, name in zip(oldest["packages"].split(), packages, strict=True):
        pinned = Requirement(text)
        version = Version(str(pinned.specifier).removeprefix("=="))
        least = re.search(r">=([\d.]+)", str(ranges[pinned.name]))[1]
        assert (pinned.name, version) == (name, Version(least))


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda p: p.name)
def test_workflows_can_be_read(path):
    assert {"name", "permissions", "jobs"} <= yaml.safe_load(
        path.read_text(encoding="utf-8")
    ).keys()


def test_make_says_what_there_is():
    result = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^  make (\w+)", result.stdout, re.M)
    declared = re.search(r"^\.PHONY: (.*)$", _read("Makefile"), re.M)
    assert sorted(targets) == sorted(declared[1].split())
    assert {"install", "compare", "test", "lint"} <= set(targets)


def test_no_large_files():
    large = [path for path in _repository_files() if path.stat().st_size > MAX_BYTES]
    assert large == []


def test_no_paths_of_one_machine():
    assert [str(name) for name, text in _texts() if MACHINE_PATH.search(text)] == []


def test_no_registry_hosts():
    assert [str(name) for name, text in _texts() if REGISTRY_HOST.search(text)] == []


@pytest.mark.parametrize("folder", MACHINE_FOLDERS)
@pytest.mark.parametrize("before", ["", "open('", "cd ", "(", "="])
def test_a_path_of_one_machine_is_found(folder, before):
    assert MACHINE_PATH.search(f"{before}/{folder}/someone/data")


@pytest.mark.parametrize(
    "text", ["a/b", "docs/{}/x", "https://example.net/{}/x", "~/{}/x", "./{}/x"]
)
@pytest.mark.parametrize("folder", MACHINE_FOLDERS)
def test_other_paths_are_allowed(text, folder):
    assert not MACHINE_PATH.search(text.format(folder))


@pytest.mark.parametrize("host", ["{}.org", "https://test.{}.org/simple", "files.{}hosted.org"])
def test_a_registry_host_is_found(host):
    assert REGISTRY_HOST.search(host.format("python" if "hosted" in host else "pypi"))


def test_examples_in_the_documentation_hold():
    documents = sorted((ROOT / "docs").glob("*.md"))
    results = [doctest.testfile(str(path), module_relative=False) for path in documents]
    assert sum(result.attempted for result in results) > 0
    assert sum(result.failed for result in results) == 0


def test_links_between_documents_lead_somewhere():
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    assert documents
    for document in documents:
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_tests_that_documents_name_are_there():
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    text = "".join(document.read_text(encoding="utf-8") for document in documents)
    files = set(re.findall(r"\btests/[a-z0-9_/]+\.(?:py|sh)\b", text))
    assert len(files) > 15
    assert [name for name in sorted(files) if not (ROOT / name).is_file()] == []
