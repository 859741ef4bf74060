"""Files that are whole or not there."""

import json
import math
from pathlib import Path

import pytest

from packtrain.trainer.folder.atomic import replace, replace_json


def test_a_failing_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise OSError("no space left on device")

    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(OSError, match="no space"):
        replace(file, fail)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_what_was_written_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    file = tmp_path / "file"
    monkeypatch.setattr(
        "packtrain.trainer.folder.atomic.os.fsync", lambda number: synced.append(file.exists())
    )
    replace(file, lambda draft: draft.write_text("new"))
    assert synced == [False, True] and file.read_text() == "new", "the file, then its name in the folder"


def test_numbers_that_json_lacks_are_refused(tmp_path: Path) -> None:
    replace_json(tmp_path / "file", {"a": [1, None]})
    assert json.loads((tmp_path / "file").read_text()) == {"a": [1, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace_json(tmp_path / "file", math.nan)
    assert json.loads((tmp_path / "file").read_text()) == {"a": [1, None]}
