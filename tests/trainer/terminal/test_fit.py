"""`packtrain fit`: the training that an equation and a file are."""

import shlex
import shutil
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.terminal.fit import fit_command
from tests.helpers import ROOT, Command, result_in

COOLING = "celsius = room + (hot - room)*exp(-k*minutes)"
STARTS = "room=20", "hot=90", "k=0.1"


@pytest.fixture(autouse=True)
def cup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table cup.csv, and one with a column of each kind."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "docs" / "data" / "cup.csv", tmp_path)
    rows = [f"{t},{90 - t},{1 + t},{'AB'[t % 2]},{t % 3},note {t}" for t in range(12)]
    (tmp_path / "cups.csv").write_text("\n".join(["minutes,celsius,w,cup,plate,remark", *rows]))


def typed(*arguments: str) -> list[str]:
    made = fit_command(arguments)
    assert made is not None
    return made


def test_it_is_a_fit_of_what_was_inferred() -> None:
    assert typed("cup.csv", COOLING, *STARTS) == [
        "experiment=fit",
        'name="cup"',
        'data.path="cup.csv"',
        f'model.expressions=["{COOLING}"]',
        'model.variables=["minutes"]',
        "model.initial.room=20",
        "model.initial.hot=90",
        "model.initial.k=0.1",
    ]
    assert 'model.initial.k="auto"' in typed("cup.csv", COOLING, "hot=90")
    assert not any("auto" in word for word in typed("cup.csv", COOLING, "initial_range=[0, 9]"))


def test_it_ends_as_the_experiment_does(cli: Command, tmp_path: Path) -> None:
    assert cli("fit", "cup.csv", COOLING, *STARTS, "monitor=quiet").code == 0
    (short,) = result_in(tmp_path / "out")["run"]
    initial = "model.initial={room: 20, hot: 90, k: 0.1}"
    equation = f'model.expressions=["{COOLING}"]', "model.variables=[minutes]"
    assert cli("experiment=fit", *equation, initial, "data.path=cup.csv", "monitor=quiet").code == 0
    (long,) = result_in(tmp_path / "out")["run"]
    assert short == long and short["parameters"]["k"]["stderr"] > 0


def test_it_is_resumed_and_shown_as_any_training(cli: Command) -> None:
    assert cli("fit", "cup.csv", COOLING, *STARTS, "monitor=quiet", "steps=2").code == 0
    assert cli("resume=out", "loop.steps=50").code == 0
    assert "converged" in cli("show", "out", "run=best").out


def test_its_folder_is_named_after_the_file(cli: Command, tmp_path: Path) -> None:
    assert "name: cup" in cli("fit", "cup.csv", COOLING, "--cfg", "job").out
    shutil.copy("cup.csv", long := tmp_path / f"{'cup' * 70}.csv")
    assert 'name="fit"' in typed(str(long), COOLING)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["k=[0, 1]"], "model.initial.k=[0, 1]"),
        (["k=-1e-3"], "model.initial.k=-1e-3"),
        (["k=0.1,0.2", "-m"], "model.initial.k=0.1,0.2"),
        (["k=1/mean(minutes)"], 'model.initial.k="1/mean(minutes)"'),
        (["k=[min(w), quantile(w, 1)]"], 'model.initial.k=["min(w)", "quantile(w, 1)"]'),
        (["weights=w"], 'data.columns.weights="w"'),
        (["group=cup"], 'data.group="cup"'),
        (["group=[plate, cup]"], 'data.group=["plate", "cup"]'),
        (["group=plate,cup"], 'data.group=["plate", "cup"]'),
        (["starts=64"], "model.starts=64"),
        (["loss=cauchy"], "model.loss=cauchy"),
        (["bounds={k: [0, null]}"], "model.bounds={k: [0, null]}"),
        (["optimizer=adam"], "optimizer=adam"),
        (["optimizer.lr=0.1"], "optimizer.lr=0.1"),
        (["seed=3"], "seed=3"),
        (["hydra.run.dir=here"], "hydra.run.dir=here"),
        (["++name=mine"], "++name=mine"),
        (["--multirun"], "--multirun"),
    ],
)  # fmt: skip
def test_words_are_starts_columns_or_fields(words: list[str], expected: str) -> None:
    assert expected in typed("cups.csv", COOLING, *words)


