"""`pixelrnn bench` without the repository, and with it from anywhere."""

import subprocess
import sys

import pytest

import pixelrnn as package

MESSAGE = "the benchmarks come with the source, not with the installed package"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("train", "digits"), ("nothing",)])
@pytest.mark.parametrize("place", ["site-packages", "src"])
def test_installed_without_them(arguments, place, fails, tmp_path, monkeypatch):
    monkeypatch.setattr(package, "__file__", str(tmp_path / place / "pixelrnn" / "__init__.py"))
    assert MESSAGE in fails("bench", *arguments)


def test_a_folder_of_that_name_elsewhere_is_not_taken(fails, tmp_path, monkeypatch):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "commands.py").write_text("raise AssertionError")
    monkeypatch.setattr(package, "__file__", str(tmp_path / "lib" / "pixelrnn" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    assert MESSAGE in fails("bench", "train", "digits")


def test_they_are_found_from_everywhere_and_loaded_when_asked_for(tmp_path):
    program = (
        "import sys; from pixelrnn.cli.main import main\n"
        "sys.argv = ['pixelrnn', *{arguments}]\n"
        "try: main()\nexcept SystemExit as stop: assert not stop.code\n"
        "sys.exit('benchmarks' in sys.modules)"
    )
    for arguments, is_loaded in ((["--help"], 0), (["bench", "train", "--help"], 1)):
        script = program.format(arguments=arguments)
        answer = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=False
        )
        assert answer.returncode == is_loaded, answer
