"""The database: one commit for whatever waits, nothing acknowledged before it, and disks without room."""

import datetime
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.queue import backup, store
from packtrain.trainer.service.queue.errors import Busy, Full
from packtrain.trainer.service.queue.queue import Queue
from packtrain.trainer.service.queue.store import Store
from tests.trainer.service.queue.asking import FakeWorker, asked

ADD = "insert into structure values (?, ?)"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "service.db")
    yield opened
    opened.close()


def on_disk(file: Path) -> list[str]:
    """What another process would read."""
    with closing(sqlite3.connect(file)) as db:
        return [key for (key,) in db.execute("select key from structure order by key")]


def set_pages(opened: Store, more: int | None) -> None:
    """Lets the database grow by so many pages."""

    def limit(db: sqlite3.Connection) -> None:
        pages = db.execute("pragma page_count").fetchone()[0]
        db.execute(f"pragma max_page_count = {1 << 30 if more is None else pages + more}")

    opened.write(limit).result(10)


def test_what_is_acknowledged_is_on_the_disk(opened: Store) -> None:
    for key in "abc":
        opened.do([(ADD, (key, "{}"))]).result(10)
        assert on_disk(opened.file)[-1] == key
    names = "synchronous", "journal_mode", "foreign_keys"
    levels = opened.write(lambda db: [db.execute(f"pragma {name}").fetchone()[0] for name in names])
    assert levels.result(10) == [2, "wal", 1]


def test_whatever_waits_is_one_commit(opened: Store) -> None:
    going = threading.Event()
    first = opened.write(lambda db: going.wait(10))
    rest = [opened.do([(ADD, (str(n), "{}"))]) for n in range(20)]
    before = opened.commits
    going.set()
    assert [done.result(10) for done in rest] == [[1]] * 20 and first.result(10)
    assert opened.commits <= before + 2 and len(on_disk(opened.file)) == 20


def test_a_statement_that_fails_spoils_nothing_else(opened: Store) -> None:
    going = threading.Event()
    opened.write(lambda db: going.wait(10))
    good = opened.do([(ADD, ("a", "{}"))])
    bad = opened.do([(ADD, ("b", "{}")), ("insert into nowhere values (1)", ())])
    twice = opened.do([(ADD, ("a", "{}"))])
    more = opened.do([(ADD, ("c", "{}"))])
    going.set()
    assert good.result(10) == more.result(10) == [1]
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        bad.result(10)
    with pytest.raises(sqlite3.IntegrityError):
        twice.result(10)
    assert on_disk(opened.file) == ["a", "c"]


def test_a_full_disk_acknowledges_nothing_and_can_be_read(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.submit([asked(1)], "ada").result(10)
    set_pages(queue.store, 0)
    large = [asked(seed, key=str(seed) * 5000) for seed in range(9)]
    with pytest.raises(Full, match="disk is full"):
        queue.submit(large, "ada", idempotency="k").result(10)
    assert [job.id for job in queue.jobs()] == [1]
    worker = FakeWorker(queue)
    assert [job["id"] for job in worker.lease()["jobs"]] == [1]
    with pytest.raises(Full):
        worker.end(1, files={"1/runs.csv": bytes(100_000)})
    set_pages(queue.store, None)
    worker.end(1, files={"1/runs.csv": bytes(100_000)})
    job = queue.job(1)
    assert job and job.state == "finished" and job.files == {"runs.csv": 100_000}
    assert len(queue.submit(large, "ada", idempotency="k").result(10)) == 9
    queue.close()


def test_what_must_be_noted_is_noted_when_there_is_room(opened: Store) -> None:
    set_pages(opened, 0)
    owed = opened.write(lambda db: db.execute(ADD, ("b" * 50_000, "{}")), owed=True)
    with pytest.raises(Full):
        opened.do([(ADD, ("c" * 50_000, "{}"))]).result(10)
    assert not owed.done()
    set_pages_later = opened.write(lambda db: None)
    with pytest.raises(Full):
        set_pages_later.result(10)
    opened._writer.execute(f"pragma max_page_count = {1 << 30}")
    opened.do([(ADD, ("a", "{}"))]).result(10)
    owed.result(10)
    assert [key[0] for key in on_disk(opened.file)] == ["a", "b"]


def test_a_lease_whose_commit_fails_is_noted_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(tmp_path)
    queue.submit([asked()], "ada").result(10)
    worker = FakeWorker(queue)

    def full(store: Store) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "_commit", full)
        with pytest.raises(Full):
            worker.lease()
    worker.end(1, files={"1/runs.csv": b"index"})
    job = queue.job(1)
    assert job and job.state == "finished" and job.worker == "w"
    queue.close()


