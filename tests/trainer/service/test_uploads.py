"""Files that users put into the data folder: whose they are, and that none is ever there in part."""

import errno
import os
from pathlib import Path

import pytest

from packtrain.trainer.service import uploads
from packtrain.trainer.service.guard import ADMIN, User
from packtrain.trainer.service.uploads import DataFolder, Refused
from tests.trainer.service.memory_store import MemoryStore

ADA, BOB, BOSS = User("ada", "user"), User("bob", "user"), User("boss", ADMIN)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data", MemoryStore(), most=100, reserve=0)


def put(data: DataFolder, name: str, user: User, content: bytes = b"x,y\n1,2\n") -> None:
    with data.upload(name, user, len(content)) as upload:
        upload.write(content)
        upload.keep()


def names(data: DataFolder) -> list[str]:
    """All that lies in the folder, hidden too."""
    return sorted(str(path.relative_to(data.folder)) for path in data.folder.rglob("*") if path.is_file())


def test_a_file_is_there_whole_or_not_at_all(data: DataFolder) -> None:
    with data.upload("a.csv", ADA) as upload:
        upload.write(b"x,y\n")
        assert not (data.folder / "a.csv").exists()
        upload.keep()
    assert (data.folder / "a.csv").read_bytes() == b"x,y\n"
    assert (data.folder / "a.csv").stat().st_mode & 0o077 == 0
    with pytest.raises(ZeroDivisionError), data.upload("a.csv", ADA) as upload:
        upload.write(b"half")
        raise ZeroDivisionError
    assert names(data) == ["a.csv"] and (data.folder / "a.csv").read_bytes() == b"x,y\n"


def test_only_its_owner_or_an_admin_replaces_a_file(data: DataFolder) -> None:
    put(data, "a.csv", ADA)
    with pytest.raises(Refused, match="belongs to ada"):
        put(data, "a.csv", BOB, b"other")
    put(data, "a.csv", ADA, b"mine")
    put(data, "a.csv", BOSS, b"admin's")
    assert (data.folder / "a.csv").read_bytes() == b"admin's"
    assert data.owner("a.csv") == "ada"
    (data.folder / "by_hand.csv").touch()
    with pytest.raises(Refused, match="was put there by an admin"):
        put(data, "by_hand.csv", ADA)
    put(data, "by_hand.csv", BOSS)


def test_a_name_whose_file_is_gone_is_free(data: DataFolder) -> None:
    put(data, "a.csv", ADA)
    (data.folder / "a.csv").unlink()
    put(data, "a.csv", BOB)
    assert data.owner("a.csv") == "bob"


def test_a_folder_of_ones_name_is_ones_own(data: DataFolder) -> None:
    put(data, "ada/a.csv", ADA)
    put(data, "ada/b.csv", BOSS)
    with pytest.raises(Refused, match=r"isn't yours; yours is bob/c\.csv"):
        put(data, "ada/c.csv", BOB)
    assert [(file.name, file.user) for file in data.files()] == [("ada/a.csv", "ada"), ("ada/b.csv", "boss")]


@pytest.mark.parametrize("name", [
    "", ".", "..", "../a.csv", "/etc/a.csv", ".hidden", "a/b/c.csv", "ada/../a.csv", "a b.csv", "a\n.csv",
    "a\\b.csv", "ada/.upload-1", "ä.csv", "x" * 201, "ada/", "a\0",
])  # fmt: skip
def test_a_name_that_could_be_elsewhere_is_refused(data: DataFolder, name: str) -> None:
    for user in (ADA, BOSS):
        with pytest.raises(Refused) as raised:
            put(data, name, user)
        assert raised.value.status == 422
    assert names(data) == []


def test_links_lead_nowhere(data: DataFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "target.csv").write_text("kept")
    (data.folder / "ada").symlink_to(tmp_path / "outside")
    (data.folder / "a.csv").symlink_to(tmp_path / "target.csv")
    (data.folder / "folder.csv").mkdir()
    for name in ("ada/a.csv", "a.csv", "folder.csv"):
        with pytest.raises(Refused) as raised:
            put(data, name, BOSS)
        assert raised.value.status == 409
    assert (tmp_path / "target.csv").read_text() == "kept" and not any((tmp_path / "outside").iterdir())
    assert data.files() == []


def test_what_is_too_large_is_refused(data: DataFolder) -> None:
    with pytest.raises(Refused, match="at most 100 bytes"):
        put(data, "a.csv", ADA, b"x" * 101)
    with pytest.raises(Refused) as raised, data.upload("a.csv", ADA) as upload:  # it said nothing of its size
        upload.write(b"x" * 60)
        upload.write(b"x" * 60)
    assert raised.value.status == 413 and names(data) == []


def test_a_full_disk_keeps_what_was_there(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    put(data, "a.csv", ADA, b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(uploads.os, "fsync", full)
    with pytest.raises(Refused) as raised:
        put(data, "a.csv", ADA, b"new")
    assert raised.value.status == 507
    monkeypatch.undo()
    data.reserve = 1 << 60
    with pytest.raises(Refused) as raised:
        put(data, "b.csv", ADA, b"new")
    assert raised.value.status == 507
    assert names(data) == ["a.csv"] and (data.folder / "a.csv").read_bytes() == b"old"


def test_a_name_has_one_upload_at_a_time(data: DataFolder) -> None:
    with data.upload("a.csv", ADA) as upload:
        with pytest.raises(Refused, match="is being uploaded already"):
            put(data, "a.csv", BOB)
        upload.keep()
    put(data, "a.csv", ADA)


def test_drafts_of_a_killed_server_are_removed(data: DataFolder) -> None:
    (data.folder / "ada").mkdir()
    for name in (f"{uploads.DRAFT}1", f"ada/{uploads.DRAFT}2", "kept.csv"):
        (data.folder / name).touch()
    assert names(DataFolder(data.folder, data.store)) == ["kept.csv"]
