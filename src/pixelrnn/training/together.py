"""Several processes that train one model: started, told apart, watched, and agreed with each other.

They are started by torchrun, by a batch system such as SLURM, or, on one machine, by the first of them,
which has each of the others go on with the run that it began. Only the first one locks, writes and shows.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import Tensor

from pixelrnn.data.in_memory import IN_MEMORY
from pixelrnn.errors import (
    ModelFileError,
    NonFiniteLossError,
    ProcessLostError,
    RecipeError,
    TrainingInterrupted,
)
from pixelrnn.runs import RunFolder
from pixelrnn.training.devices import quiet
from pixelrnn.training.recipe import Recipe
from pixelrnn.training.tables import MACHINE_KEYS

GRACE_SECONDS = 10.0  # for the others to notice by themselves that one is gone
_POLL_SECONDS = 0.5
_RAISED_BY_ALL = (ModelFileError, NonFiniteLossError, TrainingInterrupted)
_STARTED_BY_US = "PIXELRNN_STARTED_BY"


class Processes:
    """The processes of a run, as one of them sees them.

    Args:
        fabric: what connects them, not launched yet.
        run: the folder of the run.
        recipe: what they train, with what is computed on here.

    Attributes:
        rank: which one this is, over all machines.
        count: how many there are.
        is_first: whether this one locks, writes and shows.

    Raises:
        RecipeError: if they cannot be as many as the recipe says.
    """

    def __init__(self, fabric: Fabric, run: RunFolder, recipe: Recipe) -> None:
        self._fabric, self._run, self._training = fabric, run, recipe.training
        self.rank = fabric.node_rank * recipe.training.devices + fabric.local_rank
        self.count = recipe.training.devices * recipe.training.num_nodes
        self.is_first = self.rank == 0
        self._others: list[subprocess.Popen[bytes]] = []
        self._parent, self._left = os.getppid(), threading.Event()
        environment = getattr(fabric.strategy, "cluster_environment", LightningEnvironment())
        self._was_started = environment.creates_processes_externally
        self._port = environment.main_port
        self._require_as_many(recipe)

    def _require_as_many(self, recipe: Recipe) -> None:
        started = int(os.environ.get("WORLD_SIZE", self.count)) if self._was_started else self.count
        if started != self.count:
            raise RecipeError(
                f"{started} processes were started, but training.devices x num_nodes = {self.count}: "
                f"say as many, as in --set training.devices={started}"
            )
        if self.count > 1 and not self._was_started:
            if self._training.num_nodes > 1:
                raise RecipeError(
                    f"training.num_nodes = {self._training.num_nodes}: start the same command on every "
                    "machine with torchrun, or by a batch system such as SLURM"
                )
            if recipe.data.source == IN_MEMORY:
                raise RecipeError(
                    f"training.devices = {self._training.devices} needs images that every process can "
                    "read: save them with numpy.savez and name the file, or start with torchrun"
                )

    def share(self, *numbers: float) -> list[list[float]]:
        """Return the numbers that each process gives, by rank; all have to ask at the same place."""
        if self.count == 1:
            return [list(numbers)]
        own = torch.tensor(numbers, dtype=torch.float64, device=self._fabric.device)
        everyones = [torch.empty_like(own) for _ in range(self.count)]
        torch.distributed.all_gather(everyones, own)
        return [each.tolist() for each in everyones]

    def average(self, gradients: Sequence[Tensor], loss: float) -> float:
        """Give every process the mean of all gradients, and return that of the losses, in one message."""
        if self.count > 1:
            numbers = torch.cat([*map(torch.flatten, gradients), gradients[0].new_tensor([loss])])
            torch.distributed.all_reduce(numbers)
            numbers /= self.count
            parts = numbers[:-1].split([each.numel() for each in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
            loss = float(numbers[-1])
        return loss

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have all processes at work, connected, inside the `with`.

        Raises:
            ProcessLostError: if one of them is gone.
            RecipeError: if those that were started elsewhere are not as the recipe says.
        """
        before = os.environ.copy()
        try:
            self._begin()
            yield
        except _RAISED_BY_ALL as error:
            if not self.is_first:
                raise SystemExit(error.exit_code) from error  # the first one says it
            raise
        except RuntimeError as error:
            if isinstance(error, torch.distributed.DistError) or "gloo" in str(error):
                self._say_who_is_lost(error)
            raise
        finally:
            self._left.set()
            self._end_others()
            if self.count > 1:
                os.environ.clear()
                os.environ.update(before)

    def _begin(self) -> None:
        if self.count > 1:
            if not self._was_started:
                self._start_others()
            threading.Thread(target=self._watch, daemon=True).start()
        threads = torch.get_num_threads()
        try:
            with quiet():
                self._fabric.launch()
            torch.set_num_threads(threads)  # which it takes upon itself to set
        except ValueError as error:
            raise RecipeError(f"{error}: say it with --set training.devices=...") from error

    def _start_others(self) -> None:
        """Have other processes of this machine go on with the run that this one has begun."""
        os.environ |= {
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(self._port),
            "WORLD_SIZE": str(self.count), "NODE_RANK": "0", "LOCAL_RANK": "0",
            _STARTED_BY_US: str(os.getpid()),
        }  # fmt: skip
        command = [sys.executable, "-m", "pixelrnn", "train", "--resume", str(self._run.path)]
        for key in MACHINE_KEYS:
            if (value := getattr(self._training, key)) is not None:
                command += ["--set", f"training.{key}={json.dumps(value)}"]
        for rank in range(1, self.count):
            process = subprocess.Popen(
                command,
                env=os.environ | {"LOCAL_RANK": str(rank)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,  # the terminal's Ctrl-C is for the first one, which tells them
            )
            self._others.append(process)

    def _end_others(self) -> None:
        """End those that this one started; all that is worth keeping is here."""
        for process in self._others:
            process.kill()
            process.wait()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def _watch(self) -> None:
        """End this process if another is gone and it waits for that one for ever."""
        while not self._left.wait(_POLL_SECONDS):
            if (lost := self._lost()) and not self._left.wait(GRACE_SECONDS):
                sys.stderr.write(f"error: {lost}; {self._run.how_to_go_on()}\n")
                for process in self._others:
                    process.kill()
                os._exit(ProcessLostError.exit_code)

    def _lost(self) -> str | None:
        """Return which of the others is gone, in words, as far as this one can tell."""
        for rank, process in enumerate(self._others, start=1):
            if (code := process.poll()) is not None:
                how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
                return f"process {rank} of {self.count} that trained together ended ({how})"
        if self._is_child() and os.getppid() != self._parent:
            return "the first of the processes that trained together is gone"
        return None

    def _is_child(self) -> bool:
        return self._was_started and not self.is_first and _STARTED_BY_US in os.environ

    def _say_who_is_lost(self, error: Exception) -> NoReturn:
        """Raise `ProcessLostError`; one of those that are left says it."""
        lost = self._lost()
        for _ in range(int(GRACE_SECONDS / 2 / _POLL_SECONDS)):
            if lost or not (self._others or self._is_child()):
                break
            time.sleep(_POLL_SECONDS)
            lost = self._lost()
        if lost is None and self._is_child():
            raise SystemExit(ProcessLostError.exit_code) from error
        lost = lost or "another of the processes that trained together is gone"
        raise ProcessLostError(f"{lost}; {self._run.how_to_go_on()}") from error
