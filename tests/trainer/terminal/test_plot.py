"""`packtrain plot`: a picture of what a folder holds."""

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers import Command

LINE = "experiment=fit", "monitor=quiet"


def test_a_picture_of_a_folder_is_drawn_or_refused_in_a_sentence(cli: Command, tmp_path: Path) -> None:
    assert cli(*LINE).code == 0 and not list((tmp_path / "out").glob("*.png"))
    ended = cli("plot", "out", "fit", "to=line.svg")
    assert (ended.code, ended.out) == (0, "line.svg\n"), ended.err
    assert (tmp_path / "line.svg").read_text().startswith("<?xml")
    assert cli("plot", "out", "fit").out == "out/fit.png\n" and (tmp_path / "out" / "fit.png").exists()
    ended = cli("plot", "out", "confidence", "run=0")
    assert ended.out == "out/confidence-run-0000.png\n" and (tmp_path / ended.out.strip()).exists()
    ended = cli("plot", "out", "surface", "how=slice", "size=5")
    assert ended.out == "out/surface.png\n", ended.err

    listed = {line.split()[0]: line for line in cli("plot", "out").out.splitlines() if line.strip()}
    assert "data, curve and residuals" in listed["fit"] and "no: it needs" in listed["minima"]
    assert [*listed].index("confidence") < [*listed].index("minima")

    for typed, told in (
        ("minima", "there is no minima to draw of out: it needs equations of numbers, with model.starts"),
        ("fit run=7", "run=7: out has the runs 0 to 0, and 0 is the best"),
        ("sweep run=0", "sweep is a picture of all runs: leave run=0 out"),
        ("confusion run=0", "confusion is a picture of the best run: leave run=0 out"),
        ("fit to=fit.gif", "to is a file .png or .svg; got fit.gif"),
    ):
        ended = cli("plot", "out", *typed.split())
        assert (ended.code, ended.err) == (2, f"packtrain: {told}\n")


def test_without_matplotlib_or_a_usable_run_it_says_so(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*LINE).code == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    shutil.copytree(tmp_path / "out", tmp_path / "none")
    (tmp_path / "none" / "result.json").write_text(json.dumps(result | {"best_run": None}))
    ended = cli("plot", "none")
    assert ended.code == 0 and "run=best: none has the runs 0 to 0" in " ".join(ended.out.split())
    assert ended.out.count("run=best") == 1 and "what it is drawn of can't be had" in ended.out
    monkeypatch.setattr("packtrain.trainer.terminal.plot.can_draw", lambda: False)
    ended = cli("plot", "out", "fit")
    assert (ended.code, ended.err) == (
        2,
        "packtrain: pictures need matplotlib: pip install 'packtrain[plot]'\n",
    )
