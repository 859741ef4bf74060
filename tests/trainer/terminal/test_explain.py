"""`packtrain explain`: what is read, what is printed, and what is refused."""

import json
from pathlib import Path

import pytest

from packtrain.trainer.terminal.explain_words import OPTIONS, read_explain
from tests.helpers import Command

MISTAKES = {
    ("nowhere",): "nowhere is no folder",
    ("sampel=3",): "no option and no field sampel (did you mean sample?)",
    ("sample=99999",): "sample is 0 to 383, or worst; got 99999",
    ("sample=-1",): "sample is 0 to 383, or worst; got -1",
    ("sample=wurst",): "sample is 0 to 383, or worst; got wurst",
    ("run=3",): "run=3: there are the runs 0 to 2",
    ("run=best",): "of a folder with trained runs also best; got best",
    ("delta=0",): "delta is a step of finite differences",
    ("delta=small",): "delta is a step of finite differences",
    ("to=pdf",): "to is one of text, json, html, mermaid, svg; got 'pdf'",
    ("--cfg", "job"): "packtrain explain has no option --cfg",
    ("seed=1,2",): "seed=1,2 names several values",
    ("experiment=digits", "to=mermaid"): "to=mermaid draws equations, and this is an MLP",
    ("experiment=digit",): "did you mean digits",
    (".", "seed=3"): "explained as it was trained, without seed=3",
    (".",): "holds no finished training or sweep",
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_sentence_and_exit_2(mistake: tuple[str, ...], cli: Command) -> None:
    experiment = [] if mistake[0] in (".", "nowhere") or "experiment" in mistake[0] else ["experiment=debug"]
    ended = cli("explain", *experiment, *mistake)
    assert (ended.code, ended.out) == (2, "")
    assert MISTAKES[mistake] in ended.err and ended.err.count("\n") == 1


def test_it_prints_everything_and_writes_nothing(cli: Command, tmp_path: Path) -> None:
    ended = cli("explain", "experiment=debug", "sample=3", "run=1")
    assert (ended.code, ended.err, list(tmp_path.iterdir())) == (0, "", [])
    for text in (
        "debug, run 1 of 3 (seed=1), before the first step: sample 3 of 384",
        "bc*xx + xy",
        "d xw / d xz   3*xz^2",
        "dL/d xy * d xy/d xx + dL/d xz * d xz/d xx + dL/d xw * d xw/d xx",
        "L <- xw <- xz <- xy <- ab",
        "-2 J^T e / 384",
        "a minibatch of 64",
    ):
        assert text in ended.out


def test_it_is_data_and_a_drawing_too(cli: Command) -> None:
    data = json.loads(cli("explain", "experiment=debug", "--json", "delta=0.5").out)
    (partial,) = (p for p in data["graph"]["partials"] if (p["of"], p["by"]) == ("xx", "xa"))
    assert partial["formula"] == "2*xa" and partial["difference"] == pytest.approx(partial["value"] + 0.5)
    assert cli("explain", "experiment=debug", "to=mermaid").out.startswith("graph ")
    assert cli("explain", "experiment=debug", "to=svg").out.startswith("<svg ")
    assert "<table>" in cli("explain", "experiment=debug", "to=html").out


def test_a_trained_run_is_explained(cli: Command) -> None:
    assert cli("experiment=debug", "loop.steps=4").code == 0
    ended = cli("explain", "out", "sample=worst", "--run", "2")
    assert (ended.code, ended.err) == (0, "")
    assert "debug, run 2 of 3 (seed=2), finished, in out: sample" in ended.out
    assert "run=7: out has the runs 0 to 2" in cli("explain", "out", "run=7").err


def test_help_names_each_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_explain(["--help"])
    text = capsys.readouterr().out
    assert end.value.code is None and "examples:" in text
    assert all(f"  {option}=" in text for option in OPTIONS)


def test_options_stand_anywhere(tmp_path: Path) -> None:
    given = read_explain(["--run", "best", str(tmp_path), "to=json", "--sample=worst", "delta=1e-3"])
    assert given == {
        "folder": tmp_path, "words": [], "config_dir": None, "sample": "worst", "run": "best", "delta": 1e-3,
        "to": "json",
    }  # fmt: skip
    given = read_explain(["model.widths=[2,3]", "--config-dir", str(tmp_path), "~experiment"])
    assert (given["folder"], given["config_dir"]) == (None, str(tmp_path))
    assert given["words"] == ["model.widths=[2,3]", "~experiment"]
