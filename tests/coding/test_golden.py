"""Files written once, and committed, are decoded to the same pixels, and written to the same bytes."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pixelrnn import shipped
from pixelrnn.coding import Album, load_program

GOLDEN = Path(__file__).parent / "golden"
CHECK = Path(__file__).parents[1] / "other_machines" / "check_golden.py"
FILES = sorted(GOLDEN.glob("*.pxr"))


def _writer():
    spec = importlib.util.spec_from_file_location("write_golden", GOLDEN / "write_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WRITER = _writer()


def test_there_is_one_of_each_model_and_one_of_the_oldest_libraries():
    assert {path.stem for path in FILES} >= {*shipped.names(), "oldest"}
    assert (GOLDEN / "oldest.pxr").read_bytes() == (GOLDEN / "colour-pixelcnn.pxr").read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_is_decoded_to_its_images(path):
    album = Album(path)
    program = load_program(album.header.model).program
    expected = WRITER.images(program.num_levels, program.channels)
    assert album.names == [name for name, _ in expected]
    for decoded, (_, pixels) in zip(album.in_turn(), expected, strict=True):
        np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize("name", shipped.names())
def test_the_same_bytes_are_written_today(name, tmp_path):
    WRITER.write_golden(tmp_path / "today.pxr", name)
    assert (tmp_path / "today.pxr").read_bytes() == (GOLDEN / f"{name}.pxr").read_bytes()


def test_all_of_it_holds_for_the_least_of_processors():
    """Whatever is here: x86 without AVX2 has no instruction for pairs of 32 bytes."""
    result = subprocess.run(
        [sys.executable, CHECK],
        env=os.environ | {"NUMBA_CPU_NAME": "generic"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "compiled for generic" in result.stdout
    assert result.stdout.endswith(f"\n{len(FILES) + len(shipped.names())} passed, 0 failed\n")


def test_the_golden_images_are_of_all_kinds():
    """Colours, grey and alpha; several tiles; coded and bare messages: what is golden covers the format."""
    entries = [entry for path in FILES for entry in Album(path).entries]
    assert {entry.bands for entry in entries} == {1, 2, 3, 4}
    assert max(len(entry.messages) for entry in entries) > 2
    assert {message.is_bare for entry in entries for message in entry.messages} == {True, False}
