"""Becoming one of torchrun's ranks: a device, and a store of these processes alone."""

import os
import time
import uuid
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import Store, TCPStore  # pyright: ignore[reportPrivateImportUsage]

from ...kernels.common.errors import UserError
from .agent import PREFIX, agent_store, rank, size
from .crew import Crew
from .group import Ranks

MEETING = timedelta(minutes=5)  # in which all ranks have to be there
ENDLESS = timedelta(days=365)  # what a message may take is said where it is waited for
TRY = timedelta(seconds=30)  # for the store of the first rank, after which it may have another
_here: list[Crew] = []


def crew_here() -> Crew | None:
    """The crew that this process has joined, None where it trains alone.

    >>> crew_here() is None
    True
    """
    return _here[0] if _here else None


def join() -> Crew:
    """Joins the ranks that torchrun started with this one. Raises UserError where one doesn't come."""
    _take_device()
    backend = "cpu:gloo,cuda:nccl" if _own_devices() else "gloo"
    try:
        store = _own_store()
        ranks = Ranks(rank(), size())
        _meet(store, ranks)
        dist.init_process_group(backend, store=store, rank=ranks.rank, world_size=ranks.size, timeout=ENDLESS)
    except (dist.DistError, RuntimeError) as error:
        raise UserError(f"the ranks of this training don't find one another: {error}") from None
    _here[:] = [Crew(ranks)]
    return _here[0]


def part() -> None:
    """Leaves the ranks."""
    if _here:
        _here.clear()
        dist.destroy_process_group()


def _take_device() -> None:
    """Shows this rank the one GPU that is its own, as cuda:0; where ranks are more, they share."""
    if "LOCAL_RANK" in os.environ and (count := torch.cuda.device_count()):
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
        number = int(os.environ["LOCAL_RANK"]) % count
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[number]
        os.environ["PACKTRAIN_DEVICES"] = str(count)


def _own_devices() -> bool:
    """Whether each rank of this machine has a GPU of its own."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return dist.is_nccl_available() and int(os.environ.get("PACKTRAIN_DEVICES", "0")) >= local


def _meet(store: Store, ranks: Ranks) -> None:
    """Waits for all ranks. Raises UserError with the names of those that don't come."""
    names = [f"here/{number}" for number in range(ranks.size)]
    store.set(names[ranks.rank], "yes")
    try:
        store.wait(names, MEETING)
    except dist.DistError:
        missing = [str(number) for number, name in enumerate(names) if not store.check([name])]
        minutes = MEETING.total_seconds() / 60
        raise UserError(
            f"rank {', '.join(missing)} of {ranks.size} didn't come within {minutes:g} minutes"
        ) from None


def _own_store() -> Store:
    """A store of these processes alone: the agent's has what those before them left.

    (torch 2.13 gives no other to ranks that it started again, which then call on the dead.)
    """
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    agent = agent_store()
    if agent is None:
        return TCPStore(host, port, is_master=rank() == 0, timeout=MEETING, wait_for_workers=False)
    if rank() == 0:
        own, name = TCPStore(host, 0, is_master=True, wait_for_workers=False), uuid.uuid4().hex
        own.set("name", name)
        agent.set(_port(), f"{own.port} {name}")
        return own
    return _of_first(agent, host)


def _port() -> str:
    """Where the agent's store has the port of the first rank's, since the ranks were started this time."""
    return f"{PREFIX}port/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"


def _of_first(agent: Store, host: str) -> Store:
    """The store of the first rank: where the one that is named doesn't answer, it will name another."""
    until = time.monotonic() + MEETING.total_seconds()
    while time.monotonic() < until:
        if agent.check([_port()]):
            port, name = agent.get(_port()).decode().split()
            try:
                own = TCPStore(host, int(port), is_master=False, timeout=TRY)
                if own.get("name").decode() == name:
                    own.set_timeout(MEETING)
                    return own
            except dist.DistError:
                pass
        time.sleep(0.05)
    raise UserError(f"rank 0 didn't come within {MEETING.total_seconds() / 60:g} minutes")
