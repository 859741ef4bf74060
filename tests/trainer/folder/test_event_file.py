"""Event files that are read back."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event

from packtrain.trainer.folder.event_file import last_step, messages
from packtrain.trainer.tensorboard.events import EventFiles

TAGS = "loss/train", "result/loss/train"


def written(folder: Path, steps: np.ndarray) -> Path:
    """The event file of a run whose loss at each step is a half of it."""
    files = EventFiles([folder])
    files.add(steps, TAGS, np.stack([steps / 2, np.full(len(steps), 7.0)], 1), np.zeros(len(steps), int))
    files.add(steps, ["loss/validation"], np.ones((len(steps), 1)), np.zeros(len(steps), int))
    files.flush()
    return files.paths[0]


def read_curve(folder: Path, tag: str) -> np.ndarray:
    """[2, S]: the steps of the scalar `tag` and its values there."""
    files = sorted(folder.glob("events.out.tfevents.*"))
    events = [Event.FromString(text) for file in files for text in messages(file.read_bytes())]
    points = {e.step: value.simple_value for e in events for value in e.summary.value if value.tag == tag}
    return np.array(sorted(points.items()), float).reshape(-1, 2).T


def test_a_curve_is_the_tags_own_in_all_files_of_the_run(tmp_path: Path) -> None:
    first = written(tmp_path, np.array([0, 20, 300]))
    first.rename(first.with_name("events.out.tfevents.0"))
    written(tmp_path, np.array([320, 340]))
    steps, losses = read_curve(tmp_path, "loss/train")
    assert steps.tolist() == [0, 20, 300, 320, 340]
    assert losses.tolist() == [0, 10, 150, 160, 170]
    assert last_step(tmp_path) == 340


@pytest.mark.parametrize("torn", range(1, 30))
def test_a_record_that_is_not_whole_is_left_out(torn: int, tmp_path: Path) -> None:
    file = written(tmp_path, np.array([0, 1, 2]))
    whole = file.read_bytes()
    last = read_curve(tmp_path, "loss/validation")
    assert last.tolist() == [[0, 1, 2], [1, 1, 1]]
    file.write_bytes(whole[:-torn])
    assert read_curve(tmp_path, "loss/validation").tolist() == [[0, 1], [1, 1]]
    assert last_step(tmp_path) == 1


def test_a_run_without_events_has_no_last_step(tmp_path: Path) -> None:
    assert last_step(tmp_path / "nowhere") is None
