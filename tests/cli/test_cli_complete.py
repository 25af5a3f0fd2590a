"""`pixelrnn complete`, as typed."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from pixelrnn import pictures
from pixelrnn.completion import complete, keep
from pixelrnn.data import load
from pixelrnn.models import MODELS, store


@pytest.fixture
def images(tmp_path):
    """An .npy of thirty grey images, 6 x 5, of nine levels."""
    drawn = np.random.default_rng(0).integers(9, size=(30, 6, 5), dtype=np.uint8)
    np.save(tmp_path / "images.npy", drawn)
    return tmp_path / "images.npy"


@pytest.fixture
def ask(pixelrnn, tmp_path):
    """Run `pixelrnn complete MODEL ... --json --npz ...`; what it prints, says, and the arrays."""

    def run(model, *arguments):
        out = ("--out", tmp_path / "a.png", "--npz", tmp_path / "a.npz")
        answer = pixelrnn("complete", model, *arguments, *out, "--force", "--json")
        assert answer.code == 0, answer
        with np.load(tmp_path / "a.npz") as archive:
            return json.loads(answer.out), answer.err, dict(archive)

    return run


# What comes out.


def test_files_and_lines(pixelrnn, trained, tmp_path):
    answer = pixelrnn("complete", trained, "--images", "digits", "--first", 3, "-n", 2,
                      "--out", tmp_path / "a.png", "--npz", tmp_path / "a.npz")  # fmt: skip
    assert answer.code == 0
    assert answer.err == ""
    assert "a.npz: 3 test images of digits, 2 completions each, seed 0\n" in answer.out
    assert re.search(
        r"the hidden 32 pixels of the originals cost \d\.\d{4} ± \d\.\d{4} bits/dim\n$", answer.out
    )
    with np.load(tmp_path / "a.npz") as archive:
        arrays = dict(archive)
    originals, completions = arrays["images"], arrays["completions"]
    np.testing.assert_array_equal(originals, load("digits").images("test")[:3, 0])
    np.testing.assert_array_equal(arrays["known"], keep("top:0.5", 8, 8))
    assert completions.shape == (3, 2, 8, 8)
    np.testing.assert_array_equal(completions[:, 0, :4], originals[:, :4])
    assert (completions[:, :, 4:] != originals[:, None, 4:]).any()
    cells, known = pictures.completion_cells(
        originals[:, None], completions[:, :, None], arrays["known"]
    )
    with Image.open(tmp_path / "a.png") as opened:
        expected = pictures.sheet(cells, 17, columns=4, known=known)[..., 0]
        np.testing.assert_array_equal(np.asarray(opened), expected)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_hidden_part_is_scored(kind, channels, ask, tmp_path, save_model):
    folder = save_model(tmp_path / "model", kind, channels=channels)
    shape = (20, 6, 5) if channels == 1 else (20, 6, 5, 3)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(9, size=shape, dtype=np.uint8))
    about, _, arrays = ask(folder, "--images", tmp_path / "x.npy", "--split", "all", "--first", 5)
    model, data = store.load(folder), load(tmp_path / "x.npy").images("all")[:5]
    nats = -model.log_prob_map(torch.from_numpy(data.copy()), torch.float64).detach().numpy()
    expected = nats[:, :, 3:].mean(axis=(1, 2, 3)) / np.log(2)
    np.testing.assert_allclose(arrays["hidden_bits_per_dim"], expected, atol=1e-5)
    assert about["hidden_bits_per_dim"] == pytest.approx(expected.mean(), abs=1e-5)
    assert about["standard_error"] == pytest.approx(expected.std(ddof=1) / np.sqrt(5), abs=1e-5)
    assert (about["num_images"], about["split"]) == (5, "all")


def test_an_image_does_not_depend_on_the_others_nor_on_threads(ask, grey, images):
    _, _, many = ask(grey, "--images", images, "--first", 3, "--threads", 3, "-n", 5)
    _, _, few = ask(grey, "--images", images, "--first", 1, "--threads", 1, "-n", 2)
    np.testing.assert_array_equal(few["completions"], many["completions"][:1, :2])
    assert (many["completions"][0] != many["completions"][1]).any()
    _, _, other = ask(grey, "--images", images, "--first", 1, "--seed", 1, "-n", 2)
    assert (other["completions"] != few["completions"]).any()


def test_equal_images_are_completed_differently(ask, grey, tmp_path):
    np.save(tmp_path / "x.npy", np.full((20, 6, 5), 4, np.uint8))
    _, _, arrays = ask(grey, "--images", tmp_path / "x.npy", "--first", 2)
    assert (arrays["completions"][0] != arrays["completions"][1]).any()


def test_a_path_without_test_images_is_used_whole(ask, grey, tmp_path):
    np.save(tmp_path / "few.npy", np.zeros((4, 6, 5), np.uint8))
    about, _, _ = ask(grey, "--images", tmp_path / "few.npy")
    assert (about["split"], about["num_images"]) == ("all", 4)


def test_a_run_reads_its_own_images_as_it_did(ask, run_folder, tmp_path):
    data = np.random.default_rng(0).integers(9, size=(20, 12, 16), dtype=np.uint8)
    folder = tmp_path / "images"
    folder.mkdir()
    for index, image in enumerate(data):
        Image.fromarray(image).save(folder / f"{index:02}.png")
    recipe = run_folder / "recipe.toml"
    text = recipe.read_text().replace('source = "digits"', f'source = "{folder}"\npatch_size = 4')
    recipe.write_text(text)
    _, _, arrays = ask(run_folder, "--images", folder)
    assert arrays["images"].shape == (8, 4, 4)
    recipe.write_text(text.replace("patch_size = 4", "patch_size = 0"))


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_what_no_picture_shows_is_completed_into_arrays(
    channels, pixelrnn, fails, save_model, tmp_path, monkeypatch
):
    from pixelrnn import completion

    monkeypatch.chdir(tmp_path)
    folder = save_model(tmp_path / "model", channels=channels)
    shape = (20, channels, 6, 7)
    np.save("x.npy", np.random.default_rng(0).integers(9, size=shape, dtype=np.uint8))
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(completion, "complete", lambda *_, **__: pytest.fail("work was done"))
        for arguments, advice in [
            ((), f"of {channels}-channel images, which no picture shows: give --npz FILE.npz"),
            (("--out", "a.png"), "leave --out out, and give --npz FILE.npz"),
            (("--out", "a.png", "--npz", "a.npz"), "leave --out out, and give --npz FILE.npz"),
        ]:
            assert advice in fails("complete", folder, "--images", "x.npy", *arguments)
    assert sorted(tmp_path.iterdir()) == before
    answer = pixelrnn("complete", folder, "--images", "x.npy", "--first", 2, "-n", 3, "--npz",
                      "a.npz", "--json")  # fmt: skip
    assert answer.code == 0, answer
    assert json.loads(answer.out)["out"] is None
    with np.load("a.npz") as archive:
        assert archive["images"].shape == (2, *shape[1:])
        assert archive["completions"].shape == (2, 3, *shape[1:])
        np.testing.assert_array_equal(archive["images"], load(tmp_path / "x.npy").images("test"))
    assert {path.name for path in tmp_path.iterdir()} == {"model", "x.npy", "a.npz"}


# Masks.


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_masks_of_all_kinds(mode, ask, grey, images, tmp_path):
    known = np.random.default_rng(1).random((6, 5)) < 0.5
    mask = Image.fromarray(known.astype(np.uint8)).convert("L")  # 1 is hardly black, but not black
    if mode == "P":
        mask = mask.convert("P")
        mask.putpalette([0, 0, 0, 0, 0, 1, 9, 9, 9])
    elif mode == "I;16":
        mask = Image.fromarray(known.astype(np.uint16))
    elif mode != "L":
        mask = mask.point(lambda value: value * 255).convert(mode)
    assert mask.mode == mode
    mask.save(tmp_path / "mask.png")
    _, _, arrays = ask(grey, "--images", images, "--keep", tmp_path / "mask.png")
    np.testing.assert_array_equal(arrays["known"], known)
    assert (arrays["completions"] == arrays["images"][:, None])[:, :, known].all()


@pytest.mark.parametrize(
    ("rule", "later"), [("left:0.6", 5 * 3), ("bottom:0.5", 15), ("top:0.5", 0)]
)
def test_given_pixels_that_cannot_guide_are_told(rule, later, ask, grey, images):
    about, told, _ = ask(grey, "--images", images, "--keep", rule)
    assert about["known_pixels_after_hidden"] == later
    if later:
        (line,) = told.splitlines()
        assert line.startswith(f"{later} given pixels come after hidden ones")
        assert "--importance" in line
    else:
        assert told == ""


def test_importance(ask, pixelrnn, grey, images, tmp_path):
    options = ("--images", images, "--keep", "left:0.6", "--first", 3)
    about, told, arrays = ask(grey, *options, "--importance", 40)
    assert "come after" not in told
    assert len(about["effective_samples"]) == 3
    assert all(1 <= number <= 40 for number in about["effective_samples"])
    np.testing.assert_allclose(arrays["effective_samples"], about["effective_samples"])
    answer = pixelrnn("complete", grey, *options, "--importance", 40, "--out", tmp_path / "b.png")
    assert re.search(r"effective samples of each image: [\d., ]+\n$", answer.out)


def test_too_few_effective_samples_are_warned_of(ask, grey, images):
    _, told, _ = ask(grey, "--images", images, "--keep", "bottom:0.5", "--importance", 1, "-n", 1)
    assert "hardly more than one candidate fits" in told


def test_importance_without_need_is_told(ask, grey, images):
    _, told, _ = ask(grey, "--images", images, "--importance", 8)
    assert told == "no given pixel comes after a hidden one: --importance changes nothing\n"


# Ctrl-C.


def test_ctrl_c_keeps_what_is_finished(pixelrnn, ask, grey, images, tmp_path, monkeypatch):
    from pixelrnn import completion

    _, _, whole = ask(grey, "--images", images, "--split", "all", "--first", 6)
    calls = []

    def stopped(*arguments, **settings):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return complete(*arguments, **settings)

    monkeypatch.setattr(completion, "complete", stopped)
    options = ("--images", images, "--split", "all", "--first", 6, "--out", tmp_path / "b.png")
    answer = pixelrnn("complete", grey, *options, "--npz", tmp_path / "b.npz")
    assert answer.code == 130
    assert "stopped: 3 of 6 images were finished and are kept" in answer.err
    with np.load(tmp_path / "b.npz") as archive:
        np.testing.assert_array_equal(archive["completions"], whole["completions"][:3])
    (tmp_path / "b.png").unlink()
    calls[:] = [None] * 3
    answer = pixelrnn("complete", grey, *options)
    assert answer.code == 130
    assert "nothing is written" in answer.err
    assert not (tmp_path / "b.png").exists()


def test_progress_counts_every_pixel(pixelrnn, grey, images, tmp_path, monkeypatch):
    from rich.progress import Progress

    counted, totals = [], []
    monkeypatch.setattr(Progress, "add_task", lambda self, label, total: totals.append(total) or 0)
    monkeypatch.setattr(Progress, "advance", lambda self, task, pixels: counted.append(pixels))
    pixelrnn("complete", grey, "--images", images, "--out", tmp_path / "a.png")
    assert sum(counted) == totals[0] == 3 * 4 * 30


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--keep", "top:1.5"), "cannot keep 'top:1.5'"),
        (("--keep", "top:nan"), "cannot keep 'top:nan'"),
        (("--keep", "none.png"), "or the path of a mask image"),
        (("--keep", "top:0.99"), "keeps every pixel"),
        (("--temperature", "-1"), "is not a temperature"),
        (("-n", "0"), "give a whole number, 1 or more"),
        (("--first", "0"), "give a whole number, 1 or more"),
        (("--importance", "0"), "give a whole number, 1 or more"),
        (("--split", "tests"), "choose one of train, validation, test, all"),
        (("--out", "a.gif"), "--out a.gif: give a name that ends in .png"),
        (("--npz", "a.npy"), "--npz a.npy: give a name that ends in .npz"),
    ],
)
def test_bad_options(arguments, message, fails, grey, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in fails("complete", grey, "--images", images, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["images.npy"]


@pytest.mark.parametrize(
    ("shape", "highest", "message"),
    [
        ((20, 6, 5, 3), 8, "the model is of grey images with 9 levels, and those of x.npy are RGB"),
        ((20, 6, 5), 9, "are grey with values up to 9: give other images or another model"),
    ],
)
def test_images_of_another_kind(shape, highest, message, fails, grey, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.full(shape, highest, np.uint8))
    assert message in fails("complete", grey, "--images", "x.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


def test_a_colour_model_given_grey(fails, images, tmp_path, save_model):
    folder = save_model(tmp_path / "model", channels=3)
    assert "the model is of RGB images" in fails("complete", folder, "--images", images)


def test_a_named_set_of_other_levels(fails, grey, tmp_path):
    line = fails("complete", grey, "--images", "digits", "--out", tmp_path / "a.png")
    assert "9 levels, and those of digits are grey with 17 levels" in line


@pytest.mark.parametrize("size", [(5, 6), (4, 6), (60, 50)])
def test_a_mask_of_another_size(size, fails, grey, images, tmp_path):
    Image.new("L", size).save(tmp_path / "mask.png")
    options = ("--images", images, "--keep", tmp_path / "mask.png", "--out", tmp_path / "a.png")
    if size == (5, 6):
        return  # (width, height): this one fits
    line = fails("complete", grey, *options)
    assert f"of {size[1]} x {size[0]} pixels, the images are of 6 x 5: they must be alike" in line
    assert not (tmp_path / "a.png").exists()


def test_a_mask_that_is_no_image(fails, grey, images, tmp_path):
    (tmp_path / "mask.png").write_text("hello")
    line = fails("complete", grey, "--images", images, "--keep", tmp_path / "mask.png")
    assert "cannot be read as a mask" in line


def test_a_place_that_cannot_be_written(fails, grey, images, tmp_path):
    out = images / "below" / "a.png"
    assert "cannot write into the folder" in fails(
        "complete", grey, "--images", images, "--out", out
    )


def test_a_model_file_alone(ask, grey, images, tmp_path):
    alone = shutil.copy(grey / "model.safetensors", tmp_path / "moved.safetensors")
    about, _, _ = ask(alone, "--images", images)
    assert about["num_images"] == 3
