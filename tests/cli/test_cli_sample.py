"""`pixelrnn sample`, as typed."""

import _thread
import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from pixelrnn import compiling, pictures
from pixelrnn.cli import console
from pixelrnn.coding.codec import COMPILING
from pixelrnn.data import load
from pixelrnn.models import MODELS, store
from pixelrnn.runs.array_file import as_in_files


@pytest.fixture
def ask(pixelrnn, tmp_path):
    """Run `pixelrnn sample MODEL ... --json --npz ...`; what it prints, and the images."""

    def run(model, *arguments):
        out = ("--out", tmp_path / "a.png", "--npz", tmp_path / "a.npz")
        answer = pixelrnn("sample", model, *arguments, *out, "--force", "--json")
        assert answer.code == 0, answer
        assert answer.err == ""
        with np.load(tmp_path / "a.npz") as archive:
            return json.loads(answer.out), archive["images"]

    return run


# What comes out.


def test_files_and_line(pixelrnn, grey, tmp_path):
    answer = pixelrnn("sample", grey, "-n", 7, "--out", tmp_path / "new" / "a.png",
                      "--gif", tmp_path / "a.gif", "--npz", tmp_path / "a.npz")  # fmt: skip
    assert answer.code == 0
    assert re.search(r"a\.png, .*a\.gif, .*a\.npz: 7 images of 6 x 5, seed 0, [\d.e-]+ seconds/image\n$",
                     answer.out)  # fmt: skip
    with np.load(tmp_path / "a.npz") as archive:
        images = archive["images"]
    assert (images.shape, images.dtype) == ((7, 6, 5), np.uint8)
    columns = pictures.squarish(7, 6, 5)
    expected = pictures.sheet(images[:, None], 9, columns=columns)[..., 0]
    with Image.open(tmp_path / "new" / "a.png") as opened:
        np.testing.assert_array_equal(np.asarray(opened), expected)
    with Image.open(tmp_path / "a.gif") as opened:
        assert opened.n_frames == 6 * 5 + 1


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_those_of_the_model(kind, channels, ask, tmp_path, save_model):
    folder = save_model(tmp_path / "model", kind, channels=channels)
    about, images = ask(folder, "-n", 5, "--seed", 3, "--temperature", 0.7, "--size", "4x7")
    expected = store.load(folder).sample(5, size=(4, 7), seed=3, temperature=0.7)
    np.testing.assert_array_equal(images, as_in_files(expected))
    assert about["num_images"] == 5
    assert about["size"] == [4, 7]
    assert about["seconds_per_image"] > 0
    assert about["finished"] is True


def test_the_number_of_images_and_threads_do_not_matter(ask, grey, monkeypatch):
    from pixelrnn.cli import sample

    _, many = ask(grey, "-n", 23, "--threads", 3)
    monkeypatch.setattr(sample, "CHUNK_SECONDS", 0.0)  # a portion is one image a thread
    _, few = ask(grey, "-n", 9, "--threads", 2)
    np.testing.assert_array_equal(few, many[:9])
    _, other = ask(grey, "-n", 9, "--seed", 1)
    assert (other != few).any()


def test_a_run_says_how_large_its_images_are(ask, trained):
    about, images = ask(trained, "-n", 3)
    assert about["size"] == [8, 8]
    assert images.shape == (3, 8, 8)


def test_arrays_are_read_back_as_data(ask, grey, tmp_path):
    _, images = ask(grey, "-n", 20)
    data = load(tmp_path / "a.npz")
    assert data.count("all") == 20
    np.testing.assert_array_equal(data.images("test")[:, 0], images[9::10])


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_arrays_of_any_channels_are_read_back_as_data(channels, pixelrnn, tmp_path, save_model):
    folder = save_model(tmp_path / "model", channels=channels)
    files = [tmp_path / "a.npz", tmp_path / "a.npy"]
    answer = pixelrnn("sample", folder, "-n", 3, "--size", "6x7", "--npz", files[0], "--npy", files[1],
                      *(("--out", tmp_path / "a.png") if channels in (1, 3) else ()))  # fmt: skip
    assert answer.code == 0, answer
    expected = store.load(folder).sample(3, size=(6, 7))
    for path in files:
        found = load(path).images("all")
        np.testing.assert_array_equal(found, expected)


