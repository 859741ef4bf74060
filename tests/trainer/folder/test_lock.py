"""Folders of one process: what refuses them is one sentence."""

import errno
import os
from pathlib import Path

import pytest
from filelock import FileLock

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.folder.lock import locked


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(lock: FileLock, timeout: float) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), lock.lock_file)

    monkeypatch.setattr(FileLock, "acquire", refused)
    with (
        pytest.raises(UserError, match=f"can't write into {tmp_path}: Read-only file system"),
        locked(tmp_path),
    ):
        pass
