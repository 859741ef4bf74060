"""The pages are true: links lead somewhere, what they name is there, commands compose, lists are whole."""

import ast
import re
import shlex
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser

from packtrain.kernels.equations.activations import ACTIVATIONS
from packtrain.kernels.equations.losses import NAMES as LOSSES
from packtrain.kernels.language.definitions import WRITABLE
from packtrain.trainer.config.schema import all_fields, is_per_run
from packtrain.trainer.search.launched import in_space
from packtrain.trainer.sweep.grid import make_grid
from packtrain.trainer.terminal.explain_words import read_explain
from packtrain.trainer.terminal.fit import fit_command
from packtrain.trainer.terminal.service_words import read_submit
from scripts.pictures import screenshots
from scripts.pictures.__main__ import NAMES
from tests.helpers import ROOT
from tests.trainer.configs import pack_of

README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
PAGES = [README, CONTRIBUTING, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONFIG = ROOT / "docs" / "reference" / "config.md"

FENCED = re.compile(r"^```.*?^```", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^packtrain ((?:'[^']*'|[^'\n])+)", re.M)  # quotes may hold line breaks
INLINE = re.compile(r"`([^`\n]+)`")
NAMED = re.compile(r"(?:conf|kernels|trainer|scripts|tests|docs|\.ci|\.src)/[\w./-]*")
RUN_AS = re.compile(r"python -m ((?:scripts|tests|packtrain)[\w.]*)")
EXAMPLES = ("conf/experiment/", "conf/train.yaml")  # configs that use what there is
ELSEWHERE = {
    "show", "export", "predict", "plot", "board", "serve", "work", "jobs", "cancel", "fetch", "shuffle",
    "-sc",
}  # fmt: skip
OPEN_ENDED = re.compile(
    r"FOLDER|FILE|--help|glob\(|\[CHOICE|^-|resume=|\.\.\.|\$"
)  # for a person or a shell to fill in, or nothing to train
OF_OTHERS = "hydra", "+hydra", "join=", "&"  # words that say where, not what


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The names of its headings, as the site and code hosts make them."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.M)
    words = [re.sub(r"[^\w\s-]", "", title.replace("`", "").lower()).strip() for title in titles]
    return {re.sub(r"\s+", "-", text) for text in words}


def broken(page: Path, text: str) -> list[str]:
    """The links to files or headings that aren't there; links to the network are not followed."""
    wrong = []
    for target in LINK.findall(text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.is_relative_to(ROOT) or not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    return wrong


def missing(text: str) -> list[str]:
    """The files, folders and modules that are named in code, and aren't there."""
    words = [word for words in INLINE.findall(text) for word in words.split()]
    paths = [word for word in words if NAMED.fullmatch(word) and not (ROOT / word).exists()]
    return paths + [name for name in RUN_AS.findall(text) if not is_module(name)]


def is_module(name: str) -> bool:
    """`python -m name` would find something to run."""
    path = (ROOT / ".src" if name.startswith("packtrain") else ROOT).joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__main__.py").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_and_files_are_there(page: Path) -> None:
    assert broken(page, prose(page)) == []
    assert missing(page.read_text()) == []


def test_what_is_lost_would_be_found() -> None:
    links = "[a](docs/start.md) [b](docs/begin.md) [c](docs/start.md#install) [d](docs/start.md#no) [e](/etc)"
    assert broken(README, links) == ["docs/begin.md", "docs/start.md#no", "/etc"]
    names = "`kernels/loss/` `kernels/lost/` `pytest tests/lost.py`"
    assert missing(names) == ["kernels/lost/", "tests/lost.py"]
    assert missing("python -m packtrain, python -m scripts.audit, python -m scripts.lost") == ["scripts.lost"]
    assert sum(len(LINK.findall(prose(page))) for page in PAGES) > 80
    assert sum(len(NAMED.findall(page.read_text())) for page in PAGES) > 120


def test_every_page_of_the_site_is_in_its_table_of_contents() -> None:
    listed = re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text())
    assert sorted(listed) == sorted(str(page.relative_to(ROOT / "docs")) for page in PAGES[3:])


def test_every_picture_is_made_by_the_script_and_shown_on_a_page() -> None:
    kept = {file.name for file in (ROOT / "docs" / "pictures").iterdir()}
    shown = {Path(target).name for page in PAGES for target in LINK.findall(prose(page)) if ".png" in target}
    assert kept == shown == {f"{name}.png" for name in NAMES}


def test_without_a_chromium_screenshots_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screenshots, "chromium", lambda: None)
    screenshots.take_all(["tensorboard"])
    assert capsys.readouterr().out == "There is no Chromium here, so these stay as they are: tensorboard\n"


def commands() -> Iterator[str]:
    """Every command on the pages that trains something, whole as it is written."""
    for page in PAGES:
        text = page.read_text()
        blocks = "\n".join(FENCED.findall(text)).replace("\\\n", " ")
        found = COMMAND.findall("\n".join([blocks, *INLINE.findall(prose(page))]))
        yield from (command for command in found if not OPEN_ENDED.search(command.removeprefix("-m ")))


def submitted(words: list[str]) -> list[str]:
    """What `packtrain submit` takes for a training."""
    given = read_submit(words)
    return [*(["-m"] if given["multirun"] else []), *given["overrides"]]


