"""Files that are whole or not there."""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from packtrain.trainer.folder.atomic import replace, replace_json
from tests.helpers import Command


@pytest.fixture(params=[0o022, 0o027], ids=oct)
def mode(request: pytest.FixtureRequest) -> Iterator[int]:
    """The permissions that a umask leaves to a new file; inside the test it is this process's."""
    before = os.umask(request.param)
    yield 0o666 & ~request.param
    os.umask(before)


def permissions(file: Path) -> int:
    return file.stat().st_mode & 0o777


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


def test_a_file_that_its_writer_keeps_private_gets_the_permissions_of_new_files(
    mode: int, tmp_path: Path
) -> None:
    """As safetensors' save_file does."""
    replace(tmp_path / "file", lambda draft: draft.touch(0o600))
    assert permissions(tmp_path / "file") == mode


def test_all_files_of_a_training_and_an_export_have_the_permissions_of_new_files(
    mode: int, tmp_path: Path, cli: Command
) -> None:
    assert cli("experiment=debug", "monitor=quiet").code == 0 and cli("export", "out").code == 0
    modes = {file.relative_to(tmp_path): permissions(file) for file in (tmp_path / "out").rglob("*.*")}
    files = {path: each for path, each in modes.items() if (tmp_path / path).is_file()}
    written = {path.name for path in files}
    assert {"result.json", "runs.csv", "model.safetensors", "equations.py", "config.yaml"} <= written
    assert set(files.values()) == {mode}, {path: oct(each) for path, each in files.items()}
