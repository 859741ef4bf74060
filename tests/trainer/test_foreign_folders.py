"""Result folders of somebody else, or damaged ones: one sentence, and nothing read or written outside."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from rich.console import Console
from safetensors import safe_open
from safetensors.torch import save_file

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.console.training import run
from packtrain.trainer.folder.command import Command as Started
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.folder.plan import FILE, Plan, PlannedPack, read_plan, write_plan
from tests.helpers import Command
from tests.trainer.configs import compose, pack_of

Edit = Callable[[Any], Any]
DEEP = 2_000  # nested more than Python's stack is deep
GARBAGE = (
    b"",
    b"\xff\xfe\0",
    b"null",
    b"[]",
    b"{}",
    b"7",
    b'"a"',
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b"a: [b",
    b"\0" * 99,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training, which no test changes."""
    folder = tmp_path_factory.mktemp("trained")
    asked = ("experiment=debug", "data.standardize=true", "monitor=quiet", "compute.device=cpu")
    pack = pack_of(*asked)
    assert run(pack, folder, Console(quiet=True)).code == 0
    (folder / ".hydra").mkdir()
    OmegaConf.save(compose(*asked), folder / ".hydra" / "config.yaml")
    OmegaConf.save(OmegaConf.create(list(asked)), folder / ".hydra" / "overrides.yaml")
    return folder


@pytest.fixture
def honest(trained: Path, tmp_path: Path) -> Path:
    """A copy of it in out/."""
    return shutil.copytree(trained, tmp_path / "out")


def is_refused(cli: Command, *arguments: str) -> str:
    """The sentence that a command is refused with."""
    ended = cli(*arguments)
    assert ended.code == 2, (arguments, ended.out[-500:], ended.err[-500:])
    assert ended.err.startswith("packtrain: ") and "Traceback" not in ended.err
    return ended.err


READ_BY = {
    "result.json": ("show", "out"),
    "runs.csv": ("show", "out"),
    FILE: ("show", "out"),
    "model.safetensors": ("export", "out"),
    ".hydra/config.yaml": ("show", "out", "run=0"),
    ".hydra/overrides.yaml": ("show", "out", "run=0"),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", READ_BY)
def test_a_file_of_something_else_is_one_sentence(name: str, honest: Path, cli: Command) -> None:
    file = honest / name
    before = file.read_bytes() if file.exists() else None
    ends = []
    for content in GARBAGE:
        file.write_bytes(content)
        ends.append(cli(*READ_BY[name]))
    assert {ended.code for ended in ends} <= {0, 2} and 2 in {ended.code for ended in ends}
    assert all(ended.err.count("\n") == (ended.code == 2) for ended in ends)
    file.unlink() if before is None else file.write_bytes(before)
    assert cli(*READ_BY[name]).code == 0


NO_COMMANDS = (*GARBAGE, b'{"config_name": 1, "config_dirs": [], "typed": [], "cwd": ""}')


def test_a_command_that_is_something_else_is_not_given_again(honest: Path, cli: Command) -> None:
    for content in NO_COMMANDS:
        (honest / "command.json").write_bytes(content)
        assert "command.json is not what packtrain wrote there" in is_refused(cli, "resume=out")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("best_run", "../../x"),
        ("device", "\x1b[2J"),
        ("outcomes", 3),
        ("seconds", None),
        ("runs", "many"),
        ("experiment", ["a"]),
        ("confusion", {"run": 0, "classes": ["a", "b"], "counts": [[1, 2]]}),
        ("confusion", {"run": 0, "classes": ["a", 3], "counts": [[1, 2], [3, 4]]}),
        ("confusion", {"run": 0, "classes": ["a"], "counts": [["x"]]}),
        ("confusion", [3]),
    ],
)
def test_a_result_of_other_types_is_refused(key: str, value: Any, tmp_path: Path, cli: Command) -> None:
    head = {"experiment": "a", "device": "cpu", "precision": "fp32", "runs": 1, "steps": 1, "samples": 1}
    head |= {"seconds": {"total": 1.0, "train": 1.0}, "outcomes": {"finished": 1}, "best_run": 0, "run": []}
    columns = (
        "index,outcome,message,steps,loss.train.first,loss.train.last,loss.validation\n0,finished,,1,1,1,\n"
    )
    (tmp_path / "runs.csv").write_text(columns)
    (tmp_path / "result.json").write_text(json.dumps(head))
    assert cli("show", ".").code == 0
    (tmp_path / "result.json").write_text(json.dumps(head | {key: value}))
    assert f"result.json: {key} is {value!r}" in is_refused(cli, "show", ".")