COMMANDS = sorted({command for command in commands() if shlex.split(command)[0] not in ELSEWHERE})


def test_the_pages_have_commands() -> None:
    assert len(COMMANDS) >= 15
    assert any(command.startswith("-m ") for command in COMMANDS)


@pytest.mark.sampled(25)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_on_the_pages_asks_for_what_can_be_trained(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    typed = shlex.split(command, comments=True)
    words = [word for word in typed if not word.startswith(OF_OTHERS)]
    words = ["-m", *words] if any(word.startswith("join=") for word in typed) and "-m" not in words else words
    words = submitted(words[1:]) if words[0] == "submit" else words
    words = fit_command(words[1:]) if words[:1] == ["fit"] else words
    words = read_explain(words[1:])["words"] if words and words[0] == "explain" else words
    if words is None:  # it lists formulas
        return
    if words[:1] != ["-m"]:
        assert pack_of(*words).runs
        return
    if any(word.startswith("search=") for word in words):
        assert pack_of(*in_space(words[1:])).runs
        return
    grid = make_grid(OverridesParser.create().parse_overrides(words[1:]))
    for choices in grid.combinations():
        assert pack_of(*grid.shared, *(choice.override for choice in choices)).runs


def test_a_session_from_python_is_as_the_page_says() -> None:
    page = (ROOT / "docs" / "guides" / "python.md").read_text()
    in_memory, own_data = re.findall(r"```python\n(from .*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(in_memory, names)
    result = names["result"]
    assert len(result.rows) == 8 and result.summary["outcomes"] == {"finished": 8}
    assert result.curves.grid("loss")[1].shape == (25, 8)
    assert result.trained.predict({"x": [10.0]}, run="best").item() == pytest.approx(21, abs=0.5)
    names |= {"inputs": torch.ones(3, 1), "targets": torch.ones(3, 1)}
    exec(own_data, names)
    assert not names["session"].done


def test_the_reference_of_the_config_has_every_field() -> None:
    fields = dict(all_fields())
    lines = [line for line in CONFIG.read_text().splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    documented = {name.strip("`"): cells for name, *cells in rows if name.strip("`") in fields or "." in name}
    assert sorted(documented) == sorted(fields)
    for name, (_, *kinds, about) in documented.items():
        known = fields[name].get("kinds") or fields[name].get("pruners") or ()
        assert ", ".join(kinds) == ", ".join(known), name
        entry = f"{name}.entry" if fields[name].get("mapping") else name
        assert ("**per run**" in about) == is_per_run(entry), name


@lru_cache(1000)
def code(path: Path) -> str:
    """What a file says without its comments and docstrings."""
    if path.suffix != ".py":
        return path.read_text()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node) is not None
        ):
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


def places(pattern: str) -> set[str]:
    """The files of conf, kernels and trainer that name it, but for configs that only use it."""
    files = [path for folder in ("conf", "kernels", "trainer") for path in (ROOT / folder).rglob("*")]
    named = [path for path in files if path.suffix in (".py", ".yaml") and re.search(pattern, code(path))]
    paths = {str(path.relative_to(ROOT)) for path in named}
    return {path for path in paths if not path.startswith(EXAMPLES)}


def listed(title: str) -> set[str]:
    """The files of conf, kernels and trainer in the numbered steps of a section of CONTRIBUTING."""
    section = CONTRIBUTING.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    steps = re.findall(r"^\d+\. .*$", section, re.M)
    named = [word for step in steps for word in INLINE.findall(step) if NAMED.fullmatch(word)]
    return {word for word in named if word.startswith(("conf/", "kernels/", "trainer/"))}


@pytest.mark.parametrize("page", ["docs/reference/expression-language.md", "conf/model/expression.yaml"])
def test_every_function_of_the_language_is_listed(page: str) -> None:
    words = set(re.findall(r"\w+", (ROOT / page).read_text()))
    assert len(WRITABLE) > 50 and set(WRITABLE) - words == set()


@pytest.mark.parametrize(
    ("page", "field", "names"),
    [
        (page, field, names)
        for page in ("conf/train.yaml", "conf/model/mlp.yaml", "docs/reference/config.md")
        for field, names in (("loss", LOSSES), ("activation", ACTIVATIONS))
    ]
    + [("conf/model/expression.yaml", "loss", LOSSES)],
)
def test_every_loss_and_activation_is_listed(page: str, field: str, names: Collection[str]) -> None:
    words = set(re.findall(r"\w+", (ROOT / page).read_text()))
    assert field in words and set(names) - words == set()


@pytest.mark.parametrize(
    ("title", "pattern", "least"),
    [
        ("How to add an operation", r"\berfcx\b", 9),
        ("How to add an activation", r"\bleaky_relu\b", 2),
        ("How to add a loss", r"arctan, quantile|[\"']quantile[\"']: Row", 3),
        ("How to add an optimizer", r"\blion\b|[\"'.]lr_decay[\"']", 4),
        ("How to add a schedule", r"\bone_cycle\b|[\"'.]warmup_fraction[\"']", 4),
        ("How to add a data source", r"\bsklearn\b(?!\.)|[\"']data\.noise[\"']", 4),
    ],
)
def test_the_lists_of_places_are_whole(title: str, pattern: str, least: int) -> None:
    assert len(listed(title)) >= least
    assert listed(title) == places(pattern)
