"""The page of an audit: its findings, and what one position really depends on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from markupsafe import Markup

from pixelrnn.report.charts import STYLE
from pixelrnn.report.page import write_page
from pixelrnn.report.templates import environment

CLASSES = ("later", "unused", "used", "here", "leak", "unseen")  # of cells
CELL, LARGEST = 18, 420  # pixels of a cell, and of a map


class Audited(Protocol):
    """What an audit found, as `auditing.Audit` says it."""

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""


def write(found: Audited, out: Path) -> Path:
    """Write a self-contained page about an audit.

    Args:
        found: the audit.
        out: the file to write; it appears whole or not at all.

    Returns:
        The path written.

    Raises:
        OutputError: if it cannot be written.
    """
    about = found.to_json()
    shown = maps(about["picture"]) if about["picture"] else []
    page = (
        environment()
        .get_template("audit.html.jinja")
        .render(
            audit=about,
            style=Markup(STYLE),
            failing=[each for each in about["findings"] if each["verdict"] == "fails"],
            maps=shown,
            key=_key(about["picture"]["meanings"], shown) if shown else [],
        )
    )
    write_page(out, page, "--html")
    return out


def _key(meanings: Sequence[str], shown: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return (class, meaning) of those cells that are drawn."""
    drawn = {kind for each in shown for _, _, kind in each["cells"]}
    return [pair for pair in zip(CLASSES, meanings, strict=True) if pair[0] in drawn]


def maps(picture: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the map of each colour: its name, the size of a cell, and its cells with their classes.

    Example:
        >>> maps({"row": 0, "column": 0, "channel": 0, "cells": [[[3, 4]]]})[0]["cells"]
        [(0, 0, 'here'), (1, 0, 'leak')]
    """
    planes = picture["cells"]
    names = (
        ("red", "green", "blue")
        if len(planes) == 3
        else [f"colour {n}" for n in range(len(planes))]
    )
    found = []
    for name, plane in zip(names, planes, strict=True):
        height, width = len(plane), len(plane[0])
        cells = [(x, y, CLASSES[cell]) for y, row in enumerate(plane) for x, cell in enumerate(row)]
        size = min(CELL, LARGEST // max(height, width))
        found.append(
            {
                "name": name if len(planes) > 1 else "",
                "width": width,
                "height": height,
                "pixels": max(2, size),
                "cells": cells,
            }
        )
    return found