@pytest.mark.parametrize("objective", [7, "loss", ["a"], {"name": "loss"}, {"name": 3}, {"of": "loss.train"}])
def test_what_no_run_is_ranked_by_is_refused(objective: Any, honest: Path, cli: Command) -> None:
    result = json.loads((honest / "result.json").read_text())
    for asked, code in ({"name": "loss.train"}, 0), (objective, 2):
        (honest / "result.json").write_text(json.dumps(result | {"objective": asked}))
        assert cli("show", "out").code == code
    assert "holds no finished training or sweep" in is_refused(cli, "show", "out")


@pytest.mark.parametrize("name", ["result.json", "runs.csv"])
def test_a_file_of_something_else_in_a_sweep_that_is_under_way_is_one_sentence(
    name: str, trained: Path, tmp_path: Path, cli: Command
) -> None:
    values = {"name": "\x1b[2J"}
    packs = [PlannedPack(folder, [], values, first, 3) for folder, first in (("0", 0), ("1", 3))]
    shutil.copytree(trained, tmp_path / "out" / "0")
    write_plan(tmp_path / "out", Plan(Started("train", [], [], "."), [], packs, Objective("metrics.rmse")))
    assert "holds results that can't be read" in is_refused(cli, "show", "out")
    packs = [replace(pack, values={}) if pack.folder == "0" else pack for pack in packs]
    write_plan(tmp_path / "out", Plan(Started("train", [], [], "."), [], packs, Objective("metrics.rmse")))
    told = cli("show", "out").out
    assert "waiting" in told and r"name=\x1b[2J" in told and "\x1b" not in told
    ends = []
    for content in (*GARBAGE, b'{"interrupted": false}', b'{"run": 3}'):
        (tmp_path / "out" / "0" / name).write_bytes(content)
        ends.append(cli("show", "out"))
    assert {ended.code for ended in ends} <= {0, 2} and 2 in {ended.code for ended in ends}
    assert all(ended.err.count("\n") == (ended.code == 2) for ended in ends)


def test_what_a_terminal_or_rich_would_obey_is_refused_or_shown_as_it_is(honest: Path, cli: Command) -> None:
    runs, result = (honest / "runs.csv").read_text(), (honest / "result.json").read_text()
    (honest / "runs.csv").write_text(runs.replace("trained all", "\x1b[2J"))
    assert "runs.csv has the control character" in is_refused(cli, "show", "out")
    (honest / "runs.csv").write_text(runs.replace("trained all", "[/a] [red]all").replace("seed", "[/seed]"))
    (honest / "result.json").write_text(result.replace("debug", "[/debug]"))
    assert "[/debug]: 3 runs" in cli("show", "out").out
    assert "[/a] [red]all" in cli("show", "out", "run=0").out


def plan_of(folder: str) -> Plan:
    return Plan(Started("train", [], [], "."), [], [PlannedPack(folder, [], {}, 0, 3)])


@pytest.mark.parametrize("folder", ["../x", "a/../../x", "/etc", "..", "a\n", "\0"])
def test_a_plan_whose_packs_lie_elsewhere_is_refused(folder: str, tmp_path: Path, cli: Command) -> None:
    write_plan(tmp_path, plan_of("0"))
    assert read_plan(tmp_path) == plan_of("0")
    with pytest.raises(UserError, match="a pack's folder is below its sweep's"):
        plan_of(folder)
    written = json.loads((tmp_path / FILE).read_text())
    written["packs"][0]["folder"] = folder
    (tmp_path / FILE).write_text(json.dumps(written))
    for arguments in (("show", "."), ("export", "."), (f"resume={tmp_path}",)):
        assert "is no plan of a sweep: a pack's folder is below" in is_refused(cli, *arguments)


