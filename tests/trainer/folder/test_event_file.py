"""Curves that are read back."""

from pathlib import Path

import numpy as np
import pytest

from packtrain.trainer.folder.event_file import MOST_POINTS, read_curve
from packtrain.trainer.tensorboard.events import EventFiles

TAGS = "loss/train", "result/loss/train"


def written(folder: Path, steps: np.ndarray) -> Path:
    """The event file of a run whose loss at each step is a half of it."""
    files = EventFiles([folder])
    files.add(steps, TAGS, np.stack([steps / 2, np.full(len(steps), 7.0)], 1), np.zeros(len(steps), int))
    files.add(steps, ["loss/validation"], np.ones((len(steps), 1)), np.zeros(len(steps), int))
    files.flush()
    return files.paths[0]


def test_a_curve_is_the_tags_own_in_all_files_of_the_run(tmp_path: Path) -> None:
    first = written(tmp_path, np.array([0, 20, 300]))
    first.rename(first.with_name("events.out.tfevents.0"))
    written(tmp_path, np.array([320, 340]))
    steps, losses = read_curve(tmp_path, "loss/train")
    assert steps.tolist() == [0, 20, 300, 320, 340]
    assert losses.tolist() == [0, 10, 150, 160, 170]


@pytest.mark.parametrize("torn", range(1, 30))
def test_a_record_that_is_not_whole_is_left_out(torn: int, tmp_path: Path) -> None:
    file = written(tmp_path, np.array([0, 1, 2]))
    whole = file.read_bytes()
    last = read_curve(tmp_path, "loss/validation")
    assert last.tolist() == [[0, 1, 2], [1, 1, 1]]
    file.write_bytes(whole[:-torn])
    assert read_curve(tmp_path, "loss/validation").tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize("count", [MOST_POINTS, MOST_POINTS + 1, 3 * MOST_POINTS + 2])
def test_a_long_curve_is_thinned_and_keeps_its_ends(count: int, tmp_path: Path) -> None:
    written(tmp_path, np.arange(count))
    steps, losses = read_curve(tmp_path, "loss/train")
    assert MOST_POINTS / 2 < len(steps) <= MOST_POINTS + 1
    assert (steps[0], steps[-1]) == (0, count - 1)
    assert np.array_equal(losses, steps / 2)


def test_a_run_without_events_has_no_curve(tmp_path: Path) -> None:
    assert read_curve(tmp_path / "nowhere", "loss/train").shape == (2, 0)
