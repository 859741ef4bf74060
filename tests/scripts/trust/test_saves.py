"""Ways to save that are killed: what ours leaves always loads, and what does not load is counted."""

from pathlib import Path

import pytest
import torch

from scripts.trust import saves


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saves, "NUMBERS", 1 << 12)
    monkeypatch.setattr(saves, "LONGEST", 0.02)


def test_ours_load_after_any_kill() -> None:
    assert saves.unloadable(saves.WAYS["packtrain"], 10, seed=1) == 0


@pytest.mark.filterwarnings("ignore::UserWarning")  # DCP warns that it is not distributed
@pytest.mark.parametrize("way", saves.WAYS)
def test_each_way_loads_what_it_saved(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, load = saves.WAYS[way]
    monkeypatch.setattr(saves.itertools, "count", lambda start: range(start, 3))
    save(tmp_path)
    assert saves.is_whole(load(tmp_path))


def test_halves_of_two_states_are_not_whole() -> None:
    assert not saves.is_whole({"a": torch.zeros(3), "b": torch.ones(3)})
