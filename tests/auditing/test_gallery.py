"""The gallery of docs/audit.md is what the audit draws."""

import re
from pathlib import Path

import pytest

from tests.auditing.gallery import FAULTS, drawn

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^### (.+?)$.*?^```text\n(.*?)\n```$", PAGE, re.M | re.S))


def test_every_fault_is_on_the_page():
    assert list(BLOCKS) == list(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_page_shows_is_drawn(fault):
    assert drawn(fault) == BLOCKS[fault]
