"""What may influence a result: versions, processor, threads, time."""

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from pixelrnn import __version__

_PACKAGES = (
    "torch",
    "lightning-fabric",
    "numpy",
    "pillow",
    "imagecodecs",
    "scikit-learn",
    "scikit-image",
)


def environment() -> dict[str, Any]:
    """Return what `environment.json` says, by the keys of `runs.result.Environment`."""
    versions = {name: version for name in _PACKAGES if (version := _version(name))}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "packages": {"pixelrnn": __version__, **versions},
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # of an extra that training does not need
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
