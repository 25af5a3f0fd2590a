"""The benchmark's figures follow from what it timed, and it times the same model both ways."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import in_turn, sampling
from benchmarks.sampling import SamplingBenchmark, Timing, benchmark_sampling


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(in_turn, "SECONDS_EACH", 0.0)


def timing(**changes):
    values = {
        "size": (32, 32),
        "batch": 64,
        "repeats": 5,
        "threads": 2,
        "stepper_seconds_1_thread": 0.5,
        "stepper_seconds_all_threads": 0.25,
        "whole_image_pass_seconds": 0.1,
        "whole_image_passes": 1024,
        "whole_image_images_timed": 64,
        "multiplications_per_pixel": 40_000,
    }
    return Timing(**(values | changes))


def test_figures():
    found = timing()
    assert found.whole_image_seconds_scaled == pytest.approx(102.4)
    assert found.speed_up == pytest.approx(409.6)
    assert found.thread_scaling == 2
    assert found.gflops_per_core == pytest.approx(2 * 40_000 * 64 * 1024 / 0.5 / 1e9)


@pytest.mark.parametrize("changes", [{"batch": 1}, {"threads": 1}])
def test_threads_do_not_scale_where_there_is_nothing_to_share(changes):
    assert timing(**changes).thread_scaling is None


def test_ratios_are_of_the_smallest_batch_against_the_first_size():
    found = SamplingBenchmark(
        [
            timing(batch=1, stepper_seconds_1_thread=0.01),
            timing(),
            timing(batch=1, size=(64, 64), stepper_seconds_1_thread=0.041),
            timing(size=(64, 64)),
        ]
    )
    (ratio,) = found.size_ratios()
    assert (ratio["size"], ratio["against_size"], ratio["pixels_ratio"]) == ((64, 64), (32, 32), 4)
    assert ratio["seconds_ratio"] == pytest.approx(4.1)
    assert SamplingBenchmark().size_ratios() == []


@pytest.mark.parametrize(("likelihood", "passes"), [("categorical", 3), ("logistic-mixture", 1)])
def test_both_ways_are_timed(tiny_model, likelihood, passes):
    model = tiny_model("pixelcnn", likelihood, 3).float()
    counts = []
    found = benchmark_sampling(
        model, [(4, 5), (8, 5)], [1, 3], threads=2, repeats=2, on_progress=counts.append
    )
    assert [(each.size, each.batch) for each in found.timings] == [
        ((4, 5), 1), ((4, 5), 3), ((8, 5), 1), ((8, 5), 3),
    ]  # fmt: skip
    for each in found.timings:
        assert each.repeats == 2
        assert each.whole_image_passes == each.size[0] * each.size[1] * passes
        assert each.multiplications_per_pixel == model.lower().multiplications
        assert min(each.stepper_seconds_1_thread, each.whole_image_pass_seconds) > 0
    assert counts == [1] * 8
    assert found.finished
    assert set(found.peak_memory_mb) == {(4, 5), (8, 5)}
    written = json.loads(json.dumps(found.as_dict()))
    assert written["timings"][0]["speed_up"] > 0
    assert [each["size"] for each in written["one_image_peak_memory_mb"]] == [[4, 5], [8, 5]]


def test_a_batch_too_large_for_memory_is_timed_in_part(tiny_model, monkeypatch):
    def measured(ways, repeats, on_progress):
        for way in ways:
            way()
        return in_turn.Measured((1.0,) * len(ways), (), repeats, finished=True)

    monkeypatch.setattr(sampling, "PASS_PIXELS", 2 * 16)
    monkeypatch.setattr(sampling, "measure_in_turn", measured)
    model = tiny_model("pixelcnn").float()
    seen = []
    model.register_forward_pre_hook(lambda _, arguments: seen.append(len(arguments[0])))
    found = benchmark_sampling(model, [(4, 4)], [6], threads=1, repeats=1)
    assert found.timings[0].whole_image_images_timed == 2
    assert found.timings[0].whole_image_pass_seconds == 3.0
    assert set(seen) == {2}


def test_stopped_it_keeps_what_it_has(tiny_model):
    counts = []

    def stop(count):
        counts.append(count)
        if sum(counts) == 3:
            raise KeyboardInterrupt

    model = tiny_model("pixelcnn").float()
    found = benchmark_sampling(model, [(2, 2)], [1, 2, 3], threads=1, repeats=2, on_progress=stop)
    assert [(each.batch, each.repeats) for each in found.timings] == [(1, 2), (2, 1)]
    assert not found.finished


def test_memory_of_a_large_image_is_seen():
    """In a process of its own: here, memory is at hand that other tests have used and given back."""
    program = (
        "import json; from benchmarks.sampling import one_image_peak_memory_mb\n"
        "from pixelrnn.models import PixelCNNConfig, build\n"
        "model = build(PixelCNNConfig(channels=1, features=2, layers=1, head_features=2))\n"
        "coder = model.coder()\n"
        "sizes = ((2, 2), (2, 2), (700, 700))\n"  # the first finds memory for the rest of the process
        "print(json.dumps([one_image_peak_memory_mb(model, coder, size) for size in sizes]))"
    )
    root = Path(sampling.__file__).parents[1]
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    _, small, large = json.loads(answer.stdout)
    if large is None:
        pytest.skip("this system does not say how much memory a process has")
    assert small < large
    assert 0.49 < large < 50  # a byte a pixel, and not the features of the whole image
