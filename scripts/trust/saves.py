"""Processes that save one state after another and are killed: is there one that loads, and is it whole?

Ours against what is common: torch.save into one file, and torch's distributed checkpoints into one folder.
"""

import itertools
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load as dcp_load
from torch.distributed.checkpoint.state_dict_saver import save as dcp_save

from packtrain.trainer.folder.checkpoint import Checkpoints, newest
from packtrain.trainer.folder.seconds import Seconds
from scripts.trust.children import begin, killed

State = dict[str, Tensor]
NUMBERS = 1 << 18  # of each of the state's four tensors: 4 MiB
LONGEST = 0.3  # seconds, after the first saves
BEGUN = "begun"


class Part:
    """A part of a training that is nothing but a state."""

    def __init__(self, state: State) -> None:
        self.memory = state

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        for name, numbers in memory.items():
            self.memory[name].copy_(numbers)


def packtrain_saves(folder: Path) -> None:
    """Checkpoints as a training writes them."""
    part = Part(_state())
    with Checkpoints(folder, {}, [part], 1, 2, print) as checkpoints:
        for step, state in _steps(folder):
            part.memory = state
            checkpoints.save(step, Seconds())


def packtrain_loads(folder: Path) -> State:
    """The newest checkpoint that can be read."""
    checkpoint = newest(folder, lambda message: None)
    assert checkpoint
    return dict(checkpoint.memory)


def torch_saves(folder: Path) -> None:
    """torch.save, again and again into one file."""
    for _, state in _steps(folder):
        torch.save(state, folder / "state.pt")


def torch_loads(folder: Path) -> State:
    """What that file holds."""
    return torch.load(folder / "state.pt", weights_only=True)


def dcp_saves(folder: Path) -> None:
    """A distributed checkpoint of one process, again and again into one folder."""
    for _, state in _steps(folder):
        dcp_save(state, checkpoint_id=folder / "state", no_dist=True)


def dcp_loads(folder: Path) -> State:
    """What that folder holds."""
    state = _state()
    dcp_load(state, checkpoint_id=folder / "state", no_dist=True)
    return state


Way = tuple[Callable[[Path], None], Callable[[Path], State]]
WAYS: dict[str, Way] = {
    "packtrain": (packtrain_saves, packtrain_loads),
    "torch.save": (torch_saves, torch_loads),
    "DCP": (dcp_saves, dcp_loads),
}


def figures(kills: int = 60) -> dict[str, object]:
    """Kills each way to save `kills` times."""
    return {
        f"{name}: unloadable after {kills} kills": unloadable(way, kills, seed=0)
        for name, way in WAYS.items()
    }


def unloadable(way: Way, kills: int, seed: int) -> int:
    """The number of kills after which no whole state loads."""
    draw = random.Random(seed)
    return sum(not _survives(way, draw.uniform(0, LONGEST)) for _ in range(kills))


def _survives(way: Way, delay: float) -> bool:
    """Whether a state loads and is whole after a kill, `delay` seconds after the first were saved."""
    saves, loads = way
    with TemporaryDirectory() as base, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # DCP warns that it is not distributed
        folder = Path(base)
        child = begin(lambda: saves(folder), folder / "output.txt")
        while not (folder / BEGUN).exists():
            time.sleep(0.001)
        time.sleep(delay)
        assert killed(child) == -9, (folder / "output.txt").read_text()
        try:
            return is_whole(loads(folder))
        except (Exception, CheckpointException):  # the latter is no Exception
            return False


def is_whole(state: State) -> bool:
    """All of it is of one step."""
    return len(torch.cat(list(state.values())).unique()) == 1


def _steps(folder: Path) -> Iterator[tuple[int, State]]:
    """(step, state) without end: all numbers of a state are its step."""
    for step in itertools.count(1):
        yield step, {name: torch.full_like(zeros, step) for name, zeros in _state().items()}
        if step == 2:
            (folder / BEGUN).touch()


def _state() -> State:
    return {name: torch.zeros(NUMBERS) for name in "abcd"}
