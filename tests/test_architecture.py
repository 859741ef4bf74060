"""The house: imports run one way, at the top of files."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import ROOT

ALLOWED = {"conf": set(), "kernels": {"kernels"}, "trainer": {"kernels", "trainer"}}
SOURCES = sorted(path for folder in ALLOWED for path in (ROOT / folder).rglob("*.py"))
OURS = {"conf", "kernels", "trainer", "scripts", "tests"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{node.module}"


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_imports_run_one_way(path: Path) -> None:
    house = path.relative_to(ROOT).parts[0]
    found = {name.partition(".")[0] for name in imported(ast.parse(path.read_text()))}
    assert found & OURS <= ALLOWED[house]


@pytest.mark.parametrize("library", ["hydra", "omegaconf", "tensorboard", "rich"])
def test_kernels_know_no_hydra_and_no_tensorboard(library: str) -> None:
    for path in (ROOT / "kernels").rglob("*.py"):
        assert not any(n.startswith(library) for n in imported(ast.parse(path.read_text()))), path


def test_imports_form_no_circle() -> None:
    names = {module(path) for path in SOURCES}
    needs = {module(path): set(_needed(path, names)) for path in SOURCES}
    done: set[str] = set()
    while ready := {name for name in needs.keys() - done if needs[name] <= done}:
        done |= ready
    assert needs.keys() == done


def _needed(path: Path, names: set[str]) -> Iterator[str]:
    """Our modules that importing `path` imports."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            found = {f"{node.module}.{alias.name}" for alias in node.names} & names
            yield from found or {f"{node.module}"} & names


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_an_import_inside_a_function_says_why(path: Path) -> None:
    lines = path.read_text().splitlines()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for inner in ast.walk(node):
                if isinstance(inner, (ast.Import, ast.ImportFrom)):
                    assert "(" in lines[inner.lineno - 1].partition("#")[2], lines[inner.lineno - 1]
