"""What a request may not say, each one sentence; and a list of every field that could name something."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.compose import as_sentences, composed, config_loader
from packtrain.trainer.config.grammar import with_quotes
from packtrain.trainer.config.options import CONF
from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.config.schema import Config, DataConfig, SearchConfig, all_fields
from packtrain.trainer.service.request_rules import LONGEST, MARKS, WORDS, check, check_config

HELD = [
    ["experiment=digits", "optimizer.lr=0.1"],
    ["seed=range(0,64)", "optimizer.lr=1e-3,1e-2", "optimizer=adam,sgd"],
    ['pack.over={seed: "range(0,64)", optimizer.lr: "1e-3,1e-2"}'],
    ["model.expressions=['xz = bc*xx + xy', 'xy = a*xx^2']"],
    ["model.expressions='xy = a*x\nxz = b*x'"],
    ["data=file", "data.path=runs/*.csv", "data.columns={x: größe}"],
    ["data={kind: file, path: cup.csv}"],
    ["data.path=a.csv,b.csv"],
    ["data.columns={x: 'US$', y: 'a{b}$'}"],
    ["experiment=glob(*)", "experiment=descent/ravine"],
    ["experiment/descent=ravine", "~experiment", "+seed=3", "++optimizer.lr=1"],
    ["search=optuna", "search.storage=null", "search.space={optimizer.lr: {low: 1e-4, high: 1, log: true}}"],
    ["name=null", "model.initial={a: 1, b: [0, 1]}", "checkpoint.every=10", "sede=3"],
]


@pytest.mark.parametrize("overrides", HELD)
def test_what_a_command_says_may_be_asked(overrides: list[str]) -> None:
    check(overrides)


REFUSED = {
    "resolves no": [
        "name=${oc.env:SECRET}", "name='${oc.env:SECRET}'", 'name="${oc.env:SECRET}"', "seed=${data.seed}",
        r"name=$\{oc.env:SECRET\}", r"name=\$\{oc.env:SECRET\}", r"name=\\$\{oc.env\:SECRET\}",
        "name=$ {oc.env:SECRET}",
        "name=$\t{oc.env:SECRET}", 'name="$"{oc.env:SECRET}', r'pack.over={seed: "$\\{oc.env:SECRET\\}"}',
        "data.columns={x: ${oc.env:SECRET}}", r"data.columns={$\{oc.env:SECRET\}: x}",
        "model.widths=[1,${seed}]",
        "optimizer=${oc.env:SECRET}", "${oc.env:SECRET}=3", "+a${b}=3",
        "pack.over={seed: ${oc.decode:'[1]'}}",
        "seed=choice(1,${a})", "name=str(${a})", "~${a}", 'model.initial={a: "mean(${a})"}',
        r"seed=1,$\{a\}",
    ],
    "no options": [
        "--config-dir=/tmp", "--config-path", "-cd", "-m", "--multirun", " --config-name=x", "-cp=/tmp",
        "--cfg=job",
        "--help", "--shell-completion",
    ],
    "hydra.* isn't": [
        "hydra.run.dir=/tmp", "hydra/launcher=basic", "+hydra/launcher=joblib", "hydra.sweep.dir=a",
        "~hydra.callbacks",
        "++hydra.searchpath=[file:///tmp]", "hydra={run: {dir: /tmp}}", "hydra.job.chdir=true",
    ],
    "without @": ["experiment@hydra=digits", "optimizer@data=adam", "+model@_global_=mlp", "seed@hydra=3"],
    "isn't a request's to say": [
        "resume=outputs/a", "+resume=/tmp", "config_dir=/tmp", "config_path=x", "config_name=x",
        "defaults=[a]",
        "search.storage=sqlite:////tmp/a.db", "search={storage: postgresql://host/a}",
        "++search.storage=a,b",
        "search={kind: optuna, storage: 'mysql://a'}",
    ],
    "experiment is one of": [
        "experiment=../../x", "+experiment=/etc/x", "experiment=./digits", "experiment=[digits, ../x]",
        "experiment=digits,../x", "experiment='/etc/x'", "experiment=file:///etc/x", r"experiment=a\\b",
        "experiment=x.yaml", "experiment='a b'",
    ],
    "model is one of": [
        "model=../experiment/digits", "model=/etc/passwd", "search.space={model: {choices: [mlp, ../../a]}}",
        "search.space.model.choices=['pkg://a']",
    ],
    "experiment is one of danwood": [
        "experiment=glob(../*)", "experiment=glob(/etc/*)", "experiment=glob(*,exclude=../*)",
    ],
    "there is no choice": ["a/b=c", "optimizer/x=a"],
    "can't read": ["optimizer/../x=a", "/experiment/x=a", "../x=a", "a=["],
    "data.path is relative": [
        "data.path=/etc/passwd", "data.path='/etc/passwd'", "data.path=//a/b",
        "data.path=file:///etc/passwd",
        "data.path=https://host/a.csv", "data.path=s3://bucket/a", "data.path=C:/a.csv",
        "++data.path=/etc/passwd",
        "data={path: /etc/passwd}", "data.path=a.csv,/etc/passwd", "data.path=[/etc/passwd]",
        "data.path=str(/etc/passwd)",
        r"data.path=\\\\host\\a",
    ],
    "without ..": [
        "data.path=../a.csv", "data.path=runs/../../a.csv", "data.path=..", "data.path=runs/*/../../*",
    ],
    "no ~": ["data.path=~/a.csv", "data.path=~root/.ssh/id", r"data.path=a\\b", "data.path=a~"],
    "is the name of a file": ["data.path=''", "data.path=null,''"],
    "one for all runs": [
        'pack.over={data.path: "/etc/passwd"}', "search.space={data.path: {choices: [/etc/passwd]}}",
        "search.space.data.path={choices: [a]}", "data.path={a: /etc/passwd}",
        "search.space={data: {path: {choices: [/etc/passwd]}}}",
    ],
    "control characters": [
        "name=a\0b", "name=a\x1b[2J", "name=\x7f", "name=a\rb", "name=\ud800", "name=a\x85",
    ],
    "a range has at most": [
        "seed=range(0,1e12)", "loop.order=range(0,100000000)", "seed=shuffle(range(0,10000000000))",
        'pack.over={seed: "range(0,1e12)"}', "seed=range(0,1,1e-9)", "seed=range(1000000000,0,-1)",
        'pack.over={seed: "shuffle(range(10000000000))"}', "seed=sort(range(10000000000),reverse=true)",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "word"), [(said, word) for said, words in REFUSED.items() for word in words]
)
def test_what_a_request_may_not_say_is_one_sentence(said: str, word: str) -> None:
    with pytest.raises(UserError) as raised:
        check(["experiment=digits", word])
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_long_requests_are_refused_before_they_are_read() -> None:
    for overrides, said in (
        (["seed=1"] * (WORDS + 1), f"at most {WORDS} overrides"),
        (["name=" + "x" * LONGEST], f"at most {LONGEST:,} characters"),
        (["seed=1" + ",1" * (MARKS + 1)], f"at most {MARKS:,} brackets"),
        (["seed=" + "[]" * 500] * 2 + ["seed=1,2"], f"at most {MARKS:,} brackets"),
    ):
        with pytest.raises(UserError, match=said):
            check(overrides)
    for deep in ("a=" + "[" * 51 + "]" * 51, "a=" + "choice(" * 900 + ")" * 900, "a=" + "{b: " * 900):
        with pytest.raises(UserError, match="at most 50 brackets within"):
            check([deep])
    check(["a=" + "[" * 50 + "]" * 50])


SECRET = "s3cr3t-of-the-server"
HIDING = [
    *product(("", "\\", "\\\\", '"', "'", " "), ("", "\\", "\\\\", '"', "'", " ", "\t"), ("", "\\", "\\\\"))
]
PLACES = ["name={}", "name='{}'", 'name="{}"', "+data.columns={{x: {}}}", "data.columns={{x: '{}'}}",
          "name=str({})", 'pack.over={{seed: "{}"}}', "pack.over={{seed: {}}}"]  # fmt: skip


def test_no_spelling_of_an_interpolation_gets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Hydra takes away or puts together: what is let through comes to no interpolation."""
    monkeypatch.setenv("SECRET", SECRET)
    readable = 0
    for place, (before, between, end) in product(PLACES, HIDING):
        word = place.format(f"{before}${between}{{oc.env{end}:SECRET{end}}}")
        refused = _refused(word)
        with suppress(UserError), as_sentences():
            value = str(_parsed(word))
            readable += "${" in value
            assert refused or "${" not in value.replace("\\", ""), word
    assert readable > 40


