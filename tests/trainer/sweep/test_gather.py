"""The table of a whole sweep, and the curves in its picture."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import packtrain
from packtrain.trainer.folder import result
from packtrain.trainer.folder.stored import read_stored
from packtrain.trainer.pictures.ranked import Ranked
from packtrain.trainer.sweep import gather
from packtrain.trainer.sweep.gather import weave
from tests.helpers import Command, result_in
from tests.strategies import few
from tests.trainer.curves import images, run_folder, scalars
from tests.trainer.sweep.test_sweep import BRIEF, HERE, rows_in

COLUMNS = st.lists(st.sampled_from("abcdefg"), unique=True)


@few
@given(st.lists(COLUMNS))
def test_columns_of_all_packs_are_there_once(packs: list[list[str]]) -> None:
    columns: list[str] = []
    for pack in packs:
        before = list(columns)
        weave(columns, pack)
        assert [name for name in columns if name in before] == before
    assert sorted(columns) == sorted({name for pack in packs for name in pack})


def test_a_new_column_follows_the_one_before_it() -> None:
    columns = ["index", "seed", "outcome"]
    weave(columns, ["index", "optimizer.lr", "outcome", "parameters.a"])
    assert columns == ["index", "optimizer.lr", "seed", "outcome", "parameters.a"]


@pytest.fixture
def drawn() -> None:
    """Pictures are made."""


RECORDED = ("-m", *BRIEF, "monitor=default", "monitor.every=1", "optimizer=adam,adamw", "loop.steps=8", HERE)


@pytest.mark.thorough
@pytest.mark.parametrize("varied", ["seed=3", "optimizer.lr=0.03,1e30,0.01"])
def test_the_picture_has_the_curves_of_all_packs_the_best_first(
    varied: str, cli: Command, drawn: None, tmp_path: Path
) -> None:
    """TensorBoard has the pictures too, and those of the sweep as it is when it was resumed."""
    assert cli(*RECORDED, "seed=3", varied).code == 0
    folder = tmp_path / "sweep"
    usable = [row for row in rows_in(folder) if row["outcome"] == "finished"]
    ranked = sorted(usable, key=lambda row: float(row["loss.validation"]))
    assert int(ranked[0]["index"]) == result_in(folder)["best_run"]
    own = [run_folder(folder / row["pack"], int(row["run"])) for row in ranked]
    runs = Ranked.of_folder(read_stored(folder))
    assert [str(line["index"]) for line in runs.lines] == [row["index"] for row in ranked]
    curves = runs.lines_of("loss", [line["index"] for line in runs.lines])
    expected = [scalars(of_run)["loss/train"] for of_run in own]
    assert [list(zip(*curve.tolist(), strict=True)) for curve in curves] == expected
    for resumed in (False, True):
        assert not resumed or cli("resume=sweep").code == 0
        names = "loss", "sweep", "fit", "graph", "surface"
        files = {f"pictures/{name}": [(folder / f"{name}.png").read_bytes()] for name in names}
        assert images(folder / "tensorboard" / "summary") == files
        linked = sorted((folder / "tensorboard").glob("[0-9]*/events*"))
        assert all(link.samefile(next(of_run.iterdir())) for link, of_run in zip(linked, own, strict=False))
        assert len(linked) == len(rows_in(folder)) and not (folder / "tensorboard-all").exists()
        names = [file.parent.name for file in linked]
        assert names[0].startswith("1 ") and all("optimizer=adam" in name for name in names)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("word", ["monitor=quiet", "monitor.pictures=no"])
def test_a_sweep_without_pictures_draws_none(word: str, cli: Command, drawn: None, tmp_path: Path) -> None:
    words = "experiment=debug", "monitor=default", "monitor.tensorboard=false", "loop.steps=2"
    assert cli("-m", *words, word, "seed=1,2", HERE).code == 0
    assert not list((tmp_path / "sweep").rglob("*.png"))


GATHERED = {
    "cut into packs": ("optimizer.lr=1e-3,1e-2,1e-1", "seed=range(0,4)", "search.max_pack=5"),
    "a pack a seed": ("optimizer=adam,adamw", "seed=1,2", "data.seed=${seed}"),
    "a pack a structure": ("optimizer=adam,lion", "optimizer.lr=1e-3,1e-2", "search.over_seeds=median"),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("asked", GATHERED.values(), ids=GATHERED)
def test_settings_are_those_of_all_packs(
    asked: tuple[str, ...], cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a pack lists but its own best runs, of which the best of all is none."""
    for module in (gather, result):
        monkeypatch.setattr(module, "LISTED_RUNS", 3)
        monkeypatch.setattr(module, "LISTED_BEST", 1)
    ended = cli("-m", *BRIEF, "monitor.pictures=false", *asked, HERE)
    assert ended.code == 0, ended.err
    folder = tmp_path / "sweep"
    runs, written = (pd.read_csv(folder / name) for name in ("runs.csv", "settings.csv"))
    found = result_in(folder)
    fields = [name for name in ("optimizer", "optimizer.lr") if name in runs]
    way = "median" if "search.over_seeds=median" in asked else "mean"
    expected = runs.groupby(fields)["loss.validation"].agg(way)
    keys: list[Any] = list(written[fields].itertuples(index=False, name=None))
    assert written[way].tolist() == pytest.approx(
        [expected[key[0] if len(fields) == 1 else key] for key in keys]
    )
    assert written[way].is_monotonic_increasing and len(written) == len(expected) == found["setting_count"]
    of_best: Any = runs[(runs[fields] == list(keys[0])).all(axis=1)]
    assert found["best_run"] == of_best.loc[of_best["loss.validation"].idxmin(), "index"]
    assert found["best_run"] == written["best_run"][0] == found["settings"][0]["best_run"]
    assert found["run"][0]["index"] == found["best_run"] and found["run"][0]["metrics"]
    assert f"setting   {fields[0]}" in ended.out and packtrain.load(folder, run="best").best_run is not None
