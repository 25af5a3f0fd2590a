"""Whatever happens to `compress` and `decompress`: no half file takes a name, and no image is lost."""

import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from PIL import Image

from pixelrnn.coding import Codec, load_program
from pixelrnn.data import image_files
from pixelrnn.stepper import coder
from pixelrnn.stepper.coder import run_rows

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and limits of Unix")
MOST_SECONDS = 60  # to wait for a process on a machine that is busy


@pytest.fixture(scope="module", autouse=True)
def _ready():
    """The loop is compiled, so that no test meets the line which says that it is being compiled."""
    Codec(load_program("colour-pixelcnn")).make_ready()


def picture(mode="RGB", size=(9, 7), seed=0):
    """An image of noise."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    drawn = np.random.default_rng(seed).integers(256, size=(*size[::-1], bands), dtype=np.uint8)
    return Image.frombytes(mode, size, drawn.tobytes())


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def images(tmp_path):
    """A folder of three images."""
    (tmp_path / "in").mkdir()
    for seed in range(3):
        picture(seed=seed).save(tmp_path / "in" / f"{seed}.png")
    return tmp_path / "in"


# Images that would lose something.


def sixteen_bits(path):
    Image.fromarray(np.arange(63, dtype=np.uint16).reshape(7, 9) * 999).save(path)


def animated(path):
    picture().save(path, save_all=True, append_images=[picture(seed=1)])


def cut_short(path):
    picture(size=(99, 99)).save(path)
    path.write_bytes(path.read_bytes()[:-5000])


REFUSED = {
    "16-bit.png": (sixteen_bits, "16-bit"),
    "16-bit.tiff": (sixteen_bits, "16-bit"),
    "cmyk.jpg": (picture("CMYK").save, "CMYK"),
    "cmyk.tiff": (picture("CMYK").save, "CMYK"),
    "lab.tiff": (picture("LAB").save, "CIE Lab"),
    "float.tiff": (Image.new("F", (3, 3)).save, "floating point|32-bit"),
    "animated.png": (animated, "2 animation frames"),
    "animated.gif": (animated, "2 animation frames"),
    "pages.tiff": (animated, "2 pages"),
    "cut short.png": (cut_short, "truncated or damaged"),
    "text.png": (lambda path: path.write_text("no image"), "not an image"),
    "empty.png": (lambda path: path.write_bytes(b""), "not an image"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_images_that_would_lose_something_are_refused(name, fails, images, tmp_path):
    write, reason = REFUSED[name]
    write(images / name)
    before = contents(images)
    for arguments in ((images / name,), (images, "-o", tmp_path / "x.pxr")):
        message = fails("compress", *arguments)
        assert message.startswith("1 image cannot be read without loss: ")
        assert f"{images / name} (" in message
        assert "--skip" in message
        assert any(each in message for each in reason.split("|"))
    assert contents(images) == before
    assert sorted(tmp_path.iterdir()) == [images]


def test_an_image_that_changes_its_size_meanwhile(fails, images, monkeypatch, tmp_path):
    """Its header was read before, and is no longer true."""
    real = image_files.read_bands

    def read_bands(header):
        picture(size=(5, 5)).save(images / "2.png")
        return real(header)

    monkeypatch.setattr(image_files, "read_bands", read_bands)
    message = fails("compress", images, "-o", tmp_path / "x.pxr")
    assert f"{images / '2.png'} (not the image that it was a moment ago)" in message
    assert sorted(tmp_path.iterdir()) == [images]


# Checked before it takes its name.


def test_verify_finds_a_coder_that_loses_a_pixel(pixelrnn, fails, monkeypatch, tmp_path):
    def faulty(tables, world, image, first, last):
        if not world.reads:
            image[first, 0, 0] ^= 1
        run_rows(tables, world, image, first, last)

    path = tmp_path / "x.png"
    Image.new("RGB", (30, 30)).save(path)
    monkeypatch.setattr(coder, "run_rows", faulty)
    assert "not those that went in" in fails("compress", path, "--verify")
    assert sorted(tmp_path.iterdir()) == [path]
    assert pixelrnn("compress", path).code == 0  # so it was --verify that found it
    assert "not those that went in" in fails("decompress", tmp_path / "x.pxr", "-o", tmp_path / "y")
    assert not list((tmp_path / "y").iterdir())


# Stopped.

DRIVER = """
    import signal, sys, time
    from pathlib import Path
    from pixelrnn.cli.main import main
    from pixelrnn.data import image_files

    signal.signal(signal.SIGINT, signal.default_int_handler)
    read_bands, calls, waiting = image_files.read_bands, [], Path(sys.argv[1])

    def slow(header):
        calls.append(header)
        if len(calls) == 3:
            waiting.touch()
            time.sleep(600)
        return read_bands(header)

    image_files.read_bands = slow
    sys.argv = ["pixelrnn", *sys.argv[2:]]
    main()
