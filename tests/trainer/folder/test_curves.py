"""Curves: what is recorded while runs train, in memory and in the files of a run folder."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

import packtrain
from packtrain.trainer.engines.base import History
from packtrain.trainer.folder import curves
from packtrain.trainer.folder.curve_file import CurveFile
from packtrain.trainer.folder.curves import FILE, NOTHING, UNDERWAY, Curves, joined, read_curves
from packtrain.trainer.folder.recording import Recording
from packtrain.trainer.models.evaluate import Evaluation
from tests.helpers import Command

RUNS, PARAMETERS = 3, ["a", "b"]
HERE = "hydra.run.dir=out"


def history(start: int, stop: int, every: int = 10) -> History:
    """A slice of the steps start .. stop - 1 of RUNS runs, of which the second ends before step 25."""
    steps = range(start + -start % every, stop, every)
    at = torch.tensor(list(steps), dtype=torch.float32)[:, None] + torch.arange(RUNS)
    loss = at.clone()
    loss[torch.tensor(list(steps), dtype=torch.int64) > 24, 1] = torch.nan
    scalars = torch.stack([at, 2 * at], -1)
    return History(steps, torch.arange(RUNS), loss, 3 * at, {"lr": at / 8}, scalars, torch.ones(RUNS), 1)


def validation(step: int) -> tuple[torch.Tensor, Evaluation, torch.Tensor]:
    """A validation of the first and the last run."""
    measured = Evaluation(torch.tensor([0.5, 9.0, torch.inf]), {"mae": torch.tensor([1.0, 2.0, 3.0]) * step})
    return torch.full((RUNS,), step), measured, torch.tensor([True, False, True])


def trained(watcher: Any, *stops: int, start: int = 0) -> None:
    """Tells the watcher of slices that end at these steps, and of validations every 20 steps."""
    for stop in stops:
        watcher.record(history(start, stop))
        if stop % 20 == 0:
            watcher.validated(*validation(stop))
        start = stop


def ended(file: CurveFile) -> pa.Table:
    file.end(torch.tensor([40, 25, 40]), torch.ones(RUNS, 2))
    return read_curves(file.folder).table


def whole(folder: Path) -> CurveFile:
    """The curves of a training that nothing disturbed."""
    file = CurveFile(folder, PARAMETERS)
    file.begin()
    trained(file, 7, 20, 33, 40)
    return file


def test_a_row_is_a_run_at_a_step(tmp_path: Path) -> None:
    recorded = Curves(ended(whole(tmp_path)))
    assert recorded.parameters == PARAMETERS
    assert recorded.line(1, "loss").tolist() == [[0, 10, 20], [1, 11, 21]]
    assert recorded.line(0, "loss.validation").tolist() == [[20, 40], [0.5, 0.5]]
    assert recorded.line(2, "loss.validation").shape == (2, 0) and recorded.line(2, "metrics.mae").shape == (
        2,
        2,
    )
    assert recorded.path(2, ["b", "a"]).tolist() == [[4, 2], [24, 12], [44, 22], [64, 32], [1, 1]]
    steps, loss = recorded.grid("loss")
    assert steps.tolist() == [0, 10, 20, 30] and np.isnan(loss).sum(0).tolist() == [0, 1, 0]
    assert recorded.of(7)["step"].size == 0 and recorded.line(0, "nothing").shape == (2, 0)
    assert recorded.grid("nothing")[1].shape == (0, RUNS)
    assert recorded.of_runs([1]).counted_from(10).table["run"].unique().to_pylist() == [11]
    assert not (tmp_path / UNDERWAY).exists()


def test_what_is_kept_in_memory_is_what_the_file_holds(tmp_path: Path) -> None:
    recording = Recording(PARAMETERS)
    trained(recording, 7, 20, 33, 40)
    kept = recording.curves(torch.tensor([40, 25, 40]), torch.ones(RUNS, 2)).table
    assert kept.equals(ended(whole(tmp_path)))
    recording.forget(20)
    trained(recording, 40, start=20)
    again = recording.curves(torch.tensor([40, 25, 40]), torch.ones(RUNS, 2)).table
    assert again.equals(kept)


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("lost", ["nothing", "its end", "all of it", "more was written", "it had ended"])
def test_a_training_that_goes_on_has_the_curves_of_one_undisturbed(
    flushed: bool, lost: str, tmp_path: Path
) -> None:
    file = CurveFile(tmp_path / "cut", PARAMETERS)
    file.begin()
    trained(file, 7, 20)
    if flushed:
        file.flush()
    memory = {name: tensor.clone() for name, tensor in file.memory.items()}
    trained(file, 30, 40, start=20)
    if lost == "more was written":
        file.flush()
    elif lost == "it had ended":
        ended(file)
    arrow = tmp_path / "cut" / UNDERWAY
    if lost == "its end":
        arrow.write_bytes(arrow.read_bytes()[:-3])
    if lost == "all of it":
        arrow.unlink()
    again = CurveFile(tmp_path / "cut", PARAMETERS)
    again.restore(memory)
    trained(again, 33, 40, start=20)
    table, expected = ended(again), ended(whole(tmp_path / "whole"))
    if flushed and lost in ("its end", "all of it"):
        assert table.slice(0, 3)["step"].to_pylist() == [20, 20, 20]  # what was written is lost
    else:
        assert table.equals(expected)
        assert (tmp_path / "cut" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()


def test_the_bytes_do_not_depend_on_the_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "ROWS", 7)
    often, seldom = CurveFile(tmp_path / "often", PARAMETERS), CurveFile(tmp_path / "seldom", PARAMETERS)
    for file, stops in ((often, range(1, 41)), (seldom, (20, 40))):
        file.begin()
        for start, stop in zip([0, *stops], stops, strict=False):
            trained(file, stop, start=start)
            file.flush()
        ended(file)
    files = [tmp_path / name / FILE for name in ("often", "seldom")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert parquet.ParquetFile(files[0]).num_row_groups == 3


def test_a_folder_that_cant_be_written_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = whole(tmp_path / "mine")
    where = file.file
    file.file = tmp_path / "nowhere" / UNDERWAY
    file.flush()
    assert file.problem.startswith("can't write") and "No such file" in file.problem
    file.file = where
    assert ended(file).equals(ended(whole(tmp_path / "whole"))) and not file.problem


def test_a_disk_that_is_full_at_first_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = CurveFile(tmp_path / "mine", PARAMETERS)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", Mock(side_effect=OSError(28, "No space left on device")))
        file.begin()
    assert file.problem == f"can't write {file.file}: No space left on device"
    trained(file, 7, 20, 33, 40)
    assert ended(file).equals(ended(whole(tmp_path / "whole"))) and not file.problem


def test_a_file_of_somebody_elses_is_one_sentence(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"run": ["a"], "step": [1]}), tmp_path / FILE)
    with pytest.raises(packtrain.UserError, match=r"curves\.parquet holds no curves.*: its columns"):
        read_curves(tmp_path)
    (tmp_path / FILE).write_bytes(b"PAR1 and no more")
    with pytest.raises(packtrain.UserError, match="holds no curves of a training"):
        read_curves(tmp_path)
    assert joined([]).equals(NOTHING)


def test_the_command_leaves_curves_and_exports_them(cli: Command, tmp_path: Path) -> None:
    fields = "data.size=64", "loop.steps=60", "loop.batch_size=16", "data.validation=0.25"
    more = "monitor.validate_every=30", "pack.over={seed: '1,2', optimizer.lr: '0.01,0.1'}"
    assert cli(HERE, *fields, *more).code == 0
    loaded = packtrain.load(tmp_path / "out")
    table = loaded.curves()
    assert table["run"].unique().to_pylist() == [0, 1, 2, 3]
    assert loaded.curves(run=2)["step"].to_pylist() == [0, 20, 30, 40, 60, 60]
    assert loaded.curves(run=2)["parameters.ab"][-1].as_py() == float(loaded.parameters(run=2)["ab"])
    ended = cli("export", "out", "curves")
    assert ended.code == 0 and "out/export/curves.csv: 24 rows of run, step, seed, optimizer.lr" in ended.out
    ended = cli("export", "out", "curves", "run=3", "to=mine.parquet")
    mine = parquet.read_table(tmp_path / "mine.parquet")
    assert ended.code == 0 and mine["optimizer.lr"].unique().to_pylist() == [0.1] and len(mine) == 6
    for words, sentence in (
        (("curves", "to=a.txt"), "curves go into a file that ends in .csv or .parquet"),
        (("curve",), "did you mean curves?"),
        (("curves", "format=numpy"), "format is about models"),
        (("curves", "run=9"), "run=9: out has the runs 0 to 3"),
    ):
        refused = cli("export", "out", *words)
        assert refused.code == 2 and sentence in refused.err, refused.err


def test_a_sweeps_curves_are_one_table(cli: Command, tmp_path: Path) -> None:
    swept = "-m", "optimizer=adam,sgd", "seed=1,2", "data.size=64", "loop.steps=21", "loop.batch_size=16"
    assert cli(*swept, "optimizer.lr=1e-5", "hydra.sweep.dir=out").code == 0
    assert cli("export", "out", "curves", "to=all.parquet").code == 0
    assert read_curves(tmp_path / "out").grid("loss")[1].shape == (2, 4)
    table = parquet.read_table(tmp_path / "all.parquet")
    assert table.column_names[:4] == ["run", "step", "optimizer", "seed"]
    rows = zip(*(table[name].to_pylist() for name in ("run", "optimizer", "seed")), strict=True)
    assert set(rows) == {(0, "adam", 1), (1, "adam", 2), (2, "sgd", 1), (3, "sgd", 2)}
