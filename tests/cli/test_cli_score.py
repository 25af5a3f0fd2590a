"""`pixelrnn score`, as it is typed: tables, maps, pages, stopping and going on, and what is told apart."""

import csv
import json
import sys

import numpy as np
import pytest
from PIL import Image

from pixelrnn.scoring import SCORES, job
from pixelrnn.scoring.journal import Journal, place_of

DIGITS = ("score", "digits-pixelcnn")


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pictures(here):
    """Grey images of nine levels, as the model of the fixture `grey` takes them, of two sizes."""
    draws = np.random.default_rng(0)
    (here / "pictures" / "more").mkdir(parents=True)
    for n in range(12):
        levels = draws.integers(9, size=(6, 5) if n % 3 else (4, 7), dtype=np.uint8)
        Image.fromarray(levels).save(here / "pictures" / ("more" * (n % 2)) / f"{n}.png")
    return here / "pictures"


def test_a_table_of_digits(pixelrnn, here):
    arguments = (
        "--data",
        "inverted:digits",
        "-n",
        6,
        "--reference",
        "digits",
        "--out",
        "scores.csv",
    )
    answer = pixelrnn(*DIGITS, *arguments)
    assert answer.code == 0, answer
    assert "6 images of digits, test, inverted; against 150 of digits, validation" in answer.out
    found = rows(here / "scores.csv")
    assert [row["name"] for row in found] == ["0", "59", "118", "177", "236", "296"]
    assert {row["height"] for row in found} == {"8"}
    fitted = [kind for kind in SCORES if "ratio" not in kind]
    assert all(0 < float(row[f"p_{kind}"]) <= 1 for row in found for kind in fitted)
    assert [float(row["p_density"]) for row in found] == pytest.approx([1 / 76] * 6)
    assert [path.name for path in here.iterdir()] == ["scores.csv"]


def test_a_reference_that_is_what_is_scored(pixelrnn, pictures, grey):
    for n in range(12, 20):
        Image.fromarray(np.full((6, 5), n % 9, np.uint8)).save(pictures / f"{n}.png")
    command = ("score", grey, "--data", pictures, "--reference", pictures, "--out", "s.csv")
    assert "the reference is what was scored" in pixelrnn(*command).err


def test_what_is_printed_as_json(pixelrnn, here):
    arguments = ("--data", "digits", "-n", 30, "--reference", "digits", "--out", "s.csv", "--json")
    found = json.loads(pixelrnn(*DIGITS, *arguments).out)
    assert found["num_images"] == 30
    assert found["num_reference_images"] == 150
    assert found["sorted_by"] == "density"
    table = rows(here / "s.csv")
    values = sorted((float(row["density"]) for row in table), reverse=True)
    assert [each["density"] for each in found["most_unusual"]] == pytest.approx(values[:24])
    mean = np.mean([float(row["bits_per_dim"]) for row in table])
    assert found["means"]["bits_per_dim"] == pytest.approx(mean)
    assert found["all_together"]["typicality"]["p_value"] > 0.01


def test_parquet(pixelrnn, here):
    parquet = pytest.importorskip("pyarrow.parquet")
    pixelrnn(*DIGITS, "--data", "digits", "-n", 5, "--out", "s.parquet")
    pixelrnn(*DIGITS, "--data", "digits", "-n", 5, "--out", "s.csv")
    table = parquet.read_table(here / "s.parquet").to_pydict()
    assert [float(row["complexity"]) for row in rows(here / "s.csv")] == pytest.approx(
        table["complexity"]
    )