def _refused(word: str) -> bool:
    try:
        check([word])
    except UserError:
        return True
    return False


def _parsed(word: str) -> Any:
    return OverridesParser.create().parse_override(with_quotes(word)).value()


def test_an_interpolation_without_the_rule_gives_back_the_servers_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The test above looks for something that is there."""
    monkeypatch.setenv("SECRET", SECRET)
    with config_loader() as loader:
        assert composed(loader, [r"name=$\{oc.env:SECRET\}"]).name == SECRET


def test_our_own_configs_interpolate_nothing_of_the_server() -> None:
    """They may say ${...}, of fields: no environment, no file, no code."""
    for path in CONF.rglob("*.yaml"):
        text = path.read_text()
        assert "oc.env" not in text and "oc.decode" not in text, path


@pytest.mark.parametrize("path", ["/etc/passwd", "../a.csv", "~/a.csv", "file:///a.csv"])
def test_a_composed_config_is_looked_at_once_more(path: str) -> None:
    with pytest.raises(UserError, match=r"data\.path"):
        check_config(Config(data=DataConfig("file", path=path)))
    with pytest.raises(UserError, match=r"search\.storage"):
        check_config(Config(search=SearchConfig("optuna", storage="sqlite:///a.db")))
    check_config(Config())


def test_files_are_looked_for_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    (tmp_path / "cup.csv").touch()
    check(["data.path=cup.csv"], tmp_path)
    check(["data.path=absent/*.csv"], tmp_path)
    for name, said in (("link.csv", "or a link"), ("absent.csv", "there is no file absent.csv")):
        with pytest.raises(UserError, match=said):
            check([f"data.path={name}"], tmp_path)
        with pytest.raises(UserError, match=said):
            check_config(Config(data=DataConfig("file", path=name)), tmp_path)


# Every field that can hold a text -> why the text names no file, no address and no code.
WORD = "is one of a few words of ours"
EQUATIONS = "is read by our own parser, which knows numbers, names and functions of its table"
NAMES = "names variables or parameters of the equations"
COLUMNS = "names columns of the data, which are looked for in the table alone"
TEXTS = {
    "name": "names a folder below the service's own, without a slash: config/checks.py",
    "model.kind": WORD,
    "model.loss": EQUATIONS,
    "model.loss_constants": NAMES,
    "model.expressions": EQUATIONS,
    "model.outputs": NAMES,
    "model.parameters": NAMES,
    "model.variables": NAMES,
    "model.initial": "are numbers, auto, or values of the data in our own language: config/data_values.py",
    "model.bounds": NAMES,
    "model.fixed": NAMES,
    "model.shared": NAMES,
    "model.gradient": WORD,
    "model.activation": EQUATIONS,
    "model.init": WORD,
    "model.quantize_error": WORD,
    "data.kind": WORD,
    "data.split": COLUMNS,
    "data.standardize": WORD,
    "data.class_weights": "names classes of the data",
    "data.truth": NAMES,
    "data.means": "are numbers",
    "data.covariances": "are numbers",
    "data.path": "is confined to the data folder",
    "data.table": "are the numbers and words themselves",
    "data.columns": COLUMNS,
    "data.encode": COLUMNS,
    "data.missing": WORD,
    "data.shuffle": WORD,
    "data.group": COLUMNS,
    "data.set": "is one of scikit-learn's bundled sets, which lie in its package: nothing is downloaded",
    "optimizer.kind": WORD,
    "optimizer.update": EQUATIONS,
    "optimizer.constants": NAMES,
    "schedule.kind": WORD,
    "schedule.factor": EQUATIONS,
    "schedule.constants": NAMES,
    "engine.kind": WORD,
    "compute.device": WORD,
    "compute.backend": WORD,
    "compute.precision": WORD,
    "compute.devices": "is refused, but for 1",
    "compute.split": WORD,
    "loop.batch_size": "is a number, or full",
    "loop.order": WORD,
    "fit.intervals": WORD,
    "checkpoint.every": "is a number of steps or seconds",
    "pack.over": "are values of fields of this list, read by Hydra's grammar after the rule on ${",
    "search.kind": WORD,
    "search.space": "are fields of this list, and what each of them may be",
    "search.objective": "is one of a few words of ours, or a metric",
    "search.direction": WORD,
    "search.over_seeds": WORD,
    "search.sampler": WORD,
    "search.storage": "is refused",
    "search.pruner": WORD,
}


def can_hold_text(kind: Any) -> bool:
    return kind in (Any, str) or any(part in str(kind) for part in ("str", "Any", "dict"))


def test_the_list_holds_every_field_that_can_hold_a_text() -> None:
    assert {path for path, meta in all_fields() if can_hold_text(meta["type"])} == TEXTS.keys()


TOUCHING = (
    "open", "os.listdir", "os.scandir", "glob.glob", "sqlite3.connect", "import", "socket.connect",
    "socket.getaddrinfo", "exec", "subprocess.Popen",
)  # fmt: skip


@pytest.fixture(scope="module")
def opened() -> Iterator[list[str]]:
    """The files that are opened, imported or asked for, while `opened` is looked at."""
    seen: list[str] = []
    looking = True

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if looking and event in TOUCHING:
            seen.append(f"{event} {args[0]!r}")

    sys.addaudithook(hook)
    yield seen
    looking = False


@pytest.mark.sampled(15)
@pytest.mark.parametrize("path", sorted(TEXTS.keys() - {"data.path"}))
def test_composing_touches_nothing_that_a_field_names(path: str, tmp_path: Path, opened: list[str]) -> None:
    """Neither as a value nor as a key, nor as both."""
    (tmp_path / "marked.py").write_text("raise SystemExit\n")
    named = f"{tmp_path}/marked"
    group, _, name = path.rpartition(".")
    kind = str({path: meta["type"] for path, meta in all_fields()}[path])
    values = [f"{named}.py", [f"{named}.py"], {f"{named}.py": f"{named}.py"}]
    for value in values[2:] if "dict" in kind else values[1:2] if "list" in kind else values[::2]:
        config = OmegaConf.structured(Config)
        opened.clear()
        with suppress(Exception):
            node = OmegaConf.select(config, group) if group else config
            setattr(node, name, value)
            make_pack(OmegaConf.to_object(config))  # pyright: ignore[reportArgumentType]
        assert not [each for each in opened if "marked" in each]
    assert [file.name for file in tmp_path.iterdir()] == ["marked.py"]
