import pytest
import typer
from typer.testing import CliRunner

from pixelrnn.cli.report import report
from pixelrnn.errors import ModelFileError, OutputError

app = typer.Typer()
app.command()(report)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_run_folders_become_a_page(digits, tmp_path):
    out = tmp_path / "new" / "report.html"
    result = invoke(*digits.runs(tmp_path / "runs"), "--out", out, "--title", "My runs")
    assert result.exit_code == 0
    assert result.stdout.strip() == str(out)
    assert "<h1>My runs</h1>" in out.read_text(encoding="utf-8")


def test_a_folder_of_runs_is_expanded(digits, tmp_path):
    folders = digits.runs(tmp_path / "runs")
    (tmp_path / "runs" / "results.json").write_text("{}")
    (tmp_path / "runs" / "cache").mkdir()
    waiting = tmp_path / "runs" / "waiting"
    waiting.mkdir()
    (waiting / "recipe.toml").write_text("")
    out = tmp_path / "report.html"
    result = invoke(tmp_path / "runs", folders[0], "--out", out)
    assert result.exit_code == 0
    assert f"left out: {waiting}" in result.stderr
    assert "from 3 run folders" in out.read_text(encoding="utf-8")


def test_a_folder_without_runs_is_an_error(tmp_path):
    assert isinstance(invoke(tmp_path).exception, ModelFileError)
    assert isinstance(invoke(tmp_path / "none").exception, ModelFileError)


def test_an_output_that_cannot_be_written_is_an_error(digits, tmp_path):
    result = invoke(digits.run(tmp_path / "run"), "--out", tmp_path)
    assert isinstance(result.exception, OutputError)


@pytest.mark.parametrize("arguments", [(), ("--what",)])
def test_wrong_usage(arguments):
    assert invoke(*arguments).exit_code == 2


def test_labels_and_figures(digits, tmp_path):
    run = digits.run(tmp_path / "pixelcnn", evaluated=False)
    out, figures = tmp_path / "r.html", tmp_path / "figures"
    arguments = (run, "--out", out, "--label", "pixelcnn=Ours", "--figures", figures)
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert result.stdout.split() == [str(out), str(figures)]
    assert "Ours" in out.read_text(encoding="utf-8")
    assert "Ours &" in (figures / "results.tex").read_text(encoding="utf-8")
    assert isinstance(invoke(*arguments).exception, OutputError)
    assert invoke(*arguments, "--force").exit_code == 0
