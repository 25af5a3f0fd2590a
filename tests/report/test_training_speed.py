"""A training benchmark on the page: its figures as measured, and files that are not one."""

import json
import os
import re
import sys

import pytest
import typer
from typer.testing import CliRunner

from pixelrnn.cli.report import report
from pixelrnn.errors import ModelFileError
from pixelrnn.report import build
from pixelrnn.report.benchmark import read_training_speed

TIMING = {
    "recipe": "cifar10-45k-row-lstm",
    "label": "Row LSTM",
    "image_shape": [3, 32, 32],
    "batch_size": 16,
    "threads": 2,
    "images_per_second": 123.4,
    "plain_images_per_second": 41.1,
    "speed_up": 3.0024,
    "flops_per_image": 250_843_136,
    "machine_gflops": 433.8,
    "machine_threads": 4,
    "share_of_machine": 0.07135,
}


@pytest.fixture
def benchmark(tmp_path):
    """Write a benchmark; `changes` overrides keys of its only timing (`None` removes)."""

    def write(changes=None, **about):
        timing = {**TIMING, **(changes or {})}
        content = {
            "format_version": 1,
            "kind": "training benchmark",
            "suite": "cifar10-45k",
            "environment": {"processor": "Some <Processor> 5000", "cores": 4},
            "timings": [{key: value for key, value in timing.items() if value is not None}],
            "finished": True,
        }
        path = tmp_path / "speed.json"
        path.write_text(json.dumps(content | about))
        return path

    return write


def words(page):
    text = re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", text)


def test_the_figures_are_on_the_page(digits, tmp_path, benchmark):
    run = digits.run(tmp_path / "run")
    out = tmp_path / "report.html"
    arguments = [run, "--benchmark", benchmark(), "--out", out]
    app = typer.Typer()
    app.command()(report)
    assert CliRunner().invoke(app, [str(each) for each in arguments]).exit_code == 0
    found = words(out)
    assert found.count("Training speed") == 1
    row = "cifar10-45k-row-lstm: 16 images of 32 × 32, RGB, 2 threads 123 3.00 251 7.13"  # noqa: RUF001
    assert f"Row LSTM {row}" in found
    assert "(Some &lt;Processor&gt; 5000, 4 threads: 434 GFLOP/s in float32)" in found
    assert "from 1 run folder and a benchmark and nothing else" in found


def test_without_the_plain_version(digits, tmp_path, benchmark):
    missing = {"speed_up": None, "plain_images_per_second": None, "threads": 1}
    page = build(
        [digits.run(tmp_path / "run")], tmp_path / "report.html", benchmark=benchmark(missing)
    )
    assert "RGB, 1 thread 123 – 251 7.13" in words(page)  # noqa: RUF001


def test_without_a_benchmark_there_is_no_table(digits, tmp_path):
    page = build([digits.run(tmp_path / "run")], tmp_path / "report.html")
    assert "Training speed" not in page.read_text(encoding="utf-8")


def refused(digits, tmp_path, path):
    """The one line with which a benchmark is refused; no page is written."""
    with pytest.raises(ModelFileError) as caught:
        build([digits.run(tmp_path / "run")], tmp_path / "report.html", benchmark=path)
    assert not (tmp_path / "report.html").exists()
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "the whole file"),
        (b"{}", "format_version"),
        (b'{"format_version": 1, "timings": []}', "kind"),
        (b'{"kind": "training benchmark"}', "format_version"),
    ],
)
def test_a_file_that_is_no_benchmark(digits, tmp_path, content, word):
    path = tmp_path / "speed.json"
    path.write_bytes(content)
    message = refused(digits, tmp_path, path)
    assert word in message
    assert "bench train" in message


@pytest.mark.parametrize("name", ["none.json", "."])
def test_a_file_that_cannot_be_read(digits, tmp_path, name):
    assert "cannot be read" in refused(digits, tmp_path, tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "about", "word"),
    [
        (None, {"format_version": 2}, "upgrade"),
        (None, {"format_version": "one"}, "format_version"),
        (None, {"timings": []}, "timings"),
        (None, {"environment": {}}, "environment.processor"),
        ({"label": None}, {}, "timings.0.label"),
        ({"images_per_second": "fast"}, {}, "timings.0.images_per_second"),
        ({"images_per_second": float("nan")}, {}, "images_per_second: a number that is not"),
        ({"flops_per_image": 0}, {}, "timings.0.flops_per_image"),
        ({"image_shape": [32, 32]}, {}, "timings.0.image_shape"),
    ],
)
def test_a_damaged_benchmark(digits, tmp_path, benchmark, changes, about, word):
    assert word in refused(digits, tmp_path, benchmark(changes, **about))


def test_what_the_command_writes_is_what_the_report_reads():
    from benchmarks import train_command
    from benchmarks.training_figures import TrainingTiming
    from pixelrnn.report import benchmark as benchmark_file

    values = {
        "model_kind": "row-lstm",
        "likelihood_kind": "categorical",
        "parameters": 1,
        "repeats": 5,
    }
    fields = TIMING.keys() - {"speed_up", "share_of_machine"}
    written = TrainingTiming(**values, **{key: TIMING[key] for key in fields}).as_dict()
    read = benchmark_file.SpeedTiming.model_validate_json(json.dumps(written))
    assert read.speed_up == pytest.approx(TIMING["speed_up"], rel=1e-3)
    assert read.share_of_machine == pytest.approx(TIMING["share_of_machine"], rel=1e-3)
    assert train_command.KIND == benchmark_file.KIND


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes of Unix")
def test_a_pipe_is_not_opened(tmp_path):
    """It would be waited for, for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="cannot be read: it is a pipe"):
        read_training_speed(tmp_path / "pipe")
