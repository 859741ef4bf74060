"""The database of a study: one writer, and no password in a file."""

import threading
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.schema import SearchConfig
from packtrain.trainer.search.space import Interval, Space
from packtrain.trainer.search.storage import one_writer, open_storage
from packtrain.trainer.search.study import OptunaSearch
from tests.helpers import Command
from tests.trainer.search.test_rounds import ONE_SEED

SPACE: Space = {"optimizer.lr": Interval(0.0, 1.0)}
ASKED = "search.space={optimizer.lr: {low: 1e-3, high: 1e-2}}"
SMALL = (*ONE_SEED, "search=optuna", ASKED, "search.rounds=1", "search.runs_per_round=2")


def test_a_study_in_a_file_has_one_writer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with one_writer(url, "digits/out"), one_writer(url, "digits/other"):
        with (
            pytest.raises(UserError, match="another search writes the study digits/out") as refused,
            one_writer(url, "digits/out"),
        ):
            pass
        assert "take another hydra.run.dir" in str(refused.value)
    with one_writer(url, "digits/out"):
        pass


def test_a_second_search_of_the_same_name_is_refused_while_the_first_writes(
    cli: Command, tmp_path: Path
) -> None:
    storage = "sqlite:///studies.db"
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with one_writer(f"sqlite:///{tmp_path}/studies.db", "debug/out"):
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(60)
        ended = cli(*SMALL, f"search.storage={storage}", "hydra.run.dir=a/out")
    finally:
        done.set()
        thread.join()
    assert ended.code == 2 and "another search writes the study debug/out" in ended.err
    assert ended.err.count("\n") == 1 and not (tmp_path / "a" / "out").exists()


def test_a_search_begins_a_study_of_its_own(tmp_path: Path) -> None:
    asked = SearchConfig("optuna", storage=f"sqlite:///{tmp_path / 'studies.db'}")
    first = OptunaSearch(SPACE, asked, False, tmp_path / "a", "mine", is_new=True)
    points = first.ask(0, 2)
    begun = OptunaSearch(SPACE, asked, False, tmp_path / "a", "mine", is_new=True)
    assert begun.study.trials == [], "what was cut short before its first results begins anew"
    begun.tell(0, [1.0, 2.0][: len(begun.ask(0, 2))], {})
    for folder in ("a", "b"):
        with pytest.raises(UserError, match=r"has a study mine already, of the search in .*/a: go on with"):
            OptunaSearch(SPACE, asked, False, tmp_path / folder, "mine", is_new=True)
    assert OptunaSearch(SPACE, asked, False, tmp_path / "a", "mine").ask(0, 2) == points


@pytest.mark.parametrize(
    "url",
    [
        "nosuch://me:secret@host/db",
        "postgresql+psycopg://me:secret@localhost:1/db",
        "nosuch://me:secret@[/db",
    ],
)
def test_no_sentence_has_the_password(url: str) -> None:
    with pytest.raises(UserError, match=r"search\.storage is a database") as refused:
        open_storage(url)
    assert "secret" not in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@host/db", "postgresql://host/db?user=me&password=secret"]
)
def test_a_password_that_is_typed_is_refused(url: str, cli: Command, tmp_path: Path) -> None:
    ended = cli(*SMALL, f"search.storage='{url}'")
    assert ended.code == 2 and "an environment variable" in ended.err and "secret" not in ended.err
    assert not (tmp_path / "out").exists()


def test_an_address_in_the_environment_is_in_no_file(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIES", "sqlite:///secret.db")
    ended = cli(*SMALL, "search.storage=${oc.env:STUDIES}")
    assert ended.code == 0, ended.err
    assert (tmp_path / "secret.db").exists()
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert len(files) > 8 and not [file for file in files if b"secret.db" in file.read_bytes()]
    assert "secret.db" not in ended.out + ended.err
    assert cli("resume=out").code == 0