"""


@UNIX
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_leaves_no_file_under_the_name(end, images, tmp_path):
    out, waiting = tmp_path / "out" / "x.pxr", tmp_path / "waiting"
    out.parent.mkdir()
    out.write_text("old")
    before = contents(images)
    command = [sys.executable, "-c", textwrap.dedent(DRIVER), waiting]
    process = subprocess.Popen(
        [*command, "compress", images, "-o", out, "--force"], stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + MOST_SECONDS
        while not waiting.exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        assert len(contents(out.parent)) == 2  # what is written so far has another name
        process.send_signal(end)
        _, error = process.communicate(timeout=MOST_SECONDS)
    finally:
        process.kill()
        process.communicate()
    assert out.read_text() == "old"
    assert contents(images) == before
    if end == signal.SIGINT:
        assert process.returncode == 130
        assert error.splitlines()[-1] == "stopped: nothing is written"
        assert "Traceback" not in error
        assert list(contents(out.parent)) == ["x.pxr"]
    else:
        assert process.returncode == -signal.SIGKILL
        assert all(name.endswith((".part", "x.pxr")) for name in contents(out.parent))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("options", [(), ("--verify",)])
def test_ctrl_c_while_coding(threads, options, pixelrnn, images, monkeypatch, tmp_path):
    calls = []

    def interrupted(tables, world, image, first, last):
        if len(image) > 1 and world.reads == bool(options):
            calls.append(first)
            if len(calls) == 3:
                raise KeyboardInterrupt
        run_rows(tables, world, image, first, last)

    monkeypatch.setattr(coder, "run_rows", interrupted)
    for image in images.iterdir():  # such that it pays to code it
        Image.linear_gradient("L").resize((20, 20)).convert("RGB").save(image)
    out = tmp_path / "x.pxr"
    answer = pixelrnn("compress", images, "-o", out, "--threads", threads, *options)
    assert (answer.code, answer.out) == (130, "")
    assert answer.err == "stopped: nothing is written\n"
    assert sorted(tmp_path.iterdir()) == [images]


# A disk that is full.

LIMITED = """
    import resource, signal, sys
    from pathlib import Path
    from pixelrnn.cli.main import main

    def run(*arguments):
        sys.argv = ["pixelrnn", *map(str, arguments)]
        try:
            main()
        except SystemExit as stop:
            return stop.code or 0
        return 0

    folder = Path(sys.argv[1])
    if run("compress", folder / "in", "-o", folder / "x.pxr") != 0:
        raise SystemExit("it does not work without a limit")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
    print(run("compress", folder / "in", "-o", folder / "full" / "y.pxr"))
    print(run("compress", folder / "in", "-o", folder / "x.pxr", "--force"))
    print(run("decompress", folder / "x.pxr", "-o", folder / "back"))
"""


@UNIX
def test_a_full_disk_leaves_what_was_there(images, tmp_path):
    """A limit of 300 bytes a file: the album is larger, and so is the second of its images."""
    picture(size=(20, 20)).save(images / "1.png")
    Image.new("RGB", (9, 7)).save(images / "0.png")
    before = contents(images)
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(LIMITED), tmp_path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    done, *codes = answer.stdout.splitlines()
    assert "3 images" in done
    assert codes == ["2", "2", "2"]
    errors = [line for line in answer.stderr.splitlines() if not line.startswith("compiling")]
    assert len(errors) == 3
    for line, name in zip(errors, ("y.pxr", "x.pxr", "1.png"), strict=True):
        assert line.startswith("error: cannot write ")
        assert line.endswith(f"{name}: File too large")
    assert contents(images) == before
    assert not contents(tmp_path / "full")
    assert (tmp_path / "x.pxr").stat().st_size > 1000  # the old one, whole
    assert list(contents(tmp_path / "back")) == ["0.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "full", "in", "x.pxr"]


# A light start.


def test_coding_does_without_torch(images, tmp_path):
    script = """
        import sys
        from pixelrnn.cli.main import main

        folder = sys.argv[1]
        for arguments in (
            ["compress", f"{folder}/in", "-o", f"{folder}/x.pxr", "--verify"],
            ["info", f"{folder}/x.pxr"],
            ["decompress", f"{folder}/x.pxr", "-o", f"{folder}/back"],
            ["models", "list"],
            ["models", "info", "colour-pixelcnn"],
        ):
            sys.argv = ["pixelrnn", *arguments]
            try:
                main()
            except SystemExit as stop:
                assert not stop.code
            heavy = {"torch", "lightning_fabric", "sklearn", "skimage", "matplotlib"} & set(sys.modules)
            assert not heavy, (arguments, heavy)
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), tmp_path], check=True, timeout=600
    )
    for name, content in contents(images).items():
        assert content
        with Image.open(images / name) as one, Image.open(tmp_path / "back" / name) as other:
            np.testing.assert_array_equal(np.array(one), np.array(other))
