"""Event files: they are what TensorBoard's own writer writes, and its reader reads back what was added."""

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.record_writer import RecordWriter

from packtrain.trainer.tensorboard import events
from packtrain.trainer.tensorboard.events import EventFiles
from tests.strategies import few
from tests.trainer.curves import scalars

RUNS = 3


@dataclass(frozen=True)
class Points:
    """What EventFiles.add takes, in the order of the steps, and the time at which it is added."""

    steps: list[int]
    tags: list[str]
    values: list[list[float]]
    runs: list[int]
    wall_time: float


@st.composite
def points(draw: st.DrawFn) -> Points:
    """Up to 12 points of RUNS runs, with up to 9 scalars each."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    tags = draw(st.lists(text, min_size=1, max_size=9))
    any_step = st.integers(0, 1 << 40) | st.sampled_from([0, 1, 127, 128, 129, (1 << 14) - 1, 1 << 14])
    steps = sorted(draw(st.lists(any_step, max_size=12)))
    row = st.lists(st.floats(), min_size=len(tags), max_size=len(tags))
    values = [draw(row) for _ in steps]
    runs = [draw(st.integers(0, RUNS - 1)) for _ in steps]
    return Points(steps, tags, values, runs, draw(st.floats(0, 1e10)))


def begun(folders: list[Path]) -> EventFiles:
    files = EventFiles(folders)
    files.begin()
    return files


def written(about: Points) -> list[bytes]:
    """The files that TensorBoard's own writer would leave."""
    buffers = [io.BytesIO() for _ in range(RUNS)]
    writers = [RecordWriter(buffer) for buffer in buffers]
    for writer in writers:
        writer.write(Event(wall_time=about.wall_time, file_version="brain.Event:2").SerializeToString())
    for step, row, run in zip(about.steps, about.values, about.runs, strict=True):
        scalars = [Summary.Value(tag=t, simple_value=v) for t, v in zip(about.tags, row, strict=True)]
        event = Event(wall_time=about.wall_time, step=step, summary=Summary(value=scalars))
        writers[run].write(event.SerializeToString())
    return [buffer.getvalue() for buffer in buffers]


@few
@given(points())
def test_many_points_at_once_are_what_tensorboards_writer_writes(about: Points) -> None:
    values = np.array(about.values).reshape(len(about.steps), len(about.tags))
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(events.time, "time", return_value=about.wall_time),
        mock.patch.object(events, "TOGETHER", 3),
    ):
        files = begun([Path(folder, f"{run}") for run in range(RUNS)])
        files.add(np.array(about.steps, np.int64), about.tags, values, np.array(about.runs, np.int64))
        files.flush()
        assert [path.read_bytes() for path in files.paths] == written(about)


def test_what_is_added_is_read_back(tmp_path: Path) -> None:
    files = begun([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    files.add(np.array([0, 0]), ["loss", "lr"], np.array([[2.0, 0.5], [3.0, 0.25]]), np.array([0, 2]))
    files.flush()
    files.add(np.array([10, 11]), ["loss"], np.array([[1.0], [np.inf]]), np.array([1, 0]))
    files.flush()
    assert scalars(tmp_path / "a") == {"loss": [(0, 2.0), (11, np.inf)], "lr": [(0, 0.5)]}
    assert scalars(tmp_path / "b") == {"loss": [(10, 1.0)]}
    assert scalars(tmp_path / "c") == {"loss": [(0, 3.0)], "lr": [(0, 0.25)]}


def test_a_summary_is_read_back(tmp_path: Path) -> None:
    files = begun([tmp_path / "a", tmp_path / "b"])
    files.add_summary(1, Summary(value=[Summary.Value(tag="loss", simple_value=2.0)]))
    files.flush()
    assert (scalars(tmp_path / "a"), scalars(tmp_path / "b")) == ({}, {"loss": [(0, 2.0)]})


def test_no_point_and_no_tag_add_nothing(tmp_path: Path) -> None:
    files = begun([tmp_path])
    files.add(np.empty(0, int), ["loss"], np.empty((0, 1)), np.empty(0, int))
    files.add(np.array([0]), [], np.empty((1, 0)), np.array([0]))
    files.flush()
    assert scalars(tmp_path) == {}


def test_nothing_is_written_before_a_flush_and_nothing_twice(tmp_path: Path) -> None:
    files = begun([tmp_path])
    (path,) = tmp_path.iterdir()
    size = path.stat().st_size
    files.add(np.array([0]), ["loss"], np.array([[2.0]]), np.array([0]))
    assert path.stat().st_size == size
    files.flush()
    size = path.stat().st_size
    files.flush()
    assert path.stat().st_size == size


def test_what_waits_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_WAITING", 1000)
    files = begun([tmp_path])
    for step in range(100):
        files.add(np.array([step]), ["loss"], np.array([[1.0]]), np.array([0]))
    assert len(scalars(tmp_path)["loss"]) > 80
    files.flush()
    assert [step for step, _ in scalars(tmp_path)["loss"]] == list(range(100))
