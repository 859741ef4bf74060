"""Which service is meant, and that its token goes to it alone."""

import json
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.client.address import find_service

URL = "http://127.0.0.1:7070"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a service that was never started."""
    monkeypatch.setenv("PACKTRAIN_SERVICE", str(tmp_path))
    monkeypatch.delenv("PACKTRAIN_SERVER", raising=False)
    monkeypatch.delenv("PACKTRAIN_TOKEN", raising=False)
    return tmp_path


def start(folder: Path, url: str = URL) -> None:
    (folder / "server.json").write_text(json.dumps({"url": url}))
    (folder / "token").write_text("of the folder\n")


def test_the_folders_service_is_found_with_its_token(folder: Path) -> None:
    start(folder)
    assert find_service().url == URL and find_service().token == "of the folder"
    assert find_service(f"{URL}/").token == "of the folder"


def test_its_token_goes_to_no_other_service(folder: Path) -> None:
    start(folder)
    with pytest.raises(
        UserError, match=r"no token for http://elsewhere: token=\.\.\. in Python, or .*_TOKEN"
    ):
        find_service("http://elsewhere")


def test_the_environment_is_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(folder)
    monkeypatch.setenv("PACKTRAIN_SERVER", "https://lab.example:8443")
    monkeypatch.setenv("PACKTRAIN_TOKEN", "mine")
    assert vars(find_service()) == {"url": "https://lab.example:8443", "token": "mine"}
    assert find_service(URL, "theirs").token == "theirs"
    assert not find_service().is_here and find_service(URL).is_here


def test_where_there_is_none_it_says_how_to_start_one(folder: Path) -> None:
    with pytest.raises(UserError, match=r"no service is known here: `packtrain serve` starts one"):
        find_service()


@pytest.mark.parametrize("content", ["", "[]", '{"url": 7}'])
def test_a_file_that_says_nothing_is_none(folder: Path, content: str) -> None:
    (folder / "server.json").write_text(content)
    with pytest.raises(UserError, match="no service is known here"):
        find_service()


def test_a_token_that_is_gone_is_named(folder: Path) -> None:
    start(folder)
    (folder / "token").unlink()
    with pytest.raises(UserError, match=r"can't read the service's token, .*token: No such file"):
        find_service()


@pytest.mark.parametrize("url", ["localhost:7070", "ftp://here", "http://", "http://here:port"])
def test_an_address_begins_with_http(url: str) -> None:
    with pytest.raises(UserError, match=r"server is an address such as http://127\.0\.0\.1:7070; got "):
        find_service(url, "token")
