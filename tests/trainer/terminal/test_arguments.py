"""The options of `show`, `export` and `plot`: as words in Hydra's way, or with dashes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.pictures.kinds import KINDS
from packtrain.trainer.terminal.arguments import PLOT_USAGE, read_export, read_plot, read_show
from tests.helpers import IMPORTABLE, Command

SHOWN: dict[str, Any] = {"conditions": [], "sort": None, "limit": 20, "run": None}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ([], {}),
        (["sort=seed"], {"sort": "seed"}),
        (["--sort", "seed"], {"sort": "seed"}),
        (["--sort=seed"], {"sort": "seed"}),
        (["sort=-metrics.mae"], {"sort": "-metrics.mae"}),
        (["--sort", "-metrics.mae"], {"sort": "-metrics.mae"}),
        (["--sort=-metrics.mae"], {"sort": "-metrics.mae"}),
        (["limit=all"], {"limit": None}),
        (["--limit", "all", "run=best"], {"limit": None, "run": "best"}),
        (["limit=5", "limit=7"], {"limit": 7}),
        (["a<3", "run=3", "outcome=finished"], {"run": "3", "conditions": ["a<3", "outcome=finished"]}),
        (["seed=3,4", "--run", "17", "a!=-1"], {"run": "17", "conditions": ["seed=3,4", "a!=-1"]}),
        (["run<3", "run!=1"], {"conditions": ["run<3", "run!=1"]}),
        (
            ["--limit", "5", "name=[2, 10, 2]"],
            {"limit": 5, "conditions": ["name=[2, 10, 2]"]},
        ),
    ],
)
def test_options_are_words_or_have_dashes(typed: list[str], expected: dict[str, Any], tmp_path: Path) -> None:
    read = read_show([str(tmp_path), *typed])
    assert read == {"folder": tmp_path, **SHOWN, **expected}
    if not read["conditions"]:
        assert read_show([*typed, str(tmp_path)]) == read


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ([], {}),
        (["run=best"], {"run": "best"}),
        (["curves", "run=best"], {"what": "curves", "run": "best"}),
        (["run=3", "to=mine"], {"run": "3", "to": Path("mine")}),
        (["--to", "mine", "--run=3"], {"run": "3", "to": Path("mine")}),
        (["to="], {}),
    ],
)
def test_export_takes_a_run_and_a_folder(typed: list[str], expected: dict[str, Any], tmp_path: Path) -> None:
    assert read_export([str(tmp_path), *typed]) == {
        "folder": tmp_path,
        "what": None,
        "run": None,
        "to": None,
        "formats": None,
        **expected,
    }


SHOW = "expected packtrain show FOLDER [COLUMN=VALUE,VALUE]... "
PLOT = f"expected {PLOT_USAGE}"
EXPORT = "expected packtrain export FOLDER [curves] [run=N | run=best] [to=FOLDER] [format=NAME,NAME]"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("show", f"{SHOW}"),
        ("show", "[limit=N] [run=N], with the folder of a training or a sweep\n"),
        ("show nowhere", "with the folder of a training or a sweep; nowhere is no folder\n"),
        ("show . --srot seed", "[run=N]; got --srot (did you mean --sort?)\n"),
        ("show . --lmit=3", "[run=N]; got --lmit=3 (did you mean --limit?)\n"),
        ("show . --so seed", "[run=N]; got --so (did you mean --sort?)\n"),
        ("show . -x", "[run=N]; got -x\n"),
        ("show . --sort", "argument --sort: expected one argument; packtrain show --help explains\n"),
        ("show . limit=few", "limit is a number of runs, or all; got 'few'\n"),
        ("show . limit=³", "limit is a number of runs, or all; got '³'\n"),
        ("export", f"{EXPORT}, with the folder of a training or a sweep\n"),
        ("export nowhere", f"{EXPORT}, with the folder of a training or a sweep; nowhere is no folder\n"),
        ("export . rn=3", f"{EXPORT}; got rn=3 (did you mean run?)\n"),
        ("export . seed=3", f"{EXPORT}; got seed=3\n"),
        ("export . --too=x", f"{EXPORT}; got --too=x (did you mean --to?)\n"),
        ("plot", f"{PLOT}, with the folder of a training or a sweep\n"),
        ("plot . fit sixe=3", "fit takes no sixe: its options are run and to\n"),
        ("plot . fitt", "fitt is no picture (did you mean fit or fits?): expected "),
        ("plot . run=3 size=3", f"{PLOT}; got size=3 without a KIND before it\n"),
        ("plot . fit maps", f"{PLOT}; got maps\n"),
    ],
)
def test_a_mistake_is_one_sentence(typed: str, told: str, cli: Command) -> None:
    ended = cli(*typed.split())
    assert ended.code == 2 and ended.out == ""
    assert ended.err.startswith("packtrain: ") and ended.err.count("\n") == 1 and told in ended.err


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize(
    ("command", "known"),
    [
        ("show", ("packtrain show FOLDER 'optimizer.lr<0.01'", "--sort COLUMN", "--limit N", "--run N")),
        ("export", ("packtrain export FOLDER run=3 to=mine", "--run N", "--to FOLDER")),
        ("plot", ("packtrain plot FOLDER fit run=17 to=fit.svg", "--run N", "--to FILE", *KINDS)),
    ],
)
def test_help_explains_with_examples(command: str, known: tuple[str, ...], option: str, cli: Command) -> None:
    ended = cli(command, option)
    assert ended.code == 0 and ended.err == ""
    assert ended.out.startswith(f"usage: packtrain {command} FOLDER ")
    assert all(text in ended.out for text in ("examples:", *known))
    assert cli(command, ".", option).out == ended.out


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "typed", ["show --help", "export --help", "plot --help", "export nowhere", "--version", "--help"]
)
def test_nothing_heavy_is_imported_to_say_so(typed: str, tmp_path: Path) -> None:
    code = (
        "import sys, atexit; from packtrain.trainer.terminal.main import main;"
        "atexit.register(lambda: print(*sys.modules)); main()"
    )
    command = [sys.executable, "-c", code, *typed.split()]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(IMPORTABLE)}, capture_output=True)
    assert done.returncode == (2 if "nowhere" in typed else 0), done.stderr
    loaded = {*done.stdout.decode().splitlines()[-1].split()}
    assert "packtrain.trainer.terminal.main" in loaded and not loaded & {"torch", "numba", "pyarrow"}


def test_examples_in_the_help_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each, as it stands there."""
    for command, read in (("show", read_show), ("export", read_export), ("plot", read_plot)):
        with pytest.raises(SystemExit):
            read(["--help"])
        lines = capsys.readouterr().out.partition("examples:\n")[2].splitlines()
        examples = [line.partition("  ")[0].split() for line in map(str.strip, lines) if line]
        assert len(examples) > 1
        for words in examples:
            assert words[:3] == ["packtrain", command, "FOLDER"]
            given = read([str(tmp_path), *(word.strip("'") for word in words[3:])])
            assert given["folder"] == tmp_path
            columns = {text.partition("=")[0].partition("<")[0] for text in given.get("conditions", [])}
            assert columns <= {"outcome", "seed", "optimizer.lr"}


def test_a_parser_raises_user_errors_alone(tmp_path: Path) -> None:
    for typed in (["--"], ["--run"], ["-"], ["--sort="], ["-h="], ["--", "--sort"]):
        try:
            read_show([str(tmp_path), *typed])
        except UserError as error:
            assert "\n" not in str(error)


def test_a_folder_may_begin_with_a_minus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-q").mkdir()
    assert read_show(["-q", "sort=seed"])["folder"] == read_export(["-q"])["folder"] == Path("-q")
