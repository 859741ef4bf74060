"""One program of a kernel, while it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.gpu.memory import WARP, Arena, Array, Memory
from tests.gpu.text import Module

MOST = 50_000_000  # instructions of all warps of a program: more are an endless loop
STACK = 4096  # bytes of a thread

Handler = Callable[[Any, Any, Array], None]  # of a Frame, an Instruction and the active threads [T]


@dataclass(frozen=True)
class Copy:
    """An asynchronous copy: the bytes [T, W] that threads [T] write to addresses [T]."""

    at: Array
    content: Array
    threads: Array


@dataclass(frozen=True)
class Reading:
    """The places of numbers in shared memory that a group's product reads, until it is waited for."""

    group: int
    at: Array
    width: int


@dataclass(frozen=True)
class Launch:
    """A launch of a module's kernel: how many programs, threads of each, and bytes of shared memory."""

    module: Module
    programs: int
    threads: int
    shared: int
    arena: Arena


class Program:
    """One program: `every` are the numbers of its threads [T], `whole` [T] is the mask of all of them.

    `spaces` are its memories, `known` the values of names that are no registers. The last group of `copies`
    is not committed yet; `products` are those that nobody has waited for yet.
    """

    def __init__(self, launch: Launch, number: int, handlers: Mapping[str, Handler]) -> None:
        self.module, self.threads, self.clock = launch.module, launch.threads, launch.arena.clock
        self.number, self.handlers, self.issued = number, handlers, 0
        self.every, self.whole = np.arange(self.threads), np.ones(self.threads, bool)
        self.clock.begin(number)
        self.spaces = {
            "global": launch.arena.memory,
            "shared": Memory("shared", launch.shared, self.clock, given=True),
        }
        self.stack = np.zeros((self.threads, STACK), np.uint8)
        self.copies: list[list[Copy]] = [[]]
        self.products: list[Reading] = []
        self.known = {
            "%tid.x": self.every, "%tid.y": 0, "%tid.z": 0, "%laneid": self.every % WARP,
            "%warpid": self.every // WARP, "%ctaid.x": number, "%ctaid.y": 0, "%ctaid.z": 0,
            "%nctaid.x": launch.programs, "%ntid.x": self.threads, "global_smem": 0, "__local_depot0": 0,
            **{name: place for name, place in launch.arena.places.items() if isinstance(name, str)},
        }  # fmt: skip

    def count(self, mask: Array) -> None:
        """Counts an instruction for each warp of the mask. Raises AssertionError beyond MOST."""
        whole = mask is self.whole
        self.issued += self.threads // WARP if whole else int(mask.reshape(-1, WARP).any(1).sum())
        assert self.issued < MOST, "a program doesn't end"
