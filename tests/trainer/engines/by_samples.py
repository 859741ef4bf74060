"""Engines that share the samples of their steps: by ranks that are threads here, or processes that stay."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from threading import Barrier
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from packtrain.trainer.engines.base import Engine
from packtrain.trainer.engines.build import make_engine
from packtrain.trainer.ranks.group import ALONE, Ranks
from tests.helpers import ROOT
from tests.trainer.configs import untrained

SECONDS = 60  # in which all threads come to a sum


@dataclass(frozen=True)
class Table:
    """Where ranks that are threads put what they have, and wait for one another."""

    parts: dict[int, Tensor]
    barrier: Barrier


@dataclass(frozen=True)
class Thread(Ranks):
    """One of several ranks that are threads of this process."""

    table: Table = field(kw_only=True)

    def everywhere(self, part: Tensor, count: int) -> Tensor:
        """As of processes."""
        assert len(part) == len(self.own(count))
        self.table.parts[self.rank] = part
        self.table.barrier.wait(SECONDS)
        whole = torch.cat([self.table.parts[rank] for rank in range(self.size)])
        self.table.barrier.wait(SECONDS)
        return whole


def by_threads(size: int, steps: int, *overrides: str, kind: type[Thread] = Thread) -> list[str]:
    """The digest of what each of so many ranks comes to."""
    made = [untrained(*overrides) for _ in range(size)]
    table = Table({}, Barrier(size))
    with ThreadPoolExecutor(size) as pool:
        ranks = (kind(rank, size, table=table) for rank in range(size))
        engines = list(pool.map(lambda given, own: make_engine(*given, ranks=own), made, ranks))
        return list(pool.map(lambda engine: trained(engine, steps), engines))


def alone(steps: int, *overrides: str) -> str:
    """The digest of what one rank comes to."""
    return trained(make_engine(*untrained(*overrides), ALONE), steps)


def trained(engine: Engine, steps: int) -> str:
    """The digest of all losses and gradients on the way, and of all that has changed after so many steps."""
    parts: list[Tensor] = []
    while engine.step < steps and not engine.done:
        history = engine.advance(min(steps, engine.horizon))
        parts += [history.loss, history.gradient_norm, history.scalars]
    parts += engine.memory.values()
    return hashlib.sha256(b"".join(part.contiguous().numpy().tobytes() for part in parts)).hexdigest()


class Processes:
    """Inside `with`, so many ranks of gloo, which train one case after another."""

    def __init__(self, size: int) -> None:
        self.size, self.open = size, ExitStack()

    def __enter__(self) -> "Processes":
        store = self.open.enter_context(TemporaryDirectory())
        shared = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
        for_module = [sys.executable, "-m", "tests.trainer.engines.by_samples", f"{store}/store"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        commands = ([*for_module, str(rank), str(self.size)] for rank in range(self.size))
        self.ranks = [
            self.open.enter_context(subprocess.Popen(command, cwd=ROOT, env=shared, **pipes))
            for command in commands
        ]
        return self

    def __exit__(self, *error: object) -> None:
        for rank in self.ranks:
            assert rank.stdin
            rank.stdin.close()
            if error[0]:
                rank.kill()
        self.open.close()

    def digests(self, steps: int, *overrides: str) -> list[str]:
        """What each rank comes to."""
        for rank in self.ranks:
            print(json.dumps([steps, *overrides]), file=rank.stdin, flush=True)
        return [rank.stdout.readline().strip() for rank in self.ranks if rank.stdout]


def _serve(store: str, rank: str, size: str) -> None:
    ranks = Ranks(int(rank), int(size))
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=ranks.rank, world_size=ranks.size)
    for line in sys.stdin:
        steps, *overrides = json.loads(line)
        print(_digest(steps, overrides, ranks), flush=True)
    dist.destroy_process_group()


def _digest(steps: int, overrides: Sequence[str], ranks: Ranks) -> str:
    return trained(make_engine(*untrained(*overrides), ranks), steps)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
