"""`pixelrnn bench codec`, as typed."""

import dataclasses
import json
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks import codec_command, codecs, in_turn
from benchmarks.codec_figures import Figures, ModelFigures
from benchmarks.codec_images import MeasuredImages, measured_images
from benchmarks.image_formats import ALL_FORMATS
from pixelrnn.coding import name_model, save_program
from pixelrnn.data import DataOptions, load
from pixelrnn.operations.export import export
from pixelrnn.shipped import DEFAULT_MODELS, SMALL_IMAGES

NAMES = ["PNG", "WebP", "JPEG XL", "JPEG XL (effort 7)", "JPEG-LS", "JPEG 2000", "LZMA"]
SMALL = DEFAULT_MODELS[SMALL_IMAGES]
QUICK = ("--repeats", 1, "--threads", 2)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(in_turn, "SECONDS_EACH", 0.0)


@pytest.fixture
def given(tmp_path, tiny_model, random_images):
    """A file of images and one of a model that codes them, as arguments."""
    images = random_images(20, 3, 4, 6, num_levels=5).numpy()
    np.save(tmp_path / "images.npy", images.transpose(0, 2, 3, 1))
    program = tiny_model("pixelcnn", "categorical", 3, layers=1, noise=0.3).float().lower(images)
    save_program(name_model("tiny", export(program)), tmp_path / "tiny.safetensors")
    return ("--data", tmp_path / "images.npy", "--model", tmp_path / "tiny.safetensors")


def test_table(pixelrnn, given):
    answer = pixelrnn("bench", "codec", *given, *QUICK)
    assert answer.code == 0
    assert all(line.startswith("compiling the coding loop") for line in answer.err.splitlines())
    assert "images.npy, test: 2 RGB images of 4x6, 2 threads" in answer.out
    for name in ("tiny", *NAMES):
        sizes, speeds = r" +[\d.]+ │ +[\d.]+ │", r" +[\d.,]+ │ +[\d.,]+ │"
        assert re.search(rf"│ {re.escape(name)} +│{sizes}{speeds}{speeds}", answer.out)
    assert re.search(r"Smallest: .+ \(one file each\), .+ \(all in one\)\.", answer.out)
    assert re.search(r"tiny: [\d.]+ bits/dim by its probabilities, [\d.]+ in messages", answer.out)
    assert re.search(r"on 1 thread [\d.,]+ images/s encoding, [\d.,]+ decoding", answer.out)
    assert re.search(r"one image is decoded in [\d.]+ ms\.", answer.out)
    assert re.search(r"tiny, one file per image: \d+ % \w+ than ", answer.out)
    assert "medians of 1 repetition in turn on the first 2 images" in answer.out


def test_json(pixelrnn, given, tmp_path):
    out = tmp_path / "new" / "codec.json"
    answer = pixelrnn("bench", "codec", *given, *QUICK, "--split", "all", "-n", 7, "--json",
                      "--out", out)  # fmt: skip
    found = json.loads(answer.out)
    assert json.loads(out.read_text()) == found
    assert (found["format_version"], found["kind"]) == (1, "codec benchmark")
    assert (found["num_images"], found["split"], found["image_shape"]) == (7, "all", [3, 4, 6])
    assert (found["threads"], found["repeats"], found["tile_pixels"]) == (2, 1, 0)
    assert found["environment"]["processor"]
    assert found["finished"] is True
    assert [each["name"] for each in found["codecs"]] == NAMES
    (model,) = found["models"]
    assert model["ideal_bits_per_dim"] <= model["messages_bits_per_dim"]
    assert model["messages_bits_per_dim"] < model["bits_per_dim_all_in_one"]
    assert model["bits_per_dim_all_in_one"] < model["bits_per_dim_one_file_each"]
    for each in (*found["models"], *found["codecs"]):
        assert each["images_per_second_encoding"] > 0
        assert each["images_per_second_decoding"] > 0
        assert each["cpu_seconds_per_megapixel_encoding"] > 0
        assert each["cpu_seconds_per_megapixel_decoding"] > 0


def test_several_models_in_tiles(pixelrnn, given):
    answer = pixelrnn("bench", "codec", *given, *given[2:], *QUICK, "--tile", 3, "--json")
    found = json.loads(answer.out)
    first, second = found["models"]
    assert first["bits_per_dim_all_in_one"] == second["bits_per_dim_all_in_one"]
    assert found["tile_pixels"] == 3


