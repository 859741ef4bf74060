"""Users, their tokens, and who may listen where."""

import hmac
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.guard import ADMIN, WORKER, User, Users, refuse_open_host, token_file, users
from packtrain.trainer.service.guard.sessions import Sessions
from tests.trainer.service.memory_store import MemoryStore


@pytest.fixture
def known() -> Users:
    store = MemoryStore()
    Sessions(store)
    return Users(store)


def test_a_token_is_its_users(known: Users) -> None:
    ada, bob = known.add("ada"), known.add("bob", ADMIN)
    assert (known.of_token(ada), known.of_token(bob)) == (User("ada", "user"), User("bob", ADMIN))
    for wrong in ("", ada[:-1], ada + "x", ada.swapcase(), users.hashed(ada)):
        assert known.of_token(wrong) is None


def test_a_token_is_compared_in_constant_time(known: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right or wrong: as many comparisons, each of all 64 digits, of hashes alone."""
    token = known.add("ada")
    known.make_temporary("gpu0")
    compared: list[tuple[str, str]] = []
    compare = hmac.compare_digest

    def counted(one: str, two: str) -> bool:
        compared.append((one, two))
        return compare(one, two)

    monkeypatch.setattr(users.hmac, "compare_digest", counted)
    counts = []
    for given in (token, "wrong"):
        compared.clear()
        known.of_token(given)
        counts.append(len(compared))
        assert all(len(one) == len(two) == 64 and given not in (one, two) for one, two in compared)
    assert counts == [2, 2]


def test_workers_of_this_process_are_in_no_database(known: Users) -> None:
    token = known.make_temporary("gpu0")
    assert known.of_token(token) == User("gpu0", WORKER)
    assert Users(known.store).of_token(token) is None and known.all() == []


@pytest.mark.parametrize("name", ["", "../etc", "a/b", ".hidden", "a b", "a\n", "ä", "x" * 65, "-a"])
def test_a_name_that_could_be_a_path_is_refused(known: Users, name: str) -> None:
    with pytest.raises(UserError, match="a user's name has letters"):
        known.add(name)


def test_what_a_user_can_be_is_said(known: Users) -> None:
    with pytest.raises(UserError, match="role is one of admin, user, worker"):
        known.add("ada", "root")
    known.add("ada")
    with pytest.raises(UserError, match="there is a user ada already"):
        known.add("ada")
    with pytest.raises(UserError, match="there is no user bob"):
        known.remove("bob")


def test_the_first_start_makes_one_admin(known: Users, tmp_path: Path) -> None:
    file = known.first_admin(tmp_path)
    assert file and file == tmp_path / "token" and file.stat().st_mode & 0o777 == 0o600
    (admin,) = known.all()
    assert admin.role == ADMIN and known.of_token(token_file.read(file)) == admin
    assert known.first_admin(tmp_path) is None and known.all() == [admin]


def test_a_first_start_that_was_killed_goes_on(known: Users, tmp_path: Path) -> None:
    """The token was written, and nobody was told."""
    token_file.make(tmp_path / "token", "abc")
    known.first_admin(tmp_path)
    assert known.of_token("abc") is not None


def test_the_first_admin_takes_nobodys_name(
    known: Users, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users.getpass, "getuser", lambda: "ada")
    token = known.add("ada")
    known.first_admin(tmp_path)
    assert known.of_token(token) == User("ada", "user") and User("admin", ADMIN) in known.all()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666])
def test_a_token_that_others_can_read_is_refused(known: Users, tmp_path: Path, mode: int) -> None:
    token_file.make(tmp_path / "token", "abc")
    (tmp_path / "token").chmod(mode)
    with pytest.raises(UserError, match=r"others can read the token .* chmod 600"):
        known.first_admin(tmp_path)


def test_a_token_file_is_private_from_its_creation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def noticed(handle: int) -> None:
        seen.append((tmp_path / "token").stat().st_mode & 0o777)

    monkeypatch.setattr(token_file.os, "fsync", noticed)
    token_file.make(tmp_path / "token", "abc")
    assert seen == [0o600]
    with pytest.raises(FileExistsError):
        token_file.make(tmp_path / "token", "def")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        token_file.make(tmp_path / "link", "def")
    assert not (tmp_path / "elsewhere").exists()


def test_a_token_file_is_a_file(tmp_path: Path) -> None:
    token_file.make(tmp_path / "token", "")
    (tmp_path / "link").symlink_to(tmp_path / "token")
    (tmp_path / "folder").mkdir(mode=0o700)
    for name, said in (
        ("token", "no token"),
        ("link", "can't be read"),
        ("folder", "is none"),
        ("x", "can't be read"),
    ):
        with pytest.raises(UserError, match=said):
            token_file.read(tmp_path / name)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gpu.example.org", "", "127.0.0.1.evil"])
def test_other_machines_come_in_only_where_there_are_users(known: Users, tmp_path: Path, host: str) -> None:
    known.first_admin(tmp_path)
    known.add("gpu0", WORKER)
    with pytest.raises(UserError, match="packtrain serve user=NAME"):
        refuse_open_host(host, known.store)
    known.add("ada")
    refuse_open_host(host, known.store)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost"])
def test_this_machine_needs_no_users(known: Users, host: str) -> None:
    refuse_open_host(host, known.store)
