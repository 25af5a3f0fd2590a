"""The cores that may be used, and what a forked process begins with."""

import gc
import os
import subprocess
import sys

import pytest

from pixelrnn import processes
from pixelrnn.processes import renew_when_forked, usable_cores

DEFAULTS = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import torch
from pixelrnn.coding import Codec, load_program
from pixelrnn.training.devices import threads
model = load_program("digits-pixelcnn")
torch.set_num_threads(5)
with threads(None):
    print(Codec(model).threads, torch.get_num_threads())
with threads(3):
    print(torch.get_num_threads())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is a thing of Linux")
def test_the_number_of_threads_follows_the_affinity():
    result = subprocess.run(
        [sys.executable, "-c", DEFAULTS], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["1", "1", "3"]


def test_it_is_the_processors_of_the_affinity(monkeypatch):
    monkeypatch.setattr(processes, "_cores_of_cgroup", lambda: 1e9)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 64),
        ({"a/b": "max 100000"}, 64),
        ({"a/b": "150000 100000"}, 2),
        ({"a/b": "400000 100000", "a": "300000 100000"}, 3),
        ({"": "200000 100000"}, 2),
        ({"a/b": "10000 100000"}, 1),
        ({"a/b": "nonsense", "a": "", "": "1 0"}, 64),
    ],
)
def test_it_is_not_more_than_the_control_group_leaves(limits, expected, tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for folder, limit in limits.items():
        (tmp_path / folder / "cpu.max").write_text(limit)
    own = tmp_path / "own"
    own.write_text("1:name=systemd:/x\n0::/a/b\n")
    monkeypatch.setattr(processes, "CGROUPS", tmp_path)
    monkeypatch.setattr(processes, "OWN_CGROUP", own)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert usable_cores() == expected
    for nothing in ("", "1:cpu:/x\n"):
        own.write_text(nothing)
        assert usable_cores() == 64
    own.unlink()
    assert usable_cores() == 64


class Object:
    def __init__(self):
        self.process = os.getpid()
        renew_when_forked(self.renew)

    def renew(self):
        self.process = os.getpid()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_renews_what_lives():
    one, other = Object(), Object()
    child = os.fork()
    if child == 0:
        os._exit(0 if one.process == other.process == os.getpid() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert one.process == os.getpid()
    known = len(processes._renewals)
    del one, other
    gc.collect()
    assert len(processes._renewals) == known - 2
