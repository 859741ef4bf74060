"""What a rank holds of a stream: its own samples of each minibatch, wherever its windows and blocks end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.data.order import BlockOrder, Order
from packtrain.trainer.data.stream.arrays import PAGE
from packtrain.trainer.data.stream.rings import SharedRing, StepRing, ring_of
from packtrain.trainer.data.stream.streamed import Stream, Streamed
from packtrain.trainer.engines.prepare import load_data
from tests.trainer.data.stream.streaming import ROWS, config, write

BATCH, CPU = 37, torch.device("cpu")
SHARES = [slice(0, 20), slice(20, 37), slice(5, 5), slice(None)]


def streamed(file: Path, **data: Any) -> Streamed:
    train = load_data(make_pack(config(file, **data))).train
    assert isinstance(train, Streamed)
    return train


def order_of(stream: Stream, by_blocks: bool) -> Order:
    given = len(stream), BATCH, torch.tensor(3), CPU
    return BlockOrder(*given, stream.blocks) if by_blocks else Order(*given)


@pytest.mark.parametrize("places", SHARES, ids=str)
@pytest.mark.parametrize(("kind", "by_blocks"), [("npy", True), ("parquet", True), ("npy", False)])
def test_a_ring_holds_the_samples_of_each_step(
    places: slice, kind: str, by_blocks: bool, tmp_path: Path
) -> None:
    data = streamed(write(tmp_path, kind), shuffle="blocks" if by_blocks else "full")
    whole, order = data.resident(), order_of(data.stream, by_blocks)
    ring = ring_of(data.stream, order, places)
    own = len(range(BATCH)[places])
    assert len(ring.samples) <= 2 * own * (data.stream.blocks.largest // BATCH + 2)
    for step in range(3 * ROWS // BATCH):
        ring.hold(ring.reach(step, step + 1))
        found, samples = ring.indices(step, step + 1)[0], order.indices(step, step + 1, places)[0]
        assert found.shape == (own,)
        assert ring.samples.inputs[found].equal(whole.inputs[samples])
        assert ring.samples.targets[found].equal(whole.targets[samples])


def test_indices_of_many_steps_are_those_of_each(tmp_path: Path) -> None:
    stream = streamed(write(tmp_path, "npy")).stream
    for by_blocks, places in ((True, SHARES[0]), (True, SHARES[3]), (False, SHARES[1])):
        ring = ring_of(stream, order_of(stream, by_blocks), places)
        alone = [ring.indices(step, step + 1) for step in range(20)]
        assert ring.indices(0, 20).equal(torch.cat(alone))


def test_single_rows_alone_are_read_where_they_lie_apart(tmp_path: Path, monkeypatch: Any) -> None:
    """Of rows that are pages of their own."""
    columns = PAGE // 4
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).normal(size=(ROWS, columns)).astype(np.float32))
    data = streamed(tmp_path / "wide.npy")
    assert data.stream.lies_apart and not streamed(write(tmp_path, "npy")).stream.lies_apart
    whole, order, read = data.resident(), order_of(data.stream, True), []
    (file,) = data.stream.source.files
    scattered = file.scattered

    def counted(names: Sequence[str], rows: np.ndarray) -> list[np.ndarray]:
        read.extend(rows.tolist())
        return scattered(names, rows)

    monkeypatch.setattr(file, "scattered", counted)
    monkeypatch.setattr(file, "read", None)
    ring = ring_of(data.stream, order, slice(0, 12))
    assert isinstance(ring, SharedRing)
    assert isinstance(ring_of(data.stream, order_of(data.stream, False), slice(0, 12)), StepRing)
    for step in range(ROWS // BATCH):
        ring.hold(ring.reach(step, step + 1))
        here, samples = ring.indices(step, step + 1)[0], order.indices(step, step + 1, slice(0, 12))[0]
        assert ring.samples.inputs[here].equal(whole.inputs[samples])
    assert 12 / 37 * ROWS < len(read) < ROWS / 2  # an epoch, and the window that is read ahead
