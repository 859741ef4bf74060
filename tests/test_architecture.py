"""Imports run one way, at the top of files. Checks count what they see, and find what is planted."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.helpers import IMPORTABLE, ROOT, sources

# The rooms of trainer, each of which imports from those before it alone.
ROOMS = (
    "config", "ranks", "data", "models", "optimizers", "engines", "folder", "pruning", "loop", "session",
    "finished", "tensorboard", "pictures", "console", "export", "sweep", "search", "explain", "door",
    "service", "api", "terminal",
)  # fmt: skip
PLUGINS = "hydra_plugins"
ALLOWED = {
    "conf": set(),
    "kernels": {"kernels"},
    "trainer": {"kernels", "trainer", "__version__"},
    "__init__": {"trainer"},
    "__main__": {"trainer"},
    PLUGINS: {"trainer"},
}
FOREIGN_TO_KERNELS = {"hydra", "omegaconf", "tensorboard", "rich"}
OURS = {"packtrain", "scripts", "tests"}


def module(path: Path) -> str:
    """Its name in the package: the folders of ROOT are linked there."""
    inside = path.is_relative_to(IMPORTABLE)
    parts = path.relative_to(IMPORTABLE if inside else ROOT).with_suffix("").parts
    parts = parts if inside else ("packtrain", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of ours."""
    return {module(path): ast.parse(path.read_text()) for path in sources()}


PACKAGES = {module(path) for path in sources() if path.name == "__init__.py"}


def house(name: str) -> str:
    """kernels of packtrain.kernels.launch."""
    parts = name.split(".")
    return PLUGINS if parts[0] == PLUGINS else parts[1] if parts[1:] else "__init__"


def room(name: str) -> str:
    """config of packtrain.trainer.config.pack, '' of what isn't in one."""
    parts = name.split(".")
    return parts[2] if parts[1:2] == ["trainer"] and len(parts) > 2 else ""


def imported(name: str, tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """What the module `name` imports, modules and what is taken from them, each with its statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(name, node)
            yield from ((f"{base}.{alias.name}", node) for alias in node.names)


def _base(name: str, node: ast.ImportFrom) -> str:
    """The module that is imported from, its dots counted from `name`."""
    if not node.level:
        return f"{node.module}"
    parts = name.split(".")[: None if name in PACKAGES else -1]
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])


def inwards(name: str, tree: ast.AST) -> list[str]:
    """What it imports of ours."""
    return [other for other, _ in imported(name, tree) if other.partition(".")[0] in OURS]


def strays(name: str, tree: ast.AST) -> list[str]:
    """What it imports and must not: of another house, of a room above its own, of what kernels don't know."""
    imports = inwards(name, tree)
    allowed = tuple(f"packtrain.{part}." for part in ALLOWED[house(name)])
    wrong = [other for other in imports if not f"{other}.".startswith(allowed)]
    wrong += [other for other in imports if other not in wrong and is_upwards(name, other)]
    if house(name) == "kernels":
        wrong += [e for e, _ in imported(name, tree) if e.partition(".")[0] in FOREIGN_TO_KERNELS]
    return wrong


def is_upwards(name: str, other: str) -> bool:
    """`other` is in a room of trainer above that of `name`, or in none."""
    if house(name) != "trainer" or house(other) != "trainer":
        return False
    return ROOMS.index(room(other)) > ROOMS.index(room(name))


def unexplained(text: str, tree: ast.AST) -> list[str]:
    """Lines that import inside a function without saying why in parentheses."""
    lines = text.splitlines()
    return [lines[n - 1] for n in _inner(tree) if "(" not in lines[n - 1].partition("#")[2]]


def _inner(tree: ast.AST) -> list[int]:
    """The lines that import inside a function."""
    functions = [
        n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    ]
    inner = [part for function in functions for part in ast.walk(function)]
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
    imports = {other for other, node in imported(name, tree) if id(node) in top}
    return {other if other in trees() else other.rpartition(".")[0] for other in imports} & trees().keys()


def test_imports_run_one_way() -> None:
    assert len(trees()) > 165
    seen = {name: inwards(name, tree) for name, tree in trees().items()}
    assert sum(map(len, seen.values())) > 750
    assert sum(bool(imports) for imports in seen.values()) > 120
    rooms = [room(other) for imports in seen.values() for other in imports if room(other)]
    assert len(rooms) > 400 and set(rooms) <= set(ROOMS)
    assert {name: wrong for name, tree in trees().items() if (wrong := strays(name, tree))} == {}


def test_trainer_has_no_loose_files() -> None:
    loose = {path.name for path in (ROOT / "trainer").glob("*.py")}
    assert loose <= {"__init__.py", "api.py", "finished.py", "session.py"}
    assert {path.parent.name for path in (ROOT / "trainer").glob("*/__init__.py")} <= set(ROOMS)


def test_imports_form_no_circle() -> None:
    needs = {name: needed(name, tree) for name, tree in trees().items()}
    assert sum(map(len, needs.values())) > 450
    assert not circle(needs)


def test_an_import_inside_a_function_says_why() -> None:
    seen = [name for name, tree in trees().items() for _ in _inner(tree)]
    assert len(seen) > 10
    texts = {module(path): path.read_text() for path in sources()}
    assert {name: lines for name, tree in trees().items() if (lines := unexplained(texts[name], tree))} == {}


LAUNCH, RANDOM, PACK = (
    f"packtrain.{name}"
    for name in ("kernels.common.launch", "kernels.random.reference", "trainer.config.pack")
)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (LAUNCH, "import packtrain.trainer"),
        (LAUNCH, f"import {PACK} as p"),
        (LAUNCH, "from packtrain import trainer"),
        (LAUNCH, f"from {PACK} import Pack"),
        (LAUNCH, "from ...trainer.config import pack"),
        (RANDOM, "def f():\n    from ...trainer.config.pack import Pack"),
        (LAUNCH, "from hydra.utils import instantiate"),
        (LAUNCH, "import rich.console"),
        (PACK, "from tests.helpers import ROOT"),
        (PACK, "import scripts.bench"),
        (PACK, "from ..data.dataset import Dataset"),
        (PACK, "def f():\n    from ..terminal import show"),
        (PACK, "from packtrain.trainer.engines import base"),
        ("packtrain.conf", "from .kernels.common import launch"),
    ],
)
def test_an_import_the_other_way_would_be_found(name: str, code: str) -> None:
    """At the end of a real module."""
    planted = ast.parse(f"{ast.unparse(trees()[name])}\n{code}\n")
    assert strays(name, trees()[name]) == [] and len(strays(name, planted)) == 1


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "code",
    [
        f"import {LAUNCH}",
        "from packtrain.kernels.common import launch",
        f"from {LAUNCH} import tuned",
        "from . import launch",
    ],
)
def test_a_circle_would_be_found(code: str) -> None:
    """launch imports errors."""
    errors = "packtrain.kernels.common.errors"
    needs = {name: needed(name, tree) for name, tree in trees().items()}
    needs[errors] = needed(errors, ast.parse(code))
    assert {errors, LAUNCH} <= circle(needs)


def test_an_unexplained_import_would_be_found() -> None:
    code = "def f():\n    import torch\n\n\nasync def g():\n    from torch import nn  # noqa: PLC0415\n"
    assert unexplained(code, ast.parse(code)) == [
        "    import torch",
        "    from torch import nn  # noqa: PLC0415",
    ]
    code = "import torch\n\n\ndef f():\n    import numba  # noqa: PLC0415 (it takes a second)\n"
    assert unexplained(code, ast.parse(code)) == []
