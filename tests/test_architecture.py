"""Imports run one way, at the top of files. Checks count what they see, and find what is planted."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.helpers import ROOT

ALLOWED = {"conf": set(), "kernels": {"kernels"}, "trainer": {"kernels", "trainer"}}
SOURCES = sorted(path for folder in ALLOWED for path in (ROOT / folder).rglob("*.py"))
OURS = {"conf", "kernels", "trainer", "scripts", "tests"}
FOREIGN_TO_KERNELS = {"hydra", "omegaconf", "tensorboard", "rich"}


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of ours."""
    return {module(path): ast.parse(path.read_text()) for path in SOURCES}


PACKAGES = {module(path) for path in SOURCES if path.name == "__init__.py"}


def imported(name: str, tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """What the module `name` imports, modules and what is taken from them, each with its statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = _home(name, node)
            yield from ((f"{home}.{alias.name}", node) for alias in node.names)


def _home(name: str, node: ast.ImportFrom) -> str:
    """The module that is imported from, its dots counted from `name`."""
    if not node.level:
        return f"{node.module}"
    parts = name.split(".")[: None if name in PACKAGES else -1]
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])


def inwards(name: str, tree: ast.AST) -> list[str]:
    """What it imports of ours."""
    return [each for each, _ in imported(name, tree) if each.partition(".")[0] in OURS]


def strays(name: str, tree: ast.AST) -> list[str]:
    """What it imports and must not."""
    house = name.partition(".")[0]
    wrong = [each for each in inwards(name, tree) if each.partition(".")[0] not in ALLOWED[house]]
    if house == "kernels":
        wrong += [e for e, _ in imported(name, tree) if e.partition(".")[0] in FOREIGN_TO_KERNELS]
    return wrong


def unexplained(text: str, tree: ast.AST) -> list[str]:
    """Lines that import inside a function without saying why in parentheses."""
    lines = text.splitlines()
    return [lines[n - 1] for n in _inner(tree) if "(" not in lines[n - 1].partition("#")[2]]


def _inner(tree: ast.AST) -> list[int]:
    """The lines that import inside a function."""
    functions = [
        n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    ]
    inner = [part for each in functions for part in ast.walk(each)]
    return sorted({part.lineno for part in inner if isinstance(part, (ast.Import, ast.ImportFrom))})


def circle(needs: dict[str, set[str]]) -> set[str]:
    """The modules that wait for one another."""
    done: set[str] = set()
    while ready := {name for name in needs.keys() - done if needs[name] <= done}:
        done |= ready
    return needs.keys() - done


def needed(name: str, tree: ast.Module) -> set[str]:
    """Our modules that importing `name` imports."""
    top = {id(node) for node in tree.body}
    found = {each for each, node in imported(name, tree) if id(node) in top}
    return {each if each in trees() else each.rpartition(".")[0] for each in found} & trees().keys()


def test_imports_run_one_way() -> None:
    assert len(trees()) > 140
    seen = {name: inwards(name, tree) for name, tree in trees().items()}
    assert sum(map(len, seen.values())) > 700
    assert sum(bool(found) for found in seen.values()) > 110
    assert {name: found for name, tree in trees().items() if (found := strays(name, tree))} == {}


def test_imports_form_no_circle() -> None:
    needs = {name: needed(name, tree) for name, tree in trees().items()}
    assert sum(map(len, needs.values())) > 400
    assert not circle(needs)


def test_an_import_inside_a_function_says_why() -> None:
    seen = [name for name, tree in trees().items() for _ in _inner(tree)]
    assert len(seen) > 10
    texts = {module(path): path.read_text() for path in SOURCES}
    assert {name: found for name, tree in trees().items() if (found := unexplained(texts[name], tree))} == {}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("kernels.launch", "import trainer"),
        ("kernels.launch", "import trainer.pack as p"),
        ("kernels.launch", "from trainer import pack"),
        ("kernels.launch", "from trainer.pack import Pack"),
        ("kernels.launch", "from ..trainer import pack"),
        ("kernels.random.reference", "def f():\n    from ...trainer.pack import Pack"),
        ("kernels.launch", "from hydra.utils import instantiate"),
        ("kernels.launch", "import rich.console"),
        ("trainer.pack", "from tests.helpers import ROOT"),
        ("trainer.pack", "import scripts.bench"),
        ("conf", "from kernels import launch"),
    ],
)
def test_an_import_the_other_way_would_be_found(name: str, code: str) -> None:
    """At the end of a real module."""
    planted = ast.parse(f"{ast.unparse(trees()[name])}\n{code}\n")
    assert strays(name, trees()[name]) == [] and len(strays(name, planted)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "import kernels.launch",
        "from kernels import launch",
        "from kernels.launch import tuned",
        "from . import launch",
    ],
)
def test_a_circle_would_be_found(code: str) -> None:
    """kernels.launch imports kernels.errors."""
    needs = {name: needed(name, tree) for name, tree in trees().items()}
    needs["kernels.errors"] = needed("kernels.errors", ast.parse(code))
    assert {"kernels.errors", "kernels.launch"} <= circle(needs)


def test_an_unexplained_import_would_be_found() -> None:
    code = "def f():\n    import torch\n\n\nasync def g():\n    from torch import nn  # noqa: PLC0415\n"
    assert unexplained(code, ast.parse(code)) == [
        "    import torch",
        "    from torch import nn  # noqa: PLC0415",
    ]
    code = "import torch\n\n\ndef f():\n    import numba  # noqa: PLC0415 (it takes a second)\n"
    assert unexplained(code, ast.parse(code)) == []
