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
from scripts.bench.children import begin, killed

State = dict[str, Tensor]
NUMBERS = 1 << 18  # of each of the state's four tensors: 4 MiB
LONGEST = 0.3  # seconds, after the first saves
BEGUN = "begun"


class Everything:
    """The one part of a training that is nothing but a state."""

    def __init__(self, state: State) -> None:
        self.memory = state

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        for name, each in memory.items():
            self.memory[name].copy_(each)


def packtrain_saves(folder: Path) -> None:
    """Checkpoints as a training writes them."""
    everything = Everything(_state())
    with Checkpoints(folder, {}, [everything], 1, 2, print) as checkpoints:
        for step, state in _steps(folder):
            everything.memory = state
            checkpoints.save(step, Seconds())


def packtrain_loads(folder: Path) -> State:
    found = newest(folder, lambda told: None)
    assert found
    return dict(found.memory)


def torch_saves(folder: Path) -> None:
    for _, state in _steps(folder):
        torch.save(state, folder / "state.pt")


def torch_loads(folder: Path) -> State:
    return torch.load(folder / "state.pt", weights_only=True)


def dcp_saves(folder: Path) -> None:
    for _, state in _steps(folder):
        dcp_save(state, checkpoint_id=folder / "state", no_dist=True)


def dcp_loads(folder: Path) -> State:
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
    """The figures of so many kills of each way."""
    return {
        f"{name}: unloadable after {kills} kills": unloadable(way, kills, seed=0)
        for name, way in WAYS.items()
    }


def unloadable(way: Way, kills: int, seed: int) -> int:
    """After how many kills there was nothing that loads and is whole."""
    draw = random.Random(seed)
    return sum(not _survives(way, draw.uniform(0, LONGEST)) for _ in range(kills))


def _survives(way: Way, delay: float) -> bool:
    """Whether a state loads and is whole after a kill, `delay` seconds after the first were saved."""
    saves, loads = way
    with TemporaryDirectory() as home, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # DCP tells that it is not distributed
        folder = Path(home)
        child = begin(lambda: saves(folder), folder / "told.txt")
        while not (folder / BEGUN).exists():
            time.sleep(0.001)
        time.sleep(delay)
        assert killed(child) == -9, (folder / "told.txt").read_text()
        try:
            return is_whole(loads(folder))
        except (Exception, CheckpointException):  # the latter is no Exception
            return False


def is_whole(state: State) -> bool:
    """All of it is of one step."""
    return len(torch.cat(list(state.values())).unique()) == 1


def _steps(folder: Path) -> Iterator[tuple[int, State]]:
    """(step, state) without end: the numbers of a state are its step."""
    for step in itertools.count(1):
        yield step, {name: torch.full_like(each, step) for name, each in _state().items()}
        if step == 2:
            (folder / BEGUN).touch()


def _state() -> State:
    return {name: torch.zeros(NUMBERS) for name in "abcd"}
