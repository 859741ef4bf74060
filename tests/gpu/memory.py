"""Memory that notices accesses outside of tensors, misaligned accesses, and races between threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GAP = 256  # bytes between two tensors that no kernel may touch
WARP = 32
NOBODY, MANY = -1, -(10**6)  # in place of a thread; several of one warp are -2 - warp

Array = NDArray[Any]


class Fault(AssertionError):
    """What a kernel must not do."""


@dataclass
class Clock:
    """Which program runs, and how many barriers it has passed: of `all` threads, and of each warp."""

    program: int = 0
    all: int = 0
    warps: Array = field(default_factory=lambda: np.zeros(WARP, np.int64))

    def begin(self, program: int) -> None:
        """Another program starts."""
        self.program = program
        self.all += 1

    def now(self, threads: Array) -> Array:
        """The moment [T] of each of these threads: two numbers, the barriers of all and of its warp."""
        return (self.all << 32) + self.warps[threads // WARP % WARP]


def warp_of(thread: Array) -> Array:
    """The warp of a thread, or of several."""
    return np.where(thread >= 0, thread // WARP, -2 - thread)


class Memory:
    """`size` bytes, of which those that are `given` may be touched.

    It remembers of each byte who wrote it last, who read it last, and when. Where two threads touch a byte,
    one of them to write it, a barrier must stand between; programs have no barrier in common.
    """

    def __init__(self, name: str, size: int, clock: Clock, given: bool = False) -> None:
        self.name, self.clock = name, clock
        self.bytes = np.full(size + -size % 16 + 16, 0xFF, np.uint8)  # NaN, and indices far outside
        self.given = np.zeros(len(self.bytes), bool)
        self.given[:size] = given
        self.writer, self.reader = (np.full(len(self.bytes), NOBODY, np.int32) for _ in range(2))
        self.written, self.read = (np.zeros(len(self.bytes), np.int64) for _ in range(2))
        self.written_by, self.read_by = (np.full(len(self.bytes), NOBODY, np.int32) for _ in range(2))

    def load(self, at: Array, width: int, threads: Array, alignment: int = 0) -> Array:
        """Numbers of `width` bytes [T] at addresses [T], as unsigned integers. Raises Fault."""
        places, who, now = self._places(at, width, alignment or width), threads[:, None], self._now(threads)
        self._refuse(self._foreign(self.written_by[places]), "reads what another program writes")
        raced = self._unordered(self.writer[places], self.written[places], who, now)
        self._refuse(raced, "reads what another thread writes, and no barrier is between")
        self._note_readers(places, who, now)
        return self.bytes[places].view(f"u{width}")[:, 0]

    def _note_readers(self, places: Array, who: Array, now: Array) -> None:
        """Who reads now: one thread, several of a warp, or many."""
        before, when = self.reader[places], self.read[places]
        self.reader[places], self.read[places], self.read_by[places] = who, now, self.clock.program
        together = self.reader[places]  # the last of those that read it in this instruction
        earlier, others = self._unordered(before, when, who, now), together != who
        if not (earlier.any() or others.any()):
            return
        apart = earlier & (warp_of(before) != warp_of(who)) | others & (warp_of(together) != warp_of(who))
        changed = earlier | others
        self.reader[places[changed]] = np.broadcast_to(-2 - warp_of(who), places.shape)[changed]
        self.reader[places[apart]] = MANY

    def store(self, at: Array, values: Array, threads: Array, alignment: int = 0) -> None:
        """Writes numbers [T], unsigned integers, to addresses [T]. Raises Fault."""
        width = values.itemsize
        places, who, now = self._places(at, width, alignment or width), threads[:, None], self._now(threads)
        for program in (self.written_by, self.read_by):
            self._refuse(self._foreign(program[places]), "writes what another program touches")
        for thread, moment in ((self.writer, self.written), (self.reader, self.read)):
            raced = self._unordered(thread[places], moment[places], who, now)
            self._refuse(raced, "writes what another thread touches, and no barrier is between")
        self.bytes[places] = np.ascontiguousarray(values)[:, None].view(np.uint8)
        stored = self.bytes[places].view(f"u{width}")[:, 0]
        self._refuse(stored != values, "writes something else than another thread in the same instruction")
        self.writer[places], self.written[places], self.written_by[places] = who, now, self.clock.program

    def _now(self, threads: Array) -> Array:
        return self.clock.now(threads)[:, None]

    def _foreign(self, program: Array) -> Array:
        return (program != NOBODY) & (program != self.clock.program)

    def _unordered(self, thread: Array, moment: Array, who: Array, now: Array) -> Array:
        """No barrier stands between what `thread` did at its moment and what `who` does now."""
        recent = (moment >> 32 == self.clock.all) & (thread != who)
        return recent & ((warp_of(thread) != warp_of(who)) | (moment == now)) if recent.any() else recent

    def _places(self, at: Array, width: int, alignment: int) -> Array:
        at = at.astype(np.int64)
        self._refuse(at % alignment != 0, f"is no multiple of {alignment}")
        self._refuse((at < 0) | (at + width > len(self.bytes)), "is outside of all memory")
        places = at[:, None] + np.arange(width)
        self._refuse(~self.given[places], "touches what it wasn't given")
        return places

    def _refuse(self, wrong: Array, why: str) -> None:
        if wrong.any():
            raise Fault(f"{self.name} memory: thread {int(np.argwhere(wrong)[0][0])} of those active {why}")


class Arena:
    """Global memory that holds copies of tensors and a module's tables, with gaps between them."""

    def __init__(self, tensors: Sequence[Tensor], tables: Mapping[str, bytes]) -> None:
        self.clock = Clock()
        self.tensors = {tensor.untyped_storage().data_ptr(): tensor for tensor in tensors}
        contents = [(place, _bytes(tensor)) for place, tensor in self.tensors.items()]
        contents += [(name, np.frombuffer(table, np.uint8)) for name, table in tables.items()]
        self.places: dict[int | str, int] = {}
        end = GAP
        for name, content in contents:
            self.places[name] = end + (name % GAP if isinstance(name, int) else 0)
            end = self.places[name] + len(content)
            end += GAP + -end % GAP
        self.memory = Memory("global", end, self.clock)
        for name, content in contents:
            part = slice(self.places[name], self.places[name] + len(content))
            self.memory.bytes[part] = content
            self.memory.given[part] = True

    def address(self, tensor: Tensor) -> int:
        """Where the tensor begins."""
        storage = tensor.untyped_storage().data_ptr()
        return self.places[storage] + tensor.data_ptr() - storage

    def take_back(self) -> None:
        """Copies what the kernel has written back into the tensors."""
        for storage, tensor in self.tensors.items():
            content = _bytes(tensor)
            content[:] = self.memory.bytes[self.places[storage] :][: len(content)]


def _bytes(tensor: Tensor) -> Array:
    """The memory behind a tensor, as it is."""
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()).numpy()
