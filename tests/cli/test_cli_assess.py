"""`pixelrnn assess`, as typed: what `evaluate` measures, and all else that the report shows."""

import json

import numpy as np
import pytest


def test_all_that_the_report_shows_is_kept(pixelrnn, run_folder, tmp_path):
    measured = json.loads(pixelrnn("evaluate", run_folder, "--json").out)
    page = tmp_path / "report.html"
    assert pixelrnn("report", run_folder, "--out", page).code == 0
    assert page.read_text(encoding="utf-8").count("pixelrnn assess RUN") == 3
    answer = pixelrnn("assess", run_folder, "--json")
    assert answer.code == 0, answer
    found = json.loads(answer.out)
    speed = {"images_per_second": 0}
    assert found | speed == measured | speed
    kept = json.loads((run_folder / "result.json").read_text())
    assert kept["test_bits_per_dim"] == found["bits_per_dim"]
    assert {line["name"] for line in kept["baselines"]} >= {"uniform", "histogram", "PNG"}
    assert kept["file_bytes"] > 0
    with np.load(run_folder / "evaluation.npz") as arrays:
        assert arrays["receptive_field"].shape == (1, 8, 8)
    assert pixelrnn("report", run_folder, "--out", page, "--force").code == 0
    assert "pixelrnn assess RUN" not in page.read_text(encoding="utf-8")
    kept_files = [run_folder / name for name in ("samples.npz", "integer.safetensors")]
    before = [file.read_bytes() for file in kept_files]
    assert pixelrnn("evaluate", run_folder).code == 0  # afterwards, too, and nothing is lost
    assert [file.read_bytes() for file in kept_files] == before


@pytest.mark.parametrize("what", ["unfinished", "other weights", "read-only", "shipped"])
def test_what_cannot_be_kept_is_refused(what, pixelrnn, run_folder, monkeypatch):
    asked, word = run_folder, "not finished"
    if what == "unfinished":
        result = json.loads((run_folder / "result.json").read_text()) | {"finished": False}
        (run_folder / "result.json").write_text(json.dumps(result))
    elif what == "other weights":
        asked, word = run_folder / "best.safetensors", "is of model.safetensors"
        asked.write_bytes((run_folder / "model.safetensors").read_bytes())
    elif what == "shipped":
        asked, word = "digits-pixelcnn", "does not hold a run"
    else:
        word = "cannot be written to"
        monkeypatch.setattr("os.access", lambda *_: False)
    before = {path: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}
    answer = pixelrnn("assess", asked)
    assert answer.code == 2
    assert word in answer.err
    assert {path: path.read_bytes() for path in run_folder.iterdir() if path.is_file()} == before
