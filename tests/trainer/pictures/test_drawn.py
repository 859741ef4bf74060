"""The table of pictures: each kind is drawn, one that fails doesn't stop the others."""

import inspect
from pathlib import Path

import pytest

from packtrain.trainer.pictures import drawn
from packtrain.trainer.pictures.drawn import OF_DESCENTS, OF_RESULT, OF_RUNS, Drawing, draw_pictures
from packtrain.trainer.pictures.kinds import KINDS
from tests.trainer.pictures.fits import fit


def test_each_kind_has_words_and_what_draws_it_with_its_options() -> None:
    drawings = OF_RUNS | OF_DESCENTS | OF_RESULT
    assert sorted(KINDS) == sorted([*OF_RUNS, *OF_DESCENTS, *OF_RESULT])
    for name, kind in KINDS.items():
        known = inspect.signature(drawings[name].draw).parameters
        options = {*kind.options, *(["run"] if kind.of_a_run else [])}
        assert options <= {*known}, name


def test_a_picture_that_fails_is_told_and_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(drawn.OF_RUNS, "sweep", Drawing(lambda runs, file: bool(1 / 0), bool))
    said: list[str] = []
    assert [*draw_pictures(fit(), tmp_path, say=said.append)] == ["fit", "graph"]
    assert {file.name for file in tmp_path.iterdir()} >= {"fit.png", "graph.png", "graph.svg"}
    assert said == ["sweep.png could not be drawn (division by zero); the results are written"]


def test_what_there_is_no_time_for_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "SECONDS", -1.0)
    said: list[str] = []
    assert draw_pictures(fit(), tmp_path, say=said.append) == {} and list(tmp_path.iterdir()) == []
    why = "was left out, since other pictures took long: packtrain plot FOLDER"
    assert said == [f"{kind}.png {why} {kind}" for kind in ("fit", "graph")]
