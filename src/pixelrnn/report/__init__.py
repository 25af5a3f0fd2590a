"""Run folders in, one self-contained HTML page out.

Reads the files of run folders, a benchmark if one is given, and nothing else; imports no torch.
"""

from pixelrnn.report.alarms import alarms
from pixelrnn.report.page import build
from pixelrnn.report.run_folder import RunFolder, find_run_folders, read_run_folder

__all__ = ["RunFolder", "alarms", "build", "find_run_folders", "read_run_folder"]
