"""One case of bench_stream, in a process of its own: prints rows, seconds and the largest memory as JSON.

What reads a file does so twice: from the page cache, in which all of it is, and `cold`, from the disk.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

BATCH, ROWS, TOGETHER, FEW = 4096, 1 << 16, 16, 4
STRIP = 2048  # rows of a column that are written at a time: as many as a cache has room for


def main() -> None:
    """python scripts/bench/stream_case.py CASE FILE"""
    case, file = sys.argv[1:3]
    print(json.dumps(CASES[case](Path(file)) | {"gib": _peak_gib()}))


def _peak_gib() -> float:
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 2**20


def _processor() -> float:
    """The processor's seconds of this process, all its threads, and of those that it has ended."""
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)


def _timed(batches: Iterator[int]) -> dict[str, Any]:
    processor, start, rows = _processor(), time.perf_counter(), sum(batches)
    seconds = time.perf_counter() - start
    return {"rows": rows, "seconds": seconds, "processor": _processor() - processor}


def _twice(file: Path, batches: Callable[[], Iterator[int]]) -> dict[str, Any]:
    """From the disk, and then from the page cache, where it is now."""
    _forget(file)
    cold = _timed(batches())
    return _timed(batches()) | {"cold": cold}


def _forget(file: Path) -> None:
    """Lets the page cache forget a file."""
    with file.open("rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def reading_parquet(file: Path, columns: int = 32) -> dict[str, Any]:
    """Every row group, as NumPy's columns: the last so many of them."""
    from pyarrow import parquet  # noqa: PLC0415 (each case measures what it imports)

    opened = parquet.ParquetFile(file)
    names = opened.schema_arrow.names[-columns:]

    def groups() -> Iterator[int]:
        for group in range(opened.num_row_groups):
            cells = [column.to_numpy() for column in opened.read_row_group(group, names).columns]
            yield len(cells[0])

    return _twice(file, groups)


def reading_npy(file: Path) -> dict[str, Any]:
    """Every row into one buffer, as they lie."""
    rows, columns, offset = _npy(file)
    buffer = np.empty((ROWS, columns), np.float32)

    def blocks() -> Iterator[int]:
        with file.open("rb", buffering=0) as opened:
            opened.seek(offset)
            for _ in range(0, rows, ROWS):
                yield opened.readinto(buffer.reshape(-1).view(np.uint8).data) // (4 * columns)

    return _twice(file, blocks)


def shuffling(file: Path, columns: int = 32) -> dict[str, Any]:
    """Every row in a minibatch, in an order like that of the training, by NumPy and pyarrow: no training.

    Shuffled blocks are read into a window, whose rows are taken in a drawn order.
    """
    blocks, read = _by_npy(file) if file.suffix == ".npy" else _by_parquet(file, columns)
    window, drawn = np.empty((TOGETHER * ROWS, columns), np.float32), np.random.default_rng(0)

    def batches() -> Iterator[int]:
        order = drawn.permutation(blocks).tolist()
        for first in range(0, blocks, TOGETHER):
            some = order[first : first + TOGETHER]
            for place, block in enumerate(some):
                read(block, window[place * ROWS : (place + 1) * ROWS])
            places = drawn.permutation(len(some) * ROWS)
            for start in range(0, len(places), BATCH):
                yield len(window[places[start : start + BATCH]])

    return _twice(file, batches)


Read = Callable[[int, np.ndarray], None]


def _by_npy(file: Path) -> tuple[int, Read]:
    """How many blocks there are, and what reads one into rows."""
    rows, columns, offset = _npy(file)
    opened = file.open("rb", buffering=0)

    def read(block: int, into: np.ndarray) -> None:
        opened.seek(offset + 4 * columns * ROWS * block)
        opened.readinto(into.reshape(-1).view(np.uint8).data)

    return rows // ROWS, read


def _by_parquet(file: Path, columns: int) -> tuple[int, Read]:
    """The same of row groups."""
    from pyarrow import parquet  # noqa: PLC0415 (as above)

    opened = parquet.ParquetFile(file)
    names = opened.schema_arrow.names[-columns:]

    def read(block: int, into: np.ndarray) -> None:
        cells = [column.to_numpy() for column in opened.read_row_group(block, names).columns]
        for start in range(0, ROWS, STRIP):
            for place, column in enumerate(cells):
                into[start : start + STRIP, place] = column[start : start + STRIP]

    return opened.num_row_groups, read


def _npy(file: Path) -> tuple[int, int, int]:
    """Rows, columns, and the byte at which they begin."""
    whole = np.load(file, mmap_mode="r")
    return *whole.shape, whole.offset


def training(file: Path, kind: str = "stream", columns: int = 32) -> dict[str, Any]:
    """Two epochs of packtrain's, by the fused engine on the CPU, on the last so many columns.

    What comes before the first step is `before`: it reads the file, so that the first epoch finds it in the
    page cache. The second reads from the disk.
    """
    import torch  # noqa: PLC0415 (as above)

    from packtrain.trainer.config import schema  # noqa: PLC0415 (as above)
    from packtrain.trainer.data.order import BlockOrder  # noqa: PLC0415 (as above)
    from packtrain.trainer.session import Session  # noqa: PLC0415 (as above)

    names = _names(file)[-columns:]
    inputs = {name: name for name in names[:-1]}
    equation = "y = " + " + ".join(f"a{i}*{name}" for i, name in enumerate(inputs))
    data = schema.DataConfig(kind, path=str(file), columns={**inputs, "y": names[-1]}, shuffle="blocks")
    began = time.perf_counter()
    session = Session.prepare(
        schema.Config(
            model=schema.ModelConfig("expression", expressions=[equation]),
            data=data,
            optimizer=schema.OptimizerConfig("adam", lr=1e-3),
            loop=schema.LoopConfig(batch_size=BATCH, epochs=2),
            compute=schema.ComputeConfig(device="cpu"),
        )
    )
    session.advance()  # compiles
    before, done = time.perf_counter() - began, session.step

    def slices(until: int) -> Iterator[int]:
        while session.step < until:
            step = session.step
            session.advance(until)
            yield (session.step - step) * BATCH

    steps, order = int(session.engine.steps.max()), session.engine.order
    assert isinstance(order, BlockOrder)
    timed = _timed(slices(steps // 2))
    if kind == "stream":
        _forget(file)
        timed["cold"] = _timed(slices(steps))
    window = 2 * order.blocks.largest * 4 * len(names) / 2**30
    digest = float(session.engine.model.parameters.detach().double().sum())
    streamed = session.data.train.streamed
    assert torch.isfinite(session.engine.model.parameters).all()
    return timed | {
        "before": before,
        "window_gib": window,
        "sum": digest,
        "streamed": streamed,
        "first": done,
    }


def _names(file: Path) -> list[str]:
    if file.suffix == ".npy":
        return [f"x_{column}" for column in range(np.load(file, mmap_mode="r").shape[1])]
    from pyarrow import parquet  # noqa: PLC0415 (as above)

    return parquet.read_schema(file).names


def data_loader(file: Path) -> dict[str, Any]:
    """torch's DataLoader with two workers, a batch of random rows at a time; no training."""
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler  # noqa: PLC0415 (as above)

    class Rows:
        def __len__(self) -> int:
            return len(np.load(file, mmap_mode="r"))

        def __getitem__(self, places: list[int]) -> np.ndarray:
            if not hasattr(self, "whole"):
                self.whole = np.load(file, mmap_mode="r")
            return self.whole[places]

    rows: Any = Rows()
    loader = DataLoader(
        rows, batch_size=None, sampler=BatchSampler(RandomSampler(rows), BATCH, False), num_workers=2
    )
    return _drawn(loader)


def _drawn(loader: Iterable[Any], seconds: float = 10.0) -> dict[str, Any]:
    """The batches of so many seconds at most, after the first one, which its start takes."""
    begun = [iter(loader)]
    next(begun[0])
    began = time.perf_counter()

    def rows() -> Iterator[int]:
        for batch in begun.pop():  # its processes end with it, and are counted
            yield len(next(iter(batch.values())) if isinstance(batch, dict) else batch)
            if time.perf_counter() - began > seconds:
                return

    return _timed(rows())


def mosaic(folder: Path) -> dict[str, Any]:
    """mosaicml-streaming's local reading with two workers, shuffled; no training."""
    from streaming import StreamingDataset  # type: ignore # noqa: PLC0415 (as above)
    from torch.utils.data import DataLoader  # noqa: PLC0415 (as above)

    dataset = StreamingDataset(local=str(folder), shuffle=True, batch_size=BATCH)
    return _drawn(DataLoader(dataset, batch_size=BATCH, num_workers=2))


def mosaic_writing(folder: Path) -> dict[str, Any]:
    """The first rows of rows.npy beside the folder, as MDS has them."""
    from streaming import MDSWriter  # type: ignore # noqa: PLC0415 (as above)

    rows = np.load(folder.parent / "rows.npy", mmap_mode="r")[: 1 << 19]
    with MDSWriter(out=str(folder), columns={"row": f"ndarray:float32:{rows.shape[1]}"}) as out:
        for row in rows:
            out.write({"row": np.array(row)})
    return {"rows": len(rows), "seconds": 0.0}


CASES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "reading_parquet": reading_parquet,
    "reading_npy": reading_npy,
    "shuffling": shuffling,
    "training": training,
    "reading_few_parquet": lambda file: reading_parquet(file, FEW),
    "shuffling_few": lambda file: shuffling(file, FEW),
    "training_few": lambda file: training(file, columns=FEW),
    "memory": lambda file: training(file, "file"),
    "memory_few": lambda file: training(file, "file", FEW),
    "data_loader": data_loader,
    "mosaic": mosaic,
    "mosaic_writing": mosaic_writing,
}

if __name__ == "__main__":
    main()
