"""What the page says of synthetic run folders."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pixelrnn.report.comparison import Group, group_by_data
from pixelrnn.report.templates import environment
from pixelrnn.runs import read_run
from tests.synthetic_runs import colour, digits

__all__ = ["colour", "digits"]


class Judged(NamedTuple):
    """What the page says about runs on the same data, in HTML with single spaces."""

    sentence: str
    remarks: tuple[str, ...]
    warnings: tuple[str, ...]


@pytest.fixture
def judged():
    """A function from run folders to their group and what the page says of it."""
    words = environment().get_template("verdict.html.jinja").module

    def judge(folders: list[Path], labels: Any = ()) -> tuple[Group, Judged]:
        (group,) = group_by_data([read_run(folder) for folder in folders], labels)

        def said(text: str) -> tuple[str, ...]:
            found = re.findall(r"<p class=[^>]*>(.*?)</p>", text, re.DOTALL)
            return tuple(" ".join(each.split()) for each in found)

        (sentence,) = said(words.verdict(group, []))
        return group, Judged(sentence, said(words.remarks(group)), said(words.warnings(group)))

    return judge
