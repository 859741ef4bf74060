"""What `packtrain serve` and `packtrain work` take and say."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.guard.users import Users
from packtrain.trainer.service.queue.queue import Queue
from packtrain.trainer.terminal.serve import change_user, lines_of
from packtrain.trainer.terminal.serve_words import read_serve, read_work


def test_without_words_it_is_this_machine_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PACKTRAIN_SERVICE", str(tmp_path))
    given = read_serve([])
    assert (given["host"], given["port"], given["folder"], given["data"]) == (
        "127.0.0.1",
        7070,
        tmp_path,
        None,
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["port=70000"], "port is a number"),
        (["prot=7070"], "did you mean port"),
        (["--prot", "7070"], "did you mean --port"),
        (["data=nowhere"], "data is a folder that is there"),
        (["folder="], "folder is the name"),
        (["role=admin"], "user=NAME says whom"),
        (["user=ada", "role=boss"], "role is one of"),
        (["user=ada", "renew=yes"], "renew is true or false"),
    ],
)
def test_mistakes_of_serve_are_sentences(words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_serve(words)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "with an address such as"),
        (["server=gpu.lan"], "with an address such as"),
        (["server=http://gpu.lan"], "a worker needs a token"),
        (["server=http://gpu.lan", "token=a", "name=a b"], "name has letters"),
    ],
)
def test_mistakes_of_work_are_sentences(
    words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PACKTRAIN_TOKEN", raising=False)
    monkeypatch.delenv("PACKTRAIN_SERVER", raising=False)
    with pytest.raises(UserError, match=sentence):
        read_work(words)


def test_the_environment_says_server_and_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKTRAIN_TOKEN", "secret")
    monkeypatch.setenv("PACKTRAIN_SERVER", "http://gpu.lan:7070")
    given = read_work(["device=1"])
    assert (given["server"], given["token"]) == ("http://gpu.lan:7070", "secret")
    assert given["name"].endswith("-1")


@pytest.mark.parametrize("read", [read_serve, read_work])
def test_help_says_every_word(read: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(["--help"])
    assert capsys.readouterr().out.startswith("usage: packtrain ")


def test_users_are_made_and_removed_also_while_it_serves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = Queue(tmp_path)  # as the server has it
    change_user("ada", tmp_path, "user", renew=False, remove=False)
    token = capsys.readouterr().out.splitlines()[-1]
    user = Users(queue.store).of_token(token)
    assert user and (user.name, user.role) == ("ada", "user")
    with pytest.raises(UserError, match="there is a user ada already"):
        change_user("ada", tmp_path, "user", renew=False, remove=False)
    change_user("ada", tmp_path, "user", renew=False, remove=True)
    assert Users(queue.store).of_token(token) is None
    queue.close()


def test_a_link_with_the_token_is_for_a_terminal_alone(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    settings = SimpleNamespace(folder=tmp_path, data_folder=tmp_path / "data")
    keeper = SimpleNamespace(locals=[])
    server = SimpleNamespace(
        url="http://h:1", token_file=tmp_path / "token", settings=settings, keeper=keeper
    )
    assert "secret" not in "".join(lines_of(server, to_person=False))
    assert "http://h:1/login#secret" in lines_of(server, to_person=True)[1]