def test_parquet_where_it_cannot_be_written(fails, here, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = fails(*DIGITS, "--data", "digits", "--out", "s.parquet")
    assert message == "pyarrow is not installed, which this needs: pip install 'pixelrnn[parquet]'"
    assert list(here.iterdir()) == []


def test_without_a_reference_it_says_what_is_missing(pixelrnn, here):
    answer = pixelrnn(*DIGITS, "--data", "noise", "-n", 4, "--out", "s.csv")
    assert "no --reference: there are no p-values" in answer.err
    assert set(rows(here / "s.csv")[0]) == {
        "name", "height", "width", "bits_per_dim", "codec_bits_per_dim", "complexity"
    }  # fmt: skip


def test_a_folder_of_different_sizes_with_maps_and_a_page(pixelrnn, grey, pictures, here):
    extras = ("--maps", "maps", "--html", "page.html", "--background", grey)
    answer = pixelrnn("score", grey, "--data", "pictures", "--out", "s.csv", *extras)
    assert answer.code == 0, answer
    found = rows(here / "s.csv")
    assert {row["name"]: (row["height"], row["width"]) for row in found}["more/3.png"] == ("4", "7")
    for kind in ("bits", "ratio"):
        names = {path.relative_to(here / "maps" / kind).as_posix()
                 for path in (here / "maps" / kind).rglob("*.png")}  # fmt: skip
        assert names == {row["name"] for row in found}
        with Image.open(here / "maps" / kind / "more" / "3.png") as image:
            assert (image.mode, image.size) == ("RGB", (7, 4))
    page = (here / "page.html").read_text()
    assert page.count("<figure") == len(found) == 12
    assert page.count("<img") == 36
    assert "more/3.png" in page
    assert "There was no reference" in page


def test_a_run_has_its_own_reference(pixelrnn, run_folder, here):
    arguments = ("--data", "digits", "-n", 3, "--out", "s.csv", "--json")
    found = json.loads(pixelrnn("score", run_folder, *arguments).out)
    assert found["reference"] == "digits, validation"
    answer = pixelrnn("score", run_folder, *arguments, "--force", "--reference", "none")
    assert json.loads(answer.out)["reference"] is None


@pytest.mark.parametrize("after", [0, 1, 3])
def test_stopped_and_gone_on_with(pixelrnn, pictures, grey, here, monkeypatch, after):
    extras = ("--data", "pictures", "--reference", "noise", "--maps", "maps", "--batch-size", 2)
    command = ("score", grey, *extras)
    pixelrnn(*command[:-4], "--batch-size", 2, "--out", "whole.csv")
    real, seen = job.maps.write_maps, []

    def stop(*arguments):
        seen.append(arguments)
        if len(seen) > after * 2:
            raise KeyboardInterrupt
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(job.maps, "write_maps", stop)
        answer = pixelrnn(*command, "--out", "s.csv")
    assert answer.code == 130
    (line,) = answer.err.splitlines()
    assert "of 12 images are measured, and kept in s.csv.unfinished" in line
    assert not (here / "s.csv").exists()
    assert place_of(here / "s.csv").exists()
    again = pixelrnn(*command, "--out", "s.csv")
    assert again.code == 0, again
    assert ("going on after" in again.err) == (after > 0)
    assert (here / "s.csv").read_bytes() == (here / "whole.csv").read_bytes()
    assert len(list((here / "maps").rglob("*.png"))) == 12
    assert not place_of(here / "s.csv").exists()


def test_a_full_disk_loses_nothing(pixelrnn, grey, here):
    """Files may have 3 kB, for a while."""
    resource = pytest.importorskip("resource")
    command = (
        "score",
        grey,
        "--data",
        "noise",
        "-n",
        100,
        "--reference",
        "none",
        "--codec",
        "none",
    )
    pixelrnn(*command, "--out", "whole.csv")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        full = pixelrnn(*command, "--out", "s.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (full.code, full.out) == (2, "")
    assert full.err == "error: cannot write s.csv.unfinished: File too large\n"
    assert {path.name for path in here.iterdir()} == {"whole.csv", "s.csv.unfinished"}
    assert pixelrnn(*command, "--out", "s.csv").err.startswith("going on after ")
    assert (here / "s.csv").read_bytes() == (here / "whole.csv").read_bytes()


def test_the_reference_is_not_measured_again(pixelrnn, pictures, grey, here, monkeypatch):
    command = ("score", grey, "--data", "pictures", "--reference", "noise", "--out", "s.csv")

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "measure_rest", stop)
        patch.setattr("pixelrnn.scoring.job.measure_rest", stop)
        assert pixelrnn(*command).code == 130
    with monkeypatch.context() as patch:
        patch.setattr(job, "measure", stop)
        assert pixelrnn(*command).code == 0


def test_another_job_is_not_mixed_in(pixelrnn, fails, pictures, grey, here, monkeypatch):
    real = Journal.add

    def stop(self, rows):
        real(self, rows)
        raise KeyboardInterrupt

    command = ("score", grey, "--data", "pictures", "--out", "s.csv")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", stop)
        pixelrnn(*command)
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(pictures / "1.png")
    assert "is of another job" in fails(*command, "--reference", "none", "--codec", "none")
    assert pixelrnn(*command, "--force").code == 0
    assert len(rows(here / "s.csv")) == 13


def test_images_that_cannot_be_scored(pixelrnn, fails, pictures, grey, here):
    (pictures / "0.png").write_bytes(b"no image")
    Image.new("RGB", (5, 6)).save(pictures / "2.png")
    message = fails("score", grey, "--data", "pictures", "--reference", "none", "--out", "s.csv")
    assert "0.png" in message
    assert "--skip" in message
    answer = pixelrnn("score", grey, "--data", "pictures", "--skip", "--out", "s.csv", "--json")
    found = json.loads(answer.out)
    assert (found["num_images"], found["num_left_out"]) == (10, 2)
    assert "left out 2 images: " in answer.err
    assert "2.png (this model is of grey images" in answer.err
    assert len(rows(here / "s.csv")) == 10


def test_no_image_can_be_scored(fails, pixelrnn, grey, here):
    (here / "bad").mkdir()
    (here / "bad" / "a.png").write_bytes(b"no image")
    message = fails("score", grey, "--data", "bad", "--skip", "--reference", "none", "--codec", "none",
                    "--by", "bits_per_dim", "--out", "s.csv")  # fmt: skip
    assert "no image is left" in message
    assert not (here / "s.csv").exists()


def test_how_well_two_sets_are_told_apart(pixelrnn, here):
    arguments = ("--normal", "digits", "--unusual", "inverted:digits", "-n", 60)
    text = pixelrnn(*DIGITS, *arguments).out
    assert (
        "60 normal images of digits, test against 60 unusual ones of digits, test, inverted" in text
    )
    assert "1.000 (1.000 to 1.000)" in text
    (found,) = json.loads(pixelrnn(*DIGITS, *arguments, "--json").out)["directions"]
    assert (found["num_normal"], found["num_unusual"], found["num_reference"]) == (60, 60, 60)
    assert found["scores"]["density"]["auroc"] == 1
    again = json.loads(pixelrnn(*DIGITS, *arguments, "--json").out)["directions"]
    assert again == [found]
    assert list(here.iterdir()) == []


def test_images_like_the_normal_ones_cannot_be_told_apart(pixelrnn):
    arguments = ("--normal", "digits", "--unusual", "digits", "-n", 100, "--json")
    (found,) = json.loads(pixelrnn(*DIGITS, *arguments).out)["directions"]
    for each in found["scores"].values():
        assert 0.35 < each["auroc"] < 0.65
        assert each["auroc_interval"][0] < 0.5 < each["auroc_interval"][1]


def test_both_directions_and_groups(pixelrnn, grey):
    arguments = (
        "--normal",
        "noise",
        "--unusual",
        "constant",
        "-n",
        40,
        "--reverse",
        grey,
        "--group",
        4,
    )
    found = json.loads(pixelrnn("score", grey, *arguments, "--json").out)["directions"]
    assert [(each["normal"], each["unusual"]) for each in found] == [
        ("noise", "constant"), ("constant", "noise")
    ]  # fmt: skip
    assert all(each["group"] == 4 for each in found)


def test_images_of_five_channels(pixelrnn, fails, save_model, tmp_path):
    folder = save_model(tmp_path / "model", channels=5)
    np.save(tmp_path / "x.npy", np.zeros((3, 5, 6, 7), np.uint8))
    arguments = ("score", folder, "--data", tmp_path / "x.npy", "--out", tmp_path / "s.csv")
    assert "5-channel and of 9 levels, cannot be stored as PNG" in fails(*arguments)
    assert not (tmp_path / "s.csv").exists()
    assert pixelrnn(*arguments, "--codec", "none").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "digits"), "say what to score and where to"),
        (("--normal", "digits"), "give both --normal and --unusual"),
        (("--normal", "digits", "--unusual", "noise", "--out", "s.csv"), "--out does not go with --normal"),
        (("--normal", "digits", "--unusual", "noise", "--data", "digits"), "--data does not go with"),
        (("--data", "digits", "--out", "s.csv", "--group", 3), "--group does not go with --data"),
        (("--data", "digits", "--out", "s.txt"), "ends in .csv or .parquet"),
        (("--data", "nothing", "--out", "s.csv"), "there is no nothing"),
        (("--data", "photos", "--out", "s.csv"), "is of grey images, but these"),
        (("--data", "digits", "--reference", "photos", "--out", "s.csv"), "is of grey images, but these"),
        (("--data", "digits", "--codec", "gif", "--out", "s.csv"), "there is no codec 'gif'"),
        (("--data", "digits", "--by", "densty", "--out", "s.csv"), "did you mean density"),
        (("--data", "digits", "--by", "ratio", "--out", "s.csv"), "background"),
        (("--data", "digits", "--by", "density", "--out", "s.csv"), "needs normal images"),
        (("--data", "digits", "--background", "colour-pixelcnn", "--out", "s.csv"), "background model"),
        (("--data", "digits", "--split", "tset", "--out", "s.csv"), "there is no split 'tset'"),
        (("--data", "empty", "--out", "s.csv"), "has no images"),
        (("--data", "digits", "--maps", "full", "--out", "s.csv"), "full is not empty"),
        (("--data", "digits", "--maps", "full/a.txt", "--out", "s.csv"), "is no folder"),
        (("--data", "digits", "--html", "full", "--out", "s.csv"), "ends in .html"),
        (("--normal", "digits", "--unusual", "noise", "--group", 900), "two groups of 900 images"),
        (("--normal", "digits", "--unusual", "noise", "-n", 9), "9 normal images cannot say"),
        (("--data", "digits", "--reference", "few.npy", "--out", "s.csv"), "2 normal images cannot say"),
    ],
    ids=lambda each: each[:40] if isinstance(each, str) else " ".join(map(str, each[:4])),
)  # fmt: skip
def test_what_cannot_be_is_one_line(fails, here, arguments, message):
    (here / "empty").mkdir()
    (here / "full").mkdir()
    (here / "full" / "a.txt").write_text("mine")
    np.save(here / "few.npy", np.zeros((2, 8, 8), np.uint8))
    before = sorted(here.rglob("*"))
    assert message in fails(*DIGITS, *arguments)
    left = {path.name for path in here.rglob("*")} - {path.name for path in before}
    # What normal images cost is kept for those who give other images of this name.
    assert left <= ({"s.csv.unfinished"} if "photos" in arguments else set())
