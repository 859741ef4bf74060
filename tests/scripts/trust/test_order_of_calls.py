"""What a training asks the system for when it saves, in the one safe order."""

import shutil
from pathlib import Path

import pytest

from scripts.trust.order_of_calls import SAFE, calls_in, saves_in, traced

LINES = {
    "create": '7 openat(AT_FDCWD</d>, "/d/.a.7", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 5</d/.a.7>',
    "write": '7 write(5</d/.a.7>, "abc", 3) = 3',
    "fsync": "8 fsync(5</d/.a.7> <unfinished ...>",
    "rename": '7 rename("/d/.a.7", "/d/a") = 0',
    "fsync of the folder": "7 fsync(6</d>) = 0",
}


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_every_save_is_written_synced_renamed_and_its_folder_synced(tmp_path: Path) -> None:
    saves = saves_in(calls_in(traced(tmp_path).splitlines()))
    names = {"command.json", "result.json", "runs.csv", "runs.parquet", "model.safetensors"}
    assert names < saves.keys() and len(saves) >= 9
    assert all(order == SAFE for order in saves.values()), saves


@pytest.mark.parametrize("left_out", [None, *LINES])
def test_what_is_left_out_or_late_is_seen(left_out: str | None) -> None:
    lines = [line for what, line in LINES.items() if what != left_out]
    saves = saves_in(calls_in(lines))
    assert (saves == {"a": SAFE}) == (left_out is None)
    late = [LINES[what] for what in ("create", "write", "rename", "fsync", "fsync of the folder")]
    assert saves_in(calls_in(late)) != {"a": SAFE}