def test_a_sheet_without_room_for_all_says_so(pixelrnn, grey, tmp_path, monkeypatch):
    real = pictures.fitting
    monkeypatch.setattr(pictures, "fitting", lambda *arguments: min(4, real(*arguments)))
    answer = pixelrnn("sample", grey, "-n", 9, "--out", tmp_path / "a.png")
    assert "; the sheet shows the first 4" in answer.out


# Compilation, progress, Ctrl-C.


def test_compilation_is_announced(pixelrnn, grey, tmp_path, monkeypatch):
    clock, compiling_seconds = time.perf_counter, []

    def slow(on_compiling):
        on_compiling(COMPILING)
        compiling_seconds.append(1e6)
        return 1e6

    monkeypatch.setattr(time, "perf_counter", lambda: clock() + sum(compiling_seconds))
    monkeypatch.setattr(compiling, "make_loop_ready", slow)
    answer = pixelrnn("sample", grey, "-n", 1, "--out", tmp_path / "a.png", "--json")
    assert json.loads(answer.out)["seconds"] < 1e5  # without it
    assert "compiling the coding loop, once on this machine" in answer.err


def test_progress_counts_every_pixel(pixelrnn, grey, tmp_path, monkeypatch):
    from rich.progress import Progress

    counted, totals = [], []
    monkeypatch.setattr(Progress, "add_task", lambda self, label, total: totals.append(total) or 0)
    monkeypatch.setattr(Progress, "advance", lambda self, task, pixels: counted.append(pixels))
    pixelrnn("sample", grey, "-n", 11, "--out", tmp_path / "a.png")
    assert sum(counted) == totals[0] == 11 * 30


def test_a_bar_is_shown_on_a_terminal_once_it_takes_a_while(monkeypatch, capsys):
    def shown(seconds_before_bar):
        monkeypatch.setattr(console, "SECONDS_BEFORE_BAR", seconds_before_bar)
        with console.progress("sampling", 10) as on_progress:
            on_progress(1)
            on_progress(4)
        return capsys.readouterr().err

    assert shown(-1.0) == ""  # this is no terminal
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert shown(1e6) == ""
    assert re.search("sampling.*50%", shown(-1.0))


@pytest.fixture
def interrupted_after(monkeypatch):
    """Press Ctrl-C once so many pixels were drawn."""

    def after(pixels):
        from contextlib import contextmanager

        @contextmanager
        def progress(label, total):
            done = 0

            def advance(count):
                nonlocal done
                before, done = done, done + count
                if before < pixels <= done:
                    _thread.interrupt_main()

            yield advance

        monkeypatch.setattr(console, "progress", progress)

    return after


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_keeps_what_is_finished(
    threads, pixelrnn, ask, grey, tmp_path, monkeypatch, interrupted_after
):
    from pixelrnn.cli import sample

    _, whole = ask(grey, "-n", 40)
    monkeypatch.setattr(sample, "CHUNK_SECONDS", 0.0)
    interrupted_after(13 * 30)
    answer = pixelrnn("sample", grey, "-n", 40, "--out", tmp_path / "b.png", "--npz",
                      tmp_path / "b.npz", "--gif", tmp_path / "b.gif", "--threads", threads)  # fmt: skip
    assert answer.code == 130
    (count,) = map(int, re.findall(r"stopped: (\d+) of 40 images were finished", answer.err))
    assert 10 <= count < 40
    with np.load(tmp_path / "b.npz") as archive:
        np.testing.assert_array_equal(archive["images"], whole[:count])
    assert {path.suffix for path in tmp_path.glob("b.*")} == {".png", ".npz", ".gif"}


