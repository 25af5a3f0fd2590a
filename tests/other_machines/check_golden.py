"""Check the golden files on this machine: `python check_golden.py`, with pixelrnn to be imported.

Each is decoded to the images that went in, and each of a model that comes with the package is written
again, to the same bytes. It needs neither torch nor pytest: only what compressing itself needs.
"""

import importlib.util
import os
import platform
import sys
import tempfile
from pathlib import Path

import llvmlite
import numba
import numpy as np

from pixelrnn import shipped
from pixelrnn.coding import Album, load_program
from pixelrnn.stepper.machine import run_rows

GOLDEN = Path(__file__).resolve().parents[1] / "coding" / "golden"


def _writer():
    spec = importlib.util.spec_from_file_location("write_golden", GOLDEN / "write_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WRITER = _writer()


def is_decoded(path):
    """Return whether a golden file is decoded to its names and images."""
    album = Album(path)
    program = load_program(album.header.model).program
    expected = WRITER.images(program.num_levels, program.channels)
    images = list(album.in_turn())
    return album.names == [name for name, _ in expected] and all(
        np.array_equal(image, pixels) for image, (_, pixels) in zip(images, expected, strict=True)
    )


def is_written(path):
    """Return whether the model of a golden file writes the same bytes today."""
    with tempfile.TemporaryDirectory() as folder:
        today = Path(folder) / "today.pxr"
        WRITER.write_golden(today, path.stem)
        return today.read_bytes() == path.read_bytes()


def main():
    """Check all, a line each; the exit code is 1 if one differs."""
    paths = sorted(GOLDEN.glob("*.pxr"))
    assert paths, f"no golden files in {GOLDEN}"
    checks = [(f"{path.name} decoded", is_decoded, path) for path in paths]
    checks += [
        (f"{path.name} written", is_written, path) for path in paths if path.stem in shipped.names()
    ]
    failed = 0
    for name, check, path in checks:
        right = check(path)
        failed += not right
        print(f"{name}: {'the same' if right else 'DIFFERENT'}", flush=True)  # noqa: T201
    _, processor, features = run_rows.targetctx.codegen().magic_tuple()
    has = [
        name for name in ("sse4.1", "avx2", "avx512f", "neon") if f"+{name}" in features.split(",")
    ]
    print(  # noqa: T201
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, numpy "
        f"{np.__version__}, numba {numba.__version__}, llvmlite {llvmlite.__version__}; compiled for "
        f"{processor} ({' '.join(has) or 'no features named'}), {os.cpu_count()} processors"
    )
    print(f"{len(checks) - failed} passed, {failed} failed")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
