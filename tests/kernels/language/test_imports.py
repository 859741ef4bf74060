"""The language is text and graphs, and so are diagrams: they know no backend, and no array."""

import sys

from tests.test_architecture import imported, trees

ROOM = "packtrain.kernels.language"
ROOMS = f"{ROOM}.", "packtrain.kernels.diagrams."
DOOR = "packtrain.kernels.expression.explain.explain_values"  # of Graph.explain, opened when it is called
ALLOWED = *ROOMS, "packtrain.kernels.common.errors.", DOOR


def strangers(imports: list[str]) -> list[str]:
    """Those that are neither of these rooms nor in Python's library."""
    foreign = [name for name in imports if name.partition(".")[0] not in sys.stdlib_module_names]
    return [name for name in foreign if not name.startswith(ALLOWED)]


def test_the_language_imports_itself_and_pythons_library() -> None:
    modules = {name: tree for name, tree in trees().items() if f"{name}.".startswith(ROOMS)}
    imports = [name for module, tree in modules.items() for name, _ in imported(module, tree)]
    assert len(modules) > 20 and len(imports) > 100
    assert strangers(imports) == [] and imports.count(DOOR) == 1


def test_a_backend_would_be_seen() -> None:
    planted = ["packtrain.kernels.expression.reference", "torch", "numpy.float64"]
    assert strangers(["math", f"{ROOM}.expr.node", *planted]) == planted
