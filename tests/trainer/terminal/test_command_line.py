"""What was typed becomes what Hydra reads."""

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.grammar import with_quotes
from packtrain.trainer.terminal.command_line import for_hydra
from tests.helpers import Command


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("name=lämpchen", 'name="lämpchen"'),
        ("name=lamp", "name=lamp"),
        ("name='größe'", "name='größe'"),
        ('name="größe"', 'name="größe"'),
        ("name=a#b", 'name="a#b"'),
        ("data.path=~/größe 1.csv", 'data.path="~/größe 1.csv"'),
        ("name=föhre,tanne,weiß", 'name="föhre",tanne,"weiß"'),
        ("name=größe_${seed}", 'name="größe_${seed}"'),
        ("name=a:ö", 'name="a:ö"'),
        ("data.columns={x: größe, y: b}", 'data.columns={x: "größe", y: b}'),
        (
            "data.columns={inputs: [länge, breite], targets: b}",
            'data.columns={inputs: ["länge", breite], targets: b}',
        ),
        ("name=choice(ä,b)", 'name=choice("ä",b)'),
        ("name=日本", 'name="日本"'),
        ("größe=3", "größe=3"),
        ("data.table={größe: [1]}", "data.table={größe: [1]}"),
        ("name=ä=b", "name=ä=b"),
        ("~experiment", "~experiment"),
    ],
)
def test_texts_that_need_quotes_have_some(typed: str, read: str) -> None:
    assert with_quotes(typed) == read


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["monitor=quiet", "-m", "seed=1,2"], ["--multirun", "monitor=quiet", "seed=1,2"]),
        (["a=1", "--cfg", "job", "b=2"], ["--cfg=job", "a=1", "b=2"]),
        (["a=1", "-cd", "/", "b=2", "-cn=x"], ["--config-name=x", "--config-dir=/", "a=1", "b=2"]),
        (["-sc", "query=bash"], ["--shell-completion", "query=bash"]),
        (["--info"], ["--info=all"]),
        ([], []),
    ],
)
def test_options_come_first_from_any_place(typed: list[str], read: list[str]) -> None:
    assert for_hydra(typed) == read


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--config-dir=/nonexistent"], "takes a folder of configs, and /nonexistent isn't there"),
        (["--config-dir", __file__], "is a file"),
        (["--config-dir"], "--config-dir/-cd: expected one argument"),
        (["--config-name"], "expected one argument"),
        (["seed=1", "--cfg"], "expected one argument"),
        (["--cfg", "everything"], "invalid choice: 'everything'"),
        (["--nothing", "seed=1"], "unrecognized arguments: --nothing"),
    ],
)
def test_options_that_make_no_sense_are_told(typed: list[str], told: str) -> None:
    with pytest.raises(UserError) as refused:
        for_hydra(typed)
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_a_name_of_any_characters_trains(cli: Command) -> None:
    ended = cli(
        "monitor=quiet", "-m", "experiment=debug", "loop.steps=2", "name=lämp,C#", "hydra.sweep.dir=s"
    )
    assert ended.code == 0 and "lämp, C#: 2 packs" in ended.out, ended.err