def test_ctrl_c_before_the_first_image_writes_nothing(pixelrnn, grey, tmp_path, interrupted_after):
    interrupted_after(1)
    answer = pixelrnn("sample", grey, "-n", 2000, "--out", tmp_path / "b.png", "--threads", 1)
    assert answer.code == 130
    if "nothing is written" in answer.err:
        assert answer.out == ""
        assert not (tmp_path / "b.png").exists()
    else:  # the first portion was faster than the interrupt
        assert "images were finished" in answer.err


# A light start.


def test_neither_training_nor_lightning_is_imported(grey, tmp_path):
    arguments = ["pixelrnn", "sample", str(grey), "-n", "1", "--out", str(tmp_path / "a.png")]
    program = (
        "import sys; from pixelrnn.cli.main import main\n"
        f"sys.argv = {arguments!r}\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'lightning_fabric', 'pixelrnn.training', 'sklearn', 'skimage', 'matplotlib'}\n"
        "sys.exit(sorted(heavy & set(sys.modules)) or 0)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert "1 image of 6 x 5" in answer.stdout


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "32"), "'32' is not a size: write HEIGHTxWIDTH"),
        (("--size", "0x4"), "'0x4' is not a size"),
        (("--size", "4x-4"), "'4x-4' is not a size"),
        (("--size", "4x4x3"), "'4x4x3' is not a size"),
        (("--size", "70000x4"), "a side is 1 to 65536"),
        (("--temperature", "0"), "'0' is not a temperature: give a positive number"),
        (("--temperature", "-1"), "is not a temperature"),
        (("--temperature", "nan"), "is not a temperature"),
        (("--temperature", "inf"), "is not a temperature"),
        (("--temperature", "warm"), "'warm' is not a temperature"),
        (("-n", "0"), "'0' is not allowed: give a whole number, 1 or more"),
        (("-n", "-3"), "give a whole number, 1 or more"),
        (("-n", "2.5"), "give a whole number, 1 or more"),
        (("--seed", "-1"), "'-1' is not a seed: give a whole number, 0 to 2^63 - 1"),
        (("--seed", str(2**63)), "is not a seed"),
        (("--threads", "0"), "give a whole number, 1 or more"),
        (("--out", "a.jpg"), "--out a.jpg: give a name that ends in .png"),
        (("--gif", "a.png"), "--gif a.png: give a name that ends in .gif"),
        (("--npz", "a"), "--npz a: give a name that ends in .npz"),
    ],
)
def test_bad_options(arguments, message, fails, grey, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in fails("sample", grey, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_does_not_know_its_size(fails, tmp_path, save_model):
    folder = save_model(tmp_path / "model", image_size=None)
    out = tmp_path / "new" / "a.png"
    assert "give --size HEIGHTxWIDTH" in fails("sample", folder, "--out", out)
    assert not out.parent.exists()


def test_no_model(fails, tmp_path):
    assert "there is no model in" in fails("sample", tmp_path, "--out", tmp_path / "a.png")


@pytest.mark.parametrize("option", ["--out", "--gif", "--npz"])
def test_places_that_cannot_be_written(option, fails, grey, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suffix = {"--out": "png", "--gif": "gif", "--npz": "npz"}[option]
    (tmp_path / "file").write_text("mine")
    (tmp_path / f"folder.{suffix}").mkdir()
    before = sorted(tmp_path.rglob("*"))
    line = fails("sample", grey, option, tmp_path / "file" / f"a.{suffix}")
    assert "cannot write into the folder" in line
    assert "is a folder" in fails("sample", grey, option, tmp_path / f"folder.{suffix}")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk(fails, grey, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    line = fails("sample", grey, "-n", 1, "--out", tmp_path / "a.png")
    assert "a.png: No space left on device" in line
    assert list(tmp_path.iterdir()) == []
