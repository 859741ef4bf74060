"""A training that stopped goes on to the end that it would have had, and no other takes its folder."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packtrain.trainer.folder.checkpoint import part_of, read
from packtrain.trainer.folder.lock import locked
from packtrain.trainer.folder.resuming import NUMBERS, _differences
from packtrain.trainer.loop.stop import Signals
from tests.helpers import Command, result_in
from tests.trainer.curves import scalars

PRIMER = "experiment=primer", "data.size=300", "data.validation=0.2", "loop.batch_size=50", "monitor.every=7"
GAUSSIANS = "experiment=gaussians", "data.size=300", "loop.batch_size=50", "monitor.every=7"
FIT = "experiment=fit", "monitor.every=1"
LENGTH = "loop.steps=120", "monitor.validate_every=30", "monitor.progress=false", "checkpoint.every=25"
PACK = 'pack.over={seed: "range(0,3)"}'
TRAININGS = {
    "graph": (*PRIMER, *LENGTH),
    "graphs": (*PRIMER, *LENGTH, PACK),
    "network": (*GAUSSIANS, *LENGTH),
    "networks": (*GAUSSIANS, *LENGTH, PACK, "engine=step", "compute.backend=reference"),
    "fit": (*FIT, "checkpoint.every=2", "monitor.progress=false"),
}


@pytest.fixture
def stopped_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None, signal.Signals], None]:
    """Sends this process a signal when a training has made so many slices; None: never."""

    def at(slices: int | None, sent: signal.Signals = signal.SIGTERM) -> None:
        left = iter(range(slices or 0, -1, -1))

        def reason(signals: Signals) -> str:
            if slices is not None and next(left, None) == 0:
                signal.raise_signal(sent)
            return f"{signals.received.name} came" if signals.received else ""

        monkeypatch.setattr(Signals, "reason", property(reason))

    return at


def outcome_in(folder: Path) -> dict[str, Any]:
    """All that a training leaves, but for what tells the time."""
    result = result_in(folder)
    del result["seconds"]
    curves = {
        str(path.parent.relative_to(folder)): scalars(path.parent)
        for path in sorted(folder.glob("tensorboard*/*/events*"))
    }
    assert curves and all(curves.values())
    for each in curves.values():
        each.pop("speed/samples_per_second", None)
        for tag, points in each.items():
            steps = [step for step, _ in points]
            assert len(set(steps)) == len(steps), f"{tag} has a step twice"
    newest = read(max((folder / "checkpoint").glob("*.safetensors")))
    engine = {name: each.tolist() for name, each in part_of(newest.memory, "engine").items()}
    tables = (folder / "runs.csv").read_text(), (folder / "model.safetensors").read_bytes()
    return {"result": result, "curves": curves, "engine": engine, "tables": tables}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("training", TRAININGS)
def test_a_training_that_is_stopped_again_and_again_ends_as_if_it_had_not_been(
    training: str, cli: Command, tmp_path: Path, stopped_at: Callable[..., None]
) -> None:
    asked = TRAININGS[training]
    assert cli(*asked, "hydra.run.dir=whole").code == 0
    slices = 2 if training == "fit" else 5
    stopped_at(slices)
    ended = cli(*asked, "hydra.run.dir=cut")
    assert ended.code == 143 and result_in(tmp_path / "cut")["interrupted"]
    stops = 0
    while ended.code == 143:
        stops += 1
        stopped_at(slices)
        ended = cli("resume=cut")
        assert "going on from step" in ended.out
    assert ended.code == 0 and stops > 1
    assert outcome_in(tmp_path / "cut") == outcome_in(tmp_path / "whole")


def test_a_training_whose_process_vanished_goes_on_from_its_last_checkpoint(
    cli: Command, tmp_path: Path, stopped_at: Callable[..., None]
) -> None:
    asked = TRAININGS["graphs"]
    assert cli(*asked, "hydra.run.dir=whole").code == 0
    stopped_at(6)
    assert cli(*asked, "hydra.run.dir=cut").code == 143
    cut = tmp_path / "cut"
    max((cut / "checkpoint").iterdir()).unlink()  # that of the end
    for name in ("result.json", "runs.csv", "model.safetensors"):
        (cut / name).unlink()
    for file in cut.glob("tensorboard/*/events*"):
        file.write_bytes(file.read_bytes() + b"half a rec")
    stopped_at(None)
    assert cli("resume=cut").code == 0
    assert outcome_in(cut) == outcome_in(tmp_path / "whole")


def test_event_files_that_lost_their_ends_go_on_with_what_is_whole(
    cli: Command, tmp_path: Path, stopped_at: Callable[..., None]
) -> None:
    stopped_at(6)
    assert cli(*TRAININGS["graphs"], "hydra.run.dir=cut").code == 143
    files = sorted((tmp_path / "cut").glob("tensorboard*/*/events*"))
    files[0].write_bytes(files[0].read_bytes()[:-5])
    files[1].unlink()
    stopped_at(None)
    assert cli("resume=cut").code == 0
    outcome = outcome_in(tmp_path / "cut")
    assert len(outcome["curves"]) == 4
    last = [
        curves["loss/train"][-1][0] for name, curves in outcome["curves"].items() if "summary" not in name
    ]
    assert last == [119, 119, 119]


def test_the_same_command_into_the_same_folder_goes_on_too(
    cli: Command, tmp_path: Path, stopped_at: Callable[..., None]
) -> None:
    asked = *TRAININGS["graph"], "hydra.run.dir=cut"
    stopped_at(3)
    assert cli(*asked).code == 143
    stopped_at(None)
    ended = cli(*asked)
    assert ended.code == 0 and "going on from step" in ended.out
    assert result_in(tmp_path / "cut")["steps"] == 120
    before = outcome_in(tmp_path / "cut")
    assert cli(*asked).code == 0, "a finished training is told once more"
    assert outcome_in(tmp_path / "cut") == before


def test_a_training_can_be_trained_on(cli: Command, tmp_path: Path) -> None:
    asked = [each for each in TRAININGS["graphs"] if each != "loop.steps=120"]
    constant = "schedule=constant"
    assert cli(*asked, constant, "loop.steps=130", "hydra.run.dir=whole").code == 0
    assert cli(*asked, constant, "loop.steps=65", "hydra.run.dir=more").code == 0
    assert cli("resume=more", "loop.steps=130").code == 0
    assert outcome_in(tmp_path / "more") == outcome_in(tmp_path / "whole")
    ended = cli("resume=more", "loop.steps=20")
    assert ended.code == 2 and "has trained 130 steps already, and this asks for 20" in ended.err


def test_seconds_add_up(cli: Command, tmp_path: Path) -> None:
    asked = "experiment=debug", "loop.steps=100000000", "monitor.progress=false", "hydra.run.dir=cut"
    assert cli(*asked, "loop.max_seconds=0.3").code == 0
    first = result_in(tmp_path / "cut")
    assert cli("resume=cut").code == 0
    again = result_in(tmp_path / "cut")
    assert again["steps"] == first["steps"], "its time was over"
    assert cli("resume=cut", "loop.max_seconds=0.6").code == 0
    more = result_in(tmp_path / "cut")
    assert more["steps"] > first["steps"] and 0.6 < more["seconds"]["train"] < 60
    assert more["seconds"]["total"] > more["seconds"]["train"] + more["seconds"]["compile"]


def test_another_training_is_refused_before_it_changes_anything(cli: Command, tmp_path: Path) -> None:
    asked = "experiment=debug", "hydra.run.dir=mine"
    assert cli(*asked, "seed=3").code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    other = cli(*asked, "seed=4", "optimizer.lr=0.5", "data.noise=0.1")
    assert other.code == 2 and other.err.count("\n") == 1
    for told in (
        "holds another training",
        "seed (3 there)",
        "optimizer.lr (0.03 there)",
        "data.noise (0.0 there)",
    ):
        assert told in other.err
    pack = cli(*asked, 'pack.over={seed: "range(3,5)"}')
    assert pack.code == 2 and "runs (1 there), pack.over" in pack.err
    assert before == {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file()}


def test_what_changed_is_seen_where_the_command_did_not(cli: Command, tmp_path: Path) -> None:
    points = "t,v\n1,2\n2,4\n3,6\n"
    (tmp_path / "points.csv").write_text(points)
    asked = (
        "~experiment", "model.expressions=['xv = a*xt']", "data=file", "data.path=points.csv",
        "data.columns={xt: t, xv: v}", "loop.batch_size=full", "loop.steps=5", "hydra.run.dir=mine",
    )  # fmt: skip
    assert cli(*asked).code == 0
    (tmp_path / "points.csv").write_text(points + "4,8\n")
    ended = cli("resume=mine", "loop.steps=10")
    assert ended.code == 2 and "the data (3 samples of 1 inputs and 1 targets there)" in ended.err
    (tmp_path / "points.csv").write_text(points.replace("3,6", "3,6.1"))
    ended = cli("resume=mine", "loop.steps=10")
    assert ended.code == 2 and ended.err == (
        f"packtrain: {tmp_path / 'mine'} holds another training, which differs in the numbers of its data, "
        "which have changed since: take another hydra.run.dir, or delete that one\n"
    )
    (tmp_path / "points.csv").write_text("t,v,unused\n1,2,0\n2,4,0\n3,6,0\n")
    assert cli("resume=mine", "loop.steps=10").code == 0, "what isn't used may change"


def test_a_checkpoint_of_an_older_version_goes_on() -> None:
    """It has no digest, and no field that is new; what it has beyond the asked is a difference."""
    here = {"seed": 1, "model.parameters": [], NUMBERS: "3f", "loop.steps": 3}
    assert _differences({"seed": 1, "loop.steps": 9}, here) == ""
    assert _differences(here, {**here, NUMBERS: "4a"}) == NUMBERS
    assert _differences({**here, "model.initial.a": 2}, here) == "model.initial.a (2 there)"
    assert _differences({"seed": 1}, {**here, "model.parameters": ["x0"]}) == "model.parameters ([] there)"


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "asked",
    [
        ("optimizer=sgd,adam", "hydra.sweep.dir=sweep"),
        (
            "search=random", "search.space={optimizer.lr: {choices: [0.1, 0.2]}}", "search.rounds=2",
            "search.runs_per_round=2", "hydra.run.dir=sweep",
        ),
    ],
)  # fmt: skip
def test_data_that_changed_are_seen_by_what_is_left_of_a_sweep(
    asked: tuple[str, ...], cli: Command, tmp_path: Path
) -> None:
    points = tmp_path / "points.csv"
    points.write_text("x,xy\n1,2\n2,4\n")
    fit = (
        "~experiment", "model.expressions=['xy = a*x']", "data=file", "data.path=points.csv", "loop.steps=5",
        "loop.batch_size=full", "monitor=quiet", "monitor.progress=false", "engine=step",
        "compute.backend=reference",
    )  # fmt: skip
    multirun = [] if "search=random" in asked else ["-m"]
    assert cli(*multirun, *fit, *asked).code == 0
    points.write_text("x,xy\n1,2\n2,5\n")
    assert cli("resume=sweep").code == 0, "nothing is left to train"
    (tmp_path / "sweep" / "1" / "result.json").unlink()
    ended = cli("resume=sweep")
    assert (
        ended.code == 2 and f"points.csv changed since the sweep in {tmp_path / 'sweep'} began" in ended.err
    )
    points.write_text("x,xy\n1,2\n2,4\n")
    assert cli("resume=sweep").code == 0


def test_a_second_process_is_refused(cli: Command, tmp_path: Path) -> None:
    asked = "experiment=debug", "hydra.run.dir=mine"
    assert cli(*asked).code == 0
    with locked(tmp_path / "mine"):
        ended = cli(*asked)
        assert ended.code == 2 and "is being written by another packtrain" in ended.err
        assert cli("-m", "experiment=debug", "hydra.sweep.dir=mine").code == 2
        (tmp_path / "mine" / "command.json").unlink()  # a process that has only begun
        ended = cli(*asked)
        assert ended.code == 2 and "is being written by another packtrain" in ended.err


def test_no_checkpoints_are_written_where_none_are_asked_for(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug", "checkpoint.every=null").code == 0
    assert not (tmp_path / "out" / "checkpoint").exists()
    assert cli("resume=out").code == 0, "it is trained from the beginning"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("given", ["0", "-3", "30m", "s", "0s", "fast"])
def test_an_interval_that_is_none_is_told(given: str, cli: Command) -> None:
    ended = cli("experiment=debug", f"checkpoint.every={given}")
    assert ended.code == 2 and "checkpoint.every is a number of steps, or seconds as in 30s" in ended.err


@pytest.mark.sampled(2)
@pytest.mark.parametrize("given", ["1", "0.5s", "30 s", "100"])
def test_an_interval_is_steps_or_seconds(given: str, cli: Command) -> None:
    assert cli("experiment=debug", f"checkpoint.every={given}").code == 0


def test_a_checkpoint_that_is_damaged_gives_way_to_the_one_before(
    cli: Command, tmp_path: Path, stopped_at: Callable[..., None]
) -> None:
    asked = TRAININGS["graph"]
    assert cli(*asked, "hydra.run.dir=whole").code == 0
    stopped_at(8)
    assert cli(*asked, "hydra.run.dir=cut").code == 143
    newest = max((tmp_path / "cut" / "checkpoint").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    stopped_at(None)
    ended = cli("resume=cut")
    assert ended.code == 0 and "no checkpoint that can be used" in ended.out
    assert outcome_in(tmp_path / "cut") == outcome_in(tmp_path / "whole")


def test_one_part_of_a_sweep_does_not_go_on_by_itself(cli: Command, tmp_path: Path) -> None:
    asked = "-m", "experiment=debug", "optimizer=adam,adamw", "hydra.sweep.dir=sweep", "monitor=quiet"
    assert cli(*asked).code == 0
    ended = cli("resume=sweep/1")
    assert ended.code == 2 and f"goes on as a whole: resume={tmp_path / 'sweep'}" in ended.err


def test_sigusr1_ends_a_sweep_with_0_and_it_goes_on(
    cli: Command, tmp_path: Path, stopped_at: Callable[..., None]
) -> None:
    stopped_at(2, signal.SIGUSR1)
    asked = "-m", *TRAININGS["graph"], "optimizer=adam,adamw", "hydra.sweep.dir=sweep", "optimizer.lr=1e-3"
    ended = cli(*asked)
    assert ended.code == 0 and "trains what is left" in ended.out
    cut = result_in(tmp_path / "sweep" / "0")
    assert cut["interrupted"] and 0 < cut["steps"] < 120 and not (tmp_path / "sweep" / "1").exists()
    stopped_at(None)
    ended = cli("resume=sweep")
    assert ended.code == 0 and "going on from step" in ended.out
    whole = asked[:-2]
    assert cli(*whole, "hydra.sweep.dir=whole", asked[-1]).code == 0
    for pack in "01":
        assert outcome_in(tmp_path / "sweep" / pack) == outcome_in(tmp_path / "whole" / pack)


def test_a_command_is_kept_whole_and_once(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug", "seed=5", "hydra.run.dir=mine").code == 0
    kept = json.loads((tmp_path / "mine" / "command.json").read_text())
    assert kept["cwd"] == str(tmp_path) and "seed=5" in kept["typed"]
    shutil.rmtree(tmp_path / "mine" / ".hydra")  # as a kill while Hydra writes it may leave it
    os.chdir("/")
    assert cli(f"resume={tmp_path / 'mine'}", "loop.steps=29").code == 0
    assert json.loads((tmp_path / "mine" / "command.json").read_text()) == kept


@pytest.mark.sampled(1)
@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_a_fit_that_used_up_its_steps_goes_on_with_more(backend: str, cli: Command, tmp_path: Path) -> None:
    fit = "experiment=fit", f"compute.backend={backend}", "monitor.progress=false"
    assert cli(*fit, "loop.steps=3", "hydra.run.dir=cut").code == 0
    assert result_in(tmp_path / "cut")["outcomes"] == {"stopped early": 1}
    assert cli("resume=cut", "loop.steps=50").code == 0
    assert cli(*fit, "loop.steps=50", "hydra.run.dir=whole").code == 0
    assert outcome_in(tmp_path / "cut") == outcome_in(tmp_path / "whole")
