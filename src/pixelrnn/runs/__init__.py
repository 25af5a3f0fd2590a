"""Run folders: the schema of each file, for those who write it and those who read it; no torch."""

from pixelrnn.runs.arrays import EvaluationArrays, Examples, SamplesArrays
from pixelrnn.runs.result import Baseline, Result
from pixelrnn.runs.run import SEED_FOLDER, Run, find_run_folders, read_run
from pixelrnn.runs.run_folder import RunFolder, locked_folder

__all__ = [
    "SEED_FOLDER",
    "Baseline",
    "EvaluationArrays",
    "Examples",
    "Result",
    "Run",
    "RunFolder",
    "SamplesArrays",
    "find_run_folders",
    "locked_folder",
    "read_run",
]
