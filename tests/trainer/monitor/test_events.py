"""Event files: they are what TensorBoard's own writer writes, and its reader reads back what was added."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.record_writer import RecordWriter

from tests.strategies import few
from tests.trainer.curves import scalars
from trainer.monitor import events
from trainer.monitor.events import EventFiles, scalar_records


@st.composite
def scalar_events(draw: st.DrawFn) -> tuple[float, int, tuple[str, ...], np.ndarray]:
    """(wall time, step, tags [T], values [K, T])."""
    tags = draw(
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=9)
    )
    row = st.lists(st.floats(), min_size=len(tags), max_size=len(tags))
    values = draw(st.lists(row, min_size=1, max_size=5))
    return draw(st.floats(0, 1e10)), draw(st.integers(0, 1 << 40)), tuple(tags), np.array(values)


def written(wall_time: float, step: int, tags: tuple[str, ...], values: list[float]) -> bytes:
    """A record by TensorBoard's own writer."""
    summary = Summary(value=[Summary.Value(tag=t, simple_value=v) for t, v in zip(tags, values, strict=True)])
    buffer = io.BytesIO()
    event = Event(wall_time=wall_time, step=step, summary=summary)
    RecordWriter(buffer).write(event.SerializeToString())
    return buffer.getvalue()


@few
@given(scalar_events())
def test_many_records_at_once_are_those_of_tensorboards_writer(
    drawn: tuple[float, int, tuple[str, ...], np.ndarray],
) -> None:
    wall_time, step, tags, values = drawn
    records = scalar_records(wall_time, step, tags, values)
    assert [each.tobytes() for each in records] == [
        written(wall_time, step, tags, row) for row in values.tolist()
    ]


def test_what_is_added_is_read_back(tmp_path: Path) -> None:
    files = EventFiles([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    files.add(0, ["loss", "lr"], np.array([[2.0, 0.5], [3.0, 0.25]]), np.array([0, 2]))
    files.flush()
    files.add(10, ["loss"], np.array([[1.0], [np.inf]]), np.array([1, 0]))
    files.flush()
    assert scalars(tmp_path / "a") == {"loss": [(0, 2.0), (10, np.inf)], "lr": [(0, 0.5)]}
    assert scalars(tmp_path / "b") == {"loss": [(10, 1.0)]}
    assert scalars(tmp_path / "c") == {"loss": [(0, 3.0)], "lr": [(0, 0.25)]}


def test_a_summary_is_read_back(tmp_path: Path) -> None:
    files = EventFiles([tmp_path / "a", tmp_path / "b"])
    files.add_summary(1, Summary(value=[Summary.Value(tag="loss", simple_value=2.0)]))
    files.flush()
    assert (scalars(tmp_path / "a"), scalars(tmp_path / "b")) == ({}, {"loss": [(0, 2.0)]})


def test_no_run_and_no_tag_add_nothing(tmp_path: Path) -> None:
    files = EventFiles([tmp_path])
    files.add(0, ["loss"], np.empty((0, 1)), np.empty(0, int))
    files.add(0, [], np.empty((1, 0)), np.array([0]))
    files.flush()
    assert scalars(tmp_path) == {}


def test_nothing_is_written_before_a_flush_and_nothing_twice(tmp_path: Path) -> None:
    files = EventFiles([tmp_path])
    (path,) = tmp_path.iterdir()
    size = path.stat().st_size
    files.add(0, ["loss"], np.array([[2.0]]), np.array([0]))
    assert path.stat().st_size == size
    files.flush()
    size = path.stat().st_size
    files.flush()
    assert path.stat().st_size == size


def test_what_waits_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_WAITING", 1000)
    files = EventFiles([tmp_path])
    for step in range(100):
        files.add(step, ["loss"], np.array([[1.0]]), np.array([0]))
    assert len(scalars(tmp_path)["loss"]) > 80
    files.flush()
    assert [step for step, _ in scalars(tmp_path)["loss"]] == list(range(100))
