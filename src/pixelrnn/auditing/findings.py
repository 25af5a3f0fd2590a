"""What an audit finds: a verdict for each check, in words and as JSON. No torch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pixelrnn.arrays import Integers

Verdict = Literal["holds", "fails", "cannot be told"]
HOLDS: Final = "holds"
FAILS: Final = "fails"
UNTOLD: Final = "cannot be told"

# What a picture shows of a sub-pixel.
LATER, UNUSED, USED, HERE, LEAK, UNSEEN = range(6)
MEANINGS = (
    "comes later, and is not used",
    "comes earlier, and is not used",
    "comes earlier, and is used",
    "the position itself",
    "must not be used, and is",
    "was not looked at: there was no time",
)


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Attributes:
        check: what was asked, in a word or two.
        verdict: "holds", "fails" or "cannot be told".
        text: a sentence that says what was found; of what cannot be told, why, and what would help.
        covered: what was looked at.
        counterexample: the smallest one, where it fails: names and numbers.
    """

    check: str
    verdict: Verdict
    text: str
    covered: str = ""
    counterexample: Mapping[str, Any] | None = None

    def lines(self) -> list[str]:
        """Return it in lines of text: verdict, check, what was found; and the counterexample.

        Example:
            >>> print(*Finding("causal", "holds", "Yes.", "8 positions").lines())
            holds           causal: Yes. (8 positions)
        """
        covered = f" ({self.covered})" if self.covered else ""
        found = [f"{self.verdict:<15} {self.check}: {self.text}{covered}"]
        if self.counterexample:
            facts = [
                f"{key.replace('_', ' ')} {value}" for key, value in self.counterexample.items()
            ]
            found.append(f"{'':<15} {'; '.join(facts)}")
        return found


@dataclass(frozen=True)
class Picture:
    """What the distribution at one position really depends on.

    Attributes:
        row: of the position.
        column: likewise.
        channel: likewise.
        cells: of each sub-pixel what it shows, such as `LEAK`, `(C, H, W)`.
    """

    row: int
    column: int
    channel: int
    cells: Integers

    @property
    def title(self) -> str:
        """The position in words."""
        return f"what row {self.row}, column {self.column}, colour {self.channel} really depends on"


@dataclass(frozen=True)
class Audit:
    """All that an audit found.

    Attributes:
        subject: what was audited.
        shape: of an image, (channels, height, width).
        num_levels: of a sub-pixel.
        order: in which sub-pixels are predicted.
        findings: one for each check.
        picture: what one position depends on, where that could be seen.

    Example:
        >>> found = Audit("model", (1, 2, 2), 4, "raster", [Finding("causal", "holds", "Yes.")])
        >>> found.holds, found["causal"].text
        (True, 'Yes.')
    """

    subject: str
    shape: tuple[int, int, int]
    num_levels: int
    order: str
    findings: Sequence[Finding]
    picture: Picture | None = field(default=None, repr=False)

    @property
    def holds(self) -> bool:
        """Whether nothing fails."""
        return not self.failures

    @property
    def failures(self) -> list[Finding]:
        """What fails."""
        return [each for each in self.findings if each.verdict == FAILS]

    def __getitem__(self, check: str) -> Finding:
        """Return the finding of a check; raises `KeyError` if it was not made."""
        for each in self.findings:
            if each.check == check:
                return each
        raise KeyError(f"no check {check!r}; there are {[each.check for each in self.findings]}")

    def __str__(self) -> str:
        """Say it all in lines of text."""
        return "\n".join(line for each in self.findings for line in each.lines())

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        picture = self.picture and {
            "row": self.picture.row,
            "column": self.picture.column,
            "channel": self.picture.channel,
            "meanings": list(MEANINGS),
            "cells": self.picture.cells.tolist(),
        }
        return {
            "subject": self.subject,
            "shape": list(self.shape),
            "num_levels": self.num_levels,
            "order": self.order,
            "holds": self.holds,
            "findings": [
                {
                    "check": each.check,
                    "verdict": each.verdict,
                    "text": each.text,
                    "covered": each.covered,
                    "counterexample": each.counterexample and _plain(each.counterexample),
                }
                for each in self.findings
            ],
            "picture": picture,
        }


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as JSON can hold them: infinity is text."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in facts.items()
    }
