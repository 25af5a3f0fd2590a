"""Run folders in, one self-contained HTML page out.

Reads the files of run folders, a benchmark if one is given, and nothing else; imports no torch.
"""

from pixelrnn.report.alarms import alarms
from pixelrnn.report.page import build
from pixelrnn.report.results import over_seeds

__all__ = ["alarms", "build", "over_seeds"]