def test_models_side_by_side_in_words():
    def of(name, size, **seconds):
        return ModelFigures(
            name=name,
            note="",
            bits_per_dim_one_file_each=size,
            bits_per_dim_all_in_one=size,
            all_in_one="album",
            program_hash="",
            ideal_bits_per_dim=size,
            messages_bits_per_dim=size,
            **{f"cpu_seconds_per_megapixel_{what}": value for what, value in seconds.items()},
        )

    first = of("first", 3.0, encoding=2.0, decoding=4.0)
    assert codec_command._beside(of("new", 2.76, encoding=1.9, decoding=4.4), first) == (
        "new, one file per image: 8 % smaller than first; 0.95 times its CPU s/megapixel encoding; "
        "1.10 times its CPU s/megapixel decoding."
    )
    assert codec_command._beside(of("new", 3.0), of("first", 3.0)) == (
        "new, one file per image: about as small as first."
    )


def test_a_model_that_comes_with_the_package(pixelrnn):
    found = json.loads(
        pixelrnn("bench", "codec", "--data", "digits", "-n", 2, *QUICK, "--json").out
    )
    assert [model["name"] for model in found["models"]] == ["digits-pixelcnn"]
    assert (found["data"], found["num_levels"]) == ("digits", 17)


@pytest.mark.parametrize(
    ("source", "num_levels", "model"),
    [
        ("digits", None, "digits-pixelcnn"),
        ("digits", 256, SMALL),
        ("photos", None, SMALL),
        ("photos", 256, SMALL),
    ],
)
def test_usual_models(source, num_levels, model):
    data = load(source, DataOptions(num_levels=num_levels))
    given = MeasuredImages("", "test", data.images("test"), data.num_levels, "")
    assert given.usual_model == model


@pytest.mark.parametrize(
    ("size", "tile", "expected"),
    [((128, 4), None, 0), ((4, 129), None, 128), ((4, 129), 0, 0), ((4, 4), 64, 64)],
)
def test_only_large_images_are_cut_into_tiles(size, tile, expected, given, tmp_path):
    np.save(tmp_path / "large.npy", np.zeros((1, *size, 3), np.uint8))
    large = measured_images(str(tmp_path / "large.npy"), "all", None)
    (made,) = codec_command._codecs([str(given[3])], tile, 1, large.largest_side)
    assert (made.tile, made.threads) == (expected, 1)


def test_comparisons_in_words():
    def of(name, each, together):
        return Figures(
            name=name,
            note="",
            bits_per_dim_one_file_each=each,
            bits_per_dim_all_in_one=together,
            all_in_one="stream" if name == "LZMA" else "picture",
        )

    model = ModelFigures(
        name="tiny",
        note="",
        bits_per_dim_one_file_each=3.3,
        bits_per_dim_all_in_one=3.0,
        all_in_one="album",
        program_hash="",
        ideal_bits_per_dim=2.9,
        messages_bits_per_dim=2.95,
    )
    codecs = [of("WebP", 4.0, 3.5), of("LZMA", 3.29, 3.25), of("JPEG XL", 3.0, None)]
    assert codec_command.comparisons(model, codecs) == [
        "tiny, one file per image: 18 % smaller than WebP, about as small as LZMA, "
        "10 % larger than JPEG XL.",
        "tiny, one album: 25 % smaller than WebP, 9 % smaller than LZMA, about as small as JPEG XL "
        "(one file per image), and 8 % smaller than LZMA's one stream.",
    ]
    assert codec_command.comparisons(model, codecs[2:])[1] == (
        "tiny, one album: about as small as JPEG XL (one file per image)."
    )
    assert codec_command._smallest([model, *codecs]) == (
        "Smallest: JPEG XL (one file each), tiny (all in one)."
    )


def test_a_codec_that_is_left_out_is_named(pixelrnn, given, monkeypatch):
    missing = dataclasses.replace(ALL_FORMATS[1], available=lambda: False)
    monkeypatch.setattr(codecs, "ALL_FORMATS", (ALL_FORMATS[0], missing))
    answer = pixelrnn("bench", "codec", *given, *QUICK)
    assert answer.code == 0
    assert "WebP left out: the installed Pillow or imagecodecs has none" in answer.err.splitlines()
    assert "WebP" not in answer.out


