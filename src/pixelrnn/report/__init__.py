"""Run folders in, one self-contained HTML page out.

Reads the files of run folders, a benchmark if one is given, and nothing else; imports no torch.
"""

from pixelrnn.report.alarms import alarms
from pixelrnn.report.page import build
from pixelrnn.report.results import over_seeds
from pixelrnn.report.run_folder import SEED_FOLDER, RunFolder, find_run_folders, read_run_folder

__all__ = [
    "SEED_FOLDER",
    "RunFolder",
    "alarms",
    "build",
    "find_run_folders",
    "over_seeds",
    "read_run_folder",
]
