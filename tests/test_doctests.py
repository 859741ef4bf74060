"""The examples in docstrings say what is true, and every public function has one."""

import ast
import doctest
import importlib
from collections.abc import Iterator

import pytest

from tests.helpers import sources
from tests.test_architecture import module, trees

MODULES = sorted(name for name in map(module, sources()) if "plugins" not in name and "__main__" not in name)
COMPILED = (
    "triton.jit",
    "njit",
    "exact",
    "summed",
    "plain",
    "cached",
)  # decorators of what runs inside kernels
# public functions without an example, by module -> why
EXEMPT = {
    "kernels.activation.kernel": "launches kernels",
    "kernels.common.launch": "launches compiled kernels",
    "kernels.dropout.kernel": "launches a kernel",
    "kernels.expression.triton_kernel": "launches kernels: the public functions choose it on CUDA",
    "kernels.expression.triton_triangle": "launches a kernel",
    "kernels.least_squares.triton_linearize": "likewise",
    "kernels.least_squares.joint_inference": "needs a joint fit that has ended",
    "kernels.linear_relu.autograd": "launches kernels",
    "kernels.linear_relu.kernel": "likewise",
    "kernels.quantize.kernel": "likewise",
    "kernels.sums.kernel": "likewise",
    "kernels.warm": "compiles for half a minute",
    "trainer.console.following": "needs other ranks",
    "trainer.data.files.science": "astropy, h5py and zarr are an extra",
    "trainer.data.files.sheets": "openpyxl is an extra",
    "trainer.export.graph": "ONNX is an extra",
    "trainer.pictures.surface_panels": "draws what a surface is, which surface.py makes",
    "trainer.ranks.crew": "needs other ranks",
    "trainer.ranks.join": "likewise",
    "trainer.ranks.launch": "starts ranks",
    "trainer.ranks.mail": "needs other ranks",
    "trainer.search.launched": "needs a launcher of Hydra's",
    "trainer.search.packs": "needs the configs of a search",
    "trainer.search.rounds": "needs the job that Hydra runs",
    "trainer.service.client.watching": "needs a service",
    "trainer.service.continued": "needs a training that has ended",
    "trainer.service.redrawn": "likewise",
    "trainer.service.replayed": "likewise",
    "trainer.service.worker.main": "needs a service",
    "trainer.service.worker.memory": "needs a pack that trains",
    "trainer.service.worker.sending": "likewise",
    "trainer.sweep.planner": "needs Hydra's config loader",
    "trainer.terminal.hydra": "changes this process for good",
    "trainer.terminal.main": "is the command",
    "trainer.terminal.ranks": "starts ranks, or is one",
    "trainer.terminal.start": "is the command",
    "trainer.terminal.submitted": "needs a service",
    "trainer.terminal.submitted_sweep": "likewise",
}


@pytest.mark.sampled(220)
@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    ended = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert ended.failed == 0, capsys.readouterr().out


def without_example(tree: ast.Module) -> Iterator[str]:
    """The public functions of a module that have none, but for those that run inside kernels."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            compiled = any(decorator.startswith(COMPILED) for decorator in decorators)
            if not compiled and ">>> " not in (ast.get_docstring(node) or ""):
                yield node.name


def test_every_public_function_has_an_example() -> None:
    bare = {name: missing for name, tree in trees().items() if (missing := list(without_example(tree)))}
    assert bare.keys() == {f"packtrain.{name}" for name in EXEMPT}, bare
    functions = [n for tree in trees().values() for n in tree.body if isinstance(n, ast.FunctionDef)]
    public = [function for function in functions if not function.name.startswith("_")]
    assert len(public) > 250 and sum(map(len, bare.values())) < len(public) / 20


def test_a_function_without_one_would_be_found() -> None:
    tree = ast.parse('def f():\n    """Nothing."""\n\n\n@triton.jit\ndef kernel():\n    """Inside."""\n')
    assert list(without_example(tree)) == ["f"]