def test_ctrl_c_shows_what_is_measured(pixelrnn, given, tmp_path, monkeypatch):
    def stop(pixels, num_levels):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        codecs, "ALL_FORMATS", (ALL_FORMATS[0], dataclasses.replace(ALL_FORMATS[1], encode=stop))
    )
    out = tmp_path / "codec.json"
    answer = pixelrnn("bench", "codec", *given, *QUICK, "--out", out)
    assert answer.code == 130
    assert answer.err.splitlines()[-1] == "stopped: what was measured so far is shown"
    assert re.search(r"│ PNG +│ +[\d.]+ │ +[\d.]+ │ +│ +│", answer.out)
    found = json.loads(out.read_text())
    assert (found["finished"], found["repeats"]) == (False, 0)
    assert found["codecs"][0]["images_per_second_encoding"] is None


def test_ctrl_c_at_once(pixelrnn, given, tmp_path, monkeypatch):
    def stop(self, image):
        raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr("pixelrnn.coding.codec.Codec.ideal_bits", stop)
    answer = pixelrnn("bench", "codec", *given, *QUICK, "--out", tmp_path / "codec.json")
    assert answer.code == 130
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--split", "tests"), "there is no split 'tests'"),
        (("-n", "0"), "give a whole number, 1 or more"),
        (("--repeats", "x"), "give a whole number, 1 or more"),
        (("--threads", "0"), "give a whole number, 1 or more"),
        (("--tile", "-1"), "a tile has a side of 1 to 65535 pixels"),
        (("--out", "a.txt"), "give a name that ends in .json"),
        (("--model", "colour-pixelcn"), "did you mean colour-pixelcnn?"),
        (("--data", "none.npy"), "there is no none.npy"),
        (("--data", "photos"), "tiny is a model of images with 5 levels"),
    ],
)
def test_bad_options(arguments, message, fails, given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert message in fails("bench", "codec", *given, *arguments)
    assert sorted(tmp_path.iterdir()) == before


def test_images_that_differ_in_size_are_measured_at_their_own(pixelrnn, given, tmp_path):
    """One file each, and one stream of all; there is no one picture of all."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    sizes = {"a.png": (6, 4), "sub/b.png": (3, 9), "z.png": (5, 5)}
    images = {}
    for seed, (name, (height, width)) in enumerate(sizes.items()):
        levels = np.random.default_rng(seed).integers(5, size=(height, width, 3), dtype=np.uint8)
        Image.fromarray(levels).save(tmp_path / "in" / name)
        images[name] = levels
    model = given[2:]
    album, data_album = tmp_path / "x.pxr", tmp_path / "data.pxr"
    assert pixelrnn("compress", tmp_path / "in", *model, "--tile", 0, "-o", album).code == 0
    assert pixelrnn("compress", tmp_path / "in", "-o", data_album).code == 0
    for data in (tmp_path / "in", data_album):
        answer = pixelrnn("bench", "codec", "--data", data, *model, *QUICK, "--json")
        assert answer.code == 0, answer.err
        found = json.loads(answer.out)
        assert (found["num_images"], found["split"], found["image_shape"]) == (3, "all", None)
        assert found["image_sizes"] == [[6, 4], [5, 5], [3, 9]]
        dims = sum(3 * height * width for height, width in sizes.values())
        size = found["models"][0]["bits_per_dim_all_in_one"] * dims / 8
        named = sum(len(name) for name in sizes) + 2  # an album without names is so much smaller
        assert 0 < album.stat().st_size - size <= named + 12
        by_name = {each["name"]: each for each in found["codecs"]}
        png = sum(len(ALL_FORMATS[0].encode(each, 256)) for each in images.values())
        assert by_name["PNG"]["bits_per_dim_one_file_each"] == 8 * png / dims
        assert by_name["PNG"]["bits_per_dim_all_in_one"] is None
        assert by_name["LZMA"]["bits_per_dim_all_in_one"] > 0
    answer = pixelrnn("bench", "codec", "--data", tmp_path / "in", *model, *QUICK, "-n", 2)
    assert "in, all: 2 RGB images of 2 sizes, 6x4 to 3x9, 2 threads" in answer.out


def test_no_data(fails):
    assert "give --data NAME-or-PATH" in fails("bench", "codec")
