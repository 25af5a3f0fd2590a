"""Builders of small files in the forms that are read."""

import gzip
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest


def _cifar_records(count: int, label_bytes: int = 1, seed: int = 0) -> bytes:
    records = np.random.default_rng(seed).integers(0, 256, (count, label_bytes + 3072), np.uint8)
    records[:, :label_bytes] %= 10
    return records.tobytes()


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing has been downloaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "no-cache"))


@pytest.fixture
def cifar_records() -> Callable[..., bytes]:
    return _cifar_records


@pytest.fixture
def cifar_files() -> dict[str, bytes]:
    """Five batches of ten records and a test batch of seven."""
    files = {f"data_batch_{n}.bin": _cifar_records(10, seed=n) for n in range(1, 6)}
    return files | {"test_batch.bin": _cifar_records(7, seed=9)}


@pytest.fixture
def write_archive(tmp_path: Path) -> Callable[..., Path]:
    def write(files: Mapping[str, bytes], name: str = "excerpt.tar.gz") -> Path:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for file, content in files.items():
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{file}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        path = tmp_path / name
        path.write_bytes(gzip.compress(buffer.getvalue(), 1))
        return path

    return write
