"""Sessions of browsers: how long they last, and how many there are."""

import pytest

from packtrain.trainer.service.guard import User, Users, sessions
from packtrain.trainer.service.guard.sessions import Sessions
from tests.trainer.service.memory_store import MemoryStore

ADA = User("ada", "user")


@pytest.fixture
def known() -> Sessions:
    store = MemoryStore()
    made = Sessions(store)
    Users(store).add("ada")
    return made


def test_a_session_lasts_30_days(known: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1e9
    monkeypatch.setattr(sessions.time, "time", lambda: now)
    id = known.begin(ADA)
    now += 30 * 86400 - 1
    assert known.user(id) == ADA
    now += 2
    assert known.user(id) is None
    known.begin(ADA)
    assert known.store.read("SELECT count(*) FROM session") == [(1,)]  # what is over is forgotten


def test_a_session_is_known_by_its_whole_id(known: Sessions) -> None:
    id = known.begin(ADA)
    for wrong in ("", id[:-1], sessions.hashed(id)):
        assert known.user(wrong) is None
    known.end(id)
    assert known.user(id) is None


def test_the_oldest_sessions_end_where_there_are_too_many(
    known: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST", 3)
    now = 1e9
    monkeypatch.setattr(sessions.time, "time", lambda: now)
    ids = []
    for now in range(10**9, 10**9 + 5):  # noqa: B007 (what the clock says)
        ids.append(known.begin(ADA))
    assert [known.user(id) is not None for id in ids] == [False, False, True, True, True]