@pytest.mark.parametrize(
    "edit",
    [
        lambda plan: plan["packs"][0].update(first="0"),
        lambda plan: plan["packs"][0].update(runs=1.5),
        lambda plan: plan["packs"][0].pop("values"),
        lambda plan: plan["packs"][0].update(more=1),
        lambda plan: plan.pop("asked"),
        lambda plan: plan.update(packs=7),
        lambda plan: plan.update(objective=7),
        lambda plan: plan.update(objective={"name": "speed"}),
    ],
)
def test_a_plan_of_other_types_is_refused(edit: Edit, tmp_path: Path) -> None:
    write_plan(tmp_path, plan_of("0"))
    written = json.loads((tmp_path / FILE).read_text())
    edit(written)
    (tmp_path / FILE).write_text(json.dumps(written))
    with pytest.raises(UserError, match="is no plan of a sweep"):
        read_plan(tmp_path)


def test_an_export_does_not_follow_a_link_out_of_the_folder(
    honest: Path, cli: Command, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (honest / "export").symlink_to(tmp_path / "elsewhere")
    assert "is a link to" in is_refused(cli, "export", "out")
    assert not list((tmp_path / "elsewhere").iterdir())
    assert cli("export", "out", "to=elsewhere").code == 0


def renamed(about: dict, tensors: dict) -> None:
    tensors["other"] = tensors.pop("ab")


@pytest.mark.parametrize(
    "edit",
    [
        renamed,
        lambda about, tensors: tensors.update(ab=torch.zeros(3, 2)),
        lambda about, tensors: tensors.update(ab=torch.zeros(2)),
        lambda about, tensors: tensors.update(ab=torch.zeros(3, dtype=torch.int64)),
        lambda about, tensors: tensors.update({"inputs.mean": torch.zeros(2)}),
        lambda about, tensors: about.pop("model"),
        lambda about, tensors: about.update(inputs=None),
        lambda about, tensors: about.update(inputs=["x", "y", "z"]),
        lambda about, tensors: about["model"].update(expressions="xy = __import__(a)"),
        lambda about, tensors: about["model"].update(expressions={"xy": 1}),
        lambda about, tensors: about["model"].update(kind="mlp"),
        lambda about, tensors: about["model"].update(kind="mlp", widths=[-1, 10**12]),
        lambda about, tensors: about["model"].update(kind="mlp", widths="eval"),
        lambda about, tensors: about["model"].update(starts="many"),
        lambda about, tensors: about["model"].update(_target_="os.system"),
        lambda about, tensors: about.update(features=[{"name": "other", "column": "xa"}]),
        lambda about, tensors: about.update(features=[{"name": "xa", "column": "xa", "kind": "eval"}]),
        lambda about, tensors: about.update(features=[{"name": "xa", "column": "xa", "fill": "word"}]),
        lambda about, tensors: about.update(features=3),
        lambda about, tensors: about.update(groups={"keys": {"cell": ["a"]}, "runs": [9]}),
        lambda about, tensors: about.update(groups={"keys": {"cell": ["a"]}, "runs": [0, 1]}),
        lambda about, tensors: about.update(groups=["cell"]),
    ],
)
def test_a_model_of_other_types_or_shapes_is_one_sentence(
    edit: Callable[[dict, dict], None], honest: Path
) -> None:
    file = honest / "model.safetensors"
    with safe_open(file, "pt") as opened:
        about = json.loads(opened.metadata()["packtrain"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    edit(about, tensors)
    save_file(tensors, file, {"packtrain": json.dumps(about)})
    with pytest.raises(UserError, match="holds no finished training: ") as refused:
        packtrain.load(honest)
    assert "\n" not in str(refused.value)