def test_large_files_without_room_are_no_trouble_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(tmp_path)
    queue.submit([asked()], "ada").result(10)
    worker = FakeWorker(queue)
    worker.lease()

    def full(file: Path, save: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("packtrain.trainer.service.queue.files.replace", full)
        with pytest.raises(Full):
            worker.end(1, files={"1/model.safetensors": bytes(300_000)})
        with pytest.raises(Full):
            queue.keep("w", {"start": "1", "jobs": [1], "step": 1, "version": "v"}, b"bits").result(10)
        queue.submit([asked()], "ada").result(10)
    worker.end(1, files={"1/model.safetensors": bytes(300_000)})
    queue.close()


def test_a_damaged_database_is_refused_with_the_name_of_its_copy(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.submit([asked(seed, key=str(seed) * 3000) for seed in range(20)], "ada").result(10)
    queue.close()
    today = f"{datetime.date.today()}"
    file = tmp_path / "service.db"
    content = bytearray(file.read_bytes())
    content[8192:30_000] = b"\xff" * (30_000 - 8192)
    file.write_bytes(content)
    with pytest.raises(UserError, match=rf"service.db is damaged .*backups/service-{today}.db in its place"):
        Queue(tmp_path)
    file.write_bytes((tmp_path / "backups" / f"service-{today}.db").read_bytes())
    Queue(tmp_path).close()
    file.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(UserError, match="is damaged"):
        Queue(tmp_path)


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    Store(tmp_path / "service.db").close()
    with closing(sqlite3.connect(tmp_path / "service.db")) as db:
        db.execute("pragma user_version = 99")
    with pytest.raises(UserError, match=r"newer packtrain \(tables 99, here 1\): update packtrain"):
        Store(tmp_path / "service.db")


def test_a_copy_is_made_each_day_and_before_an_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "service.db"
    (tmp_path / "backups").mkdir()
    for day in range(1, 10):
        (tmp_path / "backups" / f"service-2020-01-0{day}.db").touch()
    Store(file).close()
    opened = Store(file)
    opened.do([(ADD, ("a", "{}"))]).result(10)
    opened.close()
    copies = backup.copies(file)
    assert len(copies) == 7 and copies[0].name == "service-2020-01-04.db"
    assert on_disk(copies[-1]) == []
    monkeypatch.setattr(store, "__version__", "99")
    Store(file).close()
    assert backup.newest(file) == copies[-1] and on_disk(copies[-1]) == ["a"]


def test_a_closed_store_takes_nothing(tmp_path: Path) -> None:
    opened = Store(tmp_path / "service.db")
    opened.close()
    with pytest.raises(Busy, match="stopping"):
        opened.do([(ADD, ("a", "{}"))]).result(10)


def test_opening_again_writes_nothing_so_that_it_needs_no_room(tmp_path: Path) -> None:
    file = tmp_path / "service.db"
    for _ in range(2):
        Store(file).close()
    before = file.read_bytes()
    Store(file).close()
    assert file.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "service.db").mkdir()
    with pytest.raises(UserError, match=r"can't open .*service.db: unable to open database file"):
        Store(tmp_path / "service.db")
