"""The table of a whole sweep, and the curves in its picture."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.trainer.folder.stored import read_stored
from packtrain.trainer.pictures.ranked import Ranked
from packtrain.trainer.sweep import report
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


RECORDED = ("-m", *BRIEF, "monitor=default", "monitor.every=1", "optimizer=adam,adamw", "loop.steps=8", HERE)


@pytest.mark.parametrize("varied", ["seed=3", "optimizer.lr=0.03,1e30,0.01"])
def test_the_picture_has_the_curves_of_all_packs_the_best_first(
    varied: str, cli: Command, tmp_path: Path
) -> None:
    """TensorBoard has the pictures too, and those of the sweep as it is when it was resumed."""
    assert cli(*RECORDED, "seed=3", varied).code == 0
    folder = tmp_path / "sweep"
    usable = [row for row in rows_in(folder) if row["outcome"] == "finished"]
    ranked = sorted(usable, key=lambda row: float(row["loss.validation"]))
    assert int(ranked[0]["index"]) == result_in(folder)["best_run"]
    runs = Ranked.of_folder(read_stored(folder))
    assert [str(line["index"]) for line in runs.lines] == [row["index"] for row in ranked]
    curves = runs.lines_of("loss", [line["index"] for line in runs.lines])
    own = [run_folder(folder / row["pack"], int(row["run"])) for row in ranked]
    expected = [scalars(of_run)["loss/train"] for of_run in own]
    assert [list(zip(*curve.tolist(), strict=True)) for curve in curves] == expected
    for resumed in (False, True):
        assert not resumed or cli("resume=sweep").code == 0
        files = {name: [(folder / f"{name}.png").read_bytes()] for name in ("loss", "sweep")}
        assert images(folder / "tensorboard" / "summary") == files
        linked = sorted((folder / "tensorboard").glob("[0-9]*/events*"))
        assert all(link.samefile(next(of_run.iterdir())) for link, of_run in zip(linked, own, strict=False))
        assert len(linked) == len(rows_in(folder)) and not (folder / "tensorboard-all").exists()
        names = [file.parent.name for file in linked]
        assert names[0].startswith("1 ") and all("optimizer=adam" in name for name in names)


@pytest.mark.parametrize("word", ["monitor.pictures=false", "monitor.pictures=False", "monitor.pictures=no"])
def test_a_sweep_without_pictures_draws_none(word: str) -> None:
    assert report.NO_PICTURES.fullmatch(word) and not report.NO_PICTURES.fullmatch("monitor.pictures=true")