def test_what_is_typed_takes_the_place_of_what_is_inferred() -> None:
    made = typed("cup.csv", "T = a*exp(-k*t)", "data.columns={t: minutes, T: celsius}", "name=mine")
    assert "name=mine" in made and 'name="cup"' not in made
    assert "data.columns={t: minutes, T: celsius}" in made
    assert not any(word.startswith("model.variables") for word in made)


@pytest.mark.parametrize("equation", ["celsius=a+b*minutes", "celsius = a+b*minutes", "a + b*minutes"])
def test_an_equation_stands_in_any_place_with_or_without_a_left_side(equation: str) -> None:
    for words in (["cup.csv", equation, "a=1"], ["cup.csv", "a=1", equation], ["cup.csv", "-m", equation]):
        (made,) = [word for word in typed(*words) if word.startswith("model.expressions")]
        assert made.replace(" ", "") == 'model.expressions=["celsius=a+b*minutes"]'


def test_a_parameter_beats_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    made = typed("cup.csv", "celsius = seed + group*minutes", "seed=3", "group=2")
    assert "model.initial.seed=3" in made and "model.initial.group=2" in made
    assert "to mean the option, rename the parameter" in capsys.readouterr().err


def test_a_name_with_x_that_is_no_column_is_a_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    assert 'model.parameters=["x0"]' in typed("cup.csv", "celsius = x0 + a*minutes")
    assert "x0 is no column of cup.csv, and so a parameter" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "expected packtrain fit FILE 'EQUATION'"),
        (["optimizer=adam"], "got optimizer=adam; packtrain fit --help explains"),
        (["none.csv", COOLING], "there is no file none.csv"),
        (["cup.csv", "celcius=a*minutes"], "with an equation of minutes, celsius; got celcius=a*minutes"),
        (["cup.csv", "celcius = a*minutes"], "has no column 'celcius' (did you mean celsius?)"),
        (["cup.csv", COOLING, "kk=1"], "kk=1: the equation has no parameter kk"),
        (["cup.csv", COOLING, "rooom=1"], "(did you mean room?); it has room, hot, k; options are weights"),
        (["cup.csv", COOLING, "strats=1"], "(did you mean starts?)"),
        (["cup.csv", COOLING, "y2 = a*minutes"], "several equations are one word with ; between them"),
        (["cup.csv", COOLING, "minutes=1"], "minutes=1: the equation has no parameter minutes"),
        (["cup.csv", COOLING, "weights=w"], "cup.csv has no column 'w' for weights"),
        (["cup.csv", "celsius = a*foo(minutes)"], "unknown function foo"),
        (["cup.csv", COOLING, "--sort"], "unrecognized arguments: --sort"),
    ],
)
def test_a_mistake_is_a_sentence(words: list[str], expected: str) -> None:
    with pytest.raises(UserError) as error:
        fit_command(words)
    assert expected in str(error.value)


def test_a_mistake_ends_with_2_and_leaves_no_folder(cli: Command, tmp_path: Path) -> None:
    ended = cli("fit", "cup.csv", "celsius = a*exp(-k*Minutes)")
    assert ended.code == 2 and "(did you mean minutes?)" in ended.err and "^" in ended.err
    assert not (tmp_path / "out").exists()


def test_without_an_equation_it_lists_formulas_and_columns(cli: Command) -> None:
    out = cli("fit", "cups.csv").out
    assert "packtrain fit cups.csv 'w = a*minutes^b' group=cup  # allometry" not in out
    assert "  packtrain fit cups.csv 'plate = a*2^(-minutes/half)' group=cup  # by its half-life\n" in out
    assert "cups.csv: 12 rows" in out and "remark    words" in out
    assert fit_command(["cups.csv"]) is None


def test_the_listed_commands_are_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit_command(["cup.csv"]) is None
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  packtrain fit")]
    assert len(lines) > 150
    for line in lines:
        assert typed(*shlex.split(line, comments=True)[2:])


def test_its_help_has_examples(cli: Command) -> None:
    ended = cli("fit", "--help")
    assert ended.code == 0 and "packtrain fit cup.csv 'celsius" in ended.out
