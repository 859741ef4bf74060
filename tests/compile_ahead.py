"""Compiles what launchers launch, ahead of time and without a GPU, and reads the machine code.

    python -m tests.compile_ahead < cases

A process of its own, which goes on for the next cases, since Triton is imported either to compile or to
interpret. Each case is a line of JSON that names one of CASES with its arguments; its answer, a line too, is
a list of reports, one a kernel, choice of autotuning and architecture.
"""

import atexit
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from tests.helpers import IMPORTABLE, ROOT

ARCHITECTURES = (80, 90)
MOST_SHARED = {80: 163 << 10, 90: 227 << 10}
# the lowest 12 bits of an instruction of 128 -> what cuobjdump calls it: disassembling takes half a second
MATRIX = {0x23C: "HMMA", 0x23F: "DMMA", 0x9F0: "HGMMA", 0xDF0: "HGMMA"}


@dataclass(frozen=True)
class Report:
    """Figures of one compiled kernel: `matrix` are its instructions of the tensor cores."""

    kernel: str
    architecture: int
    choice: str
    spills: int
    shared: int
    atomics: int
    registers: int
    matrix: list[str]

    @property
    def sound(self) -> bool:
        """No spills, no atomics, and no more shared memory than there is."""
        return not self.spills and not self.atomics and self.shared <= MOST_SHARED[self.architecture]


def compiled(cases: Sequence[dict[str, Any]]) -> list[list[Report]]:
    """The reports of each case."""
    return [[Report(**report) for report in _answer(case)] for case in cases]


def _answer(case: dict[str, Any]) -> list[dict[str, Any]]:
    process, errors = _compiler()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{json.dumps(case)}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        _compiler.cache_clear()
        process.wait()
        raise AssertionError(f"{case}: {Path(errors.name).read_text()[-4000:]}")
    return json.loads(answer)


@cache
def _compiler() -> tuple[subprocess.Popen[str], IO[str]]:
    """The process that compiles, and where it writes its errors."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = str(IMPORTABLE)
    errors = tempfile.NamedTemporaryFile("w", prefix="compile-ahead-")  # noqa: SIM115 (it lives as long as the process)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.compile_ahead"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    atexit.register(_end, process)
    return process, errors


def _end(process: "subprocess.Popen[str]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()


def linear_relu(
    runs: int,
    samples: int,
    widths: list[int],
    shared: bool,
    dtype: str,
    product: str = "ieee",
    want_dx: bool = True,
    relu_last: bool = True,
    bias: bool = True,
) -> None:
    """Forward and backward of a chain, on numbers that nobody reads."""
    kind = getattr(torch, dtype)
    x = torch.zeros((samples, widths[0]) if shared else (runs, samples, widths[0]), dtype=kind)
    layers = [
        (
            torch.zeros(runs, o, i, dtype=kind, requires_grad=True),
            torch.zeros(runs, o, dtype=kind, requires_grad=True) if bias else None,
        )
        for i, o in itertools.pairwise(widths)
    ]
    chain(x.requires_grad_(want_dx), layers, relu_last, product).sum().backward()


def expression(
    text: list[str],
    outputs: list[str] | None = None,
    loss: str = "mse",
    dtype: str = "float32",
    what: str = "loss",
    runs: int = 3,
    samples: int = 65536,
    shared: bool = True,
    greedy: bool = False,
) -> None:
    """A graph's kernel; `greedy` gives a thread more samples than its registers hold."""
    graph, kind = parse(text, outputs), getattr(torch, dtype)
    triton_kernel.REGISTERS, triton_kernel.MOST_A_THREAD = (4096, 32) if greedy else LIMITS
    rows = (samples,) if shared else (runs, samples)
    parameters = torch.zeros(runs, len(graph.parameters), dtype=kind)
    inputs = torch.zeros(*rows, len(graph.inputs), dtype=kind)
    targets = torch.zeros(*rows, len(graph.outputs), dtype=kind)
    if what == "predict":
        triton_kernel.predict(graph, parameters, inputs)
    elif what == "squares":
        weights, rule = torch.zeros(rows, dtype=kind), None if loss == "mse" else robust(loss_of(loss))
        given = parameters, inputs, targets, weights, rule, torch.ones(runs, 1)
        triton_kernel.squares(graph, *given)
    else:
        classes = torch.zeros(*rows, 1, dtype=torch.int64)
        wanted = classes if loss == "cross_entropy" else targets
        triton_kernel.loss_and_gradient(graph, parameters, inputs, wanted, loss_of(loss))


def triangles(
    text: list[str], outputs: list[str] | None = None, loss: str = "mse", dtype: str = "float64"
) -> None:
    """A graph's many small fits, with weights."""
    graph, kind = parse(text, outputs), getattr(torch, dtype)
    rule = None if loss == "mse" else robust(loss_of(loss))
    inputs, targets, weights = (
        torch.zeros(60, size, dtype=kind) for size in (len(graph.inputs), len(graph.outputs), 1)
    )
    parameters, places = torch.zeros(3, len(graph.parameters), dtype=kind), torch.zeros(3, 4).long()
    samples = inputs, targets, weights[:, 0]
    triton_triangle.triangles(graph, parameters, places, *samples, rule, torch.ones(3, 1))


def training(
    text: list[str],
    outputs: list[str] | None = None,
    loss: str = "mse",
    optimizer: str = "adam",
    dtype: str = "float32",
    batch: int = 256,
    own: bool = False,
    runs: int = 3,
    weighted: bool = False,
) -> None:
    """A few steps of a graph's training in one launch; `weighted`: with weights, and smoothed labels."""
    graph, kind = parse(text, outputs), getattr(torch, dtype)
    source = graph_training(graph, loss_of(loss, weighted, weighted), kind.itemsize)
    parameters, inputs = torch.zeros(runs, len(graph.parameters), dtype=kind), len(graph.inputs) + weighted
    _descend(source, parameters, inputs, len(graph.outputs), loss, optimizer, batch, own)


def perceptron(
    widths: list[int],
    product: str = "ieee",
    loss: str = "cross_entropy",
    optimizer: str = "adam",
    dtype: str = "float32",
    batch: int = 256,
    own: bool = False,
    activation: str = "relu",
    dropout: bool = False,
    weighted: bool = False,
) -> None:
    """A few steps of a perceptron's training in one launch; `weighted`: with weights, and smoothed labels."""
    kind, how, kind_of_loss = (
        getattr(torch, dtype),
        activation_of(activation),
        loss_of(loss, weighted, weighted),
    )
    source = layers_training(widths, True, kind_of_loss, product, kind.itemsize, how, dropout)
    parameters = torch.zeros(3, sum(o * (i + 1) for i, o in itertools.pairwise(widths)), dtype=kind)
    _descend(source, parameters, widths[0] + weighted, widths[-1], loss, optimizer, batch, own)


def _descend(
    source: Any, parameters: Any, inputs: int, outputs: int, loss: str, optimizer: str, batch: int, own: bool
) -> None:
    """Two steps through the kernel, on numbers that nobody reads."""
    size, kind = len(parameters), parameters.dtype
    exact = torch.int64 if loss == "cross_entropy" else kind
    x, t = torch.zeros(1, inputs, batch, dtype=kind), torch.zeros(1, outputs, batch, dtype=exact)
    rule = rule_of(optimizer)
    whole, floats = torch.zeros(size, dtype=torch.int64), torch.zeros(2, size, dtype=kind)
    settings = torch.zeros(size, len(rule.constants), dtype=kind)
    constants = torch.ones(size, 4, dtype=kind)  # at least as many as the loss and dropout have
    runs = Runs(parameters, settings, constants, whole, whole, whole, whole, floats[0] > 0, floats[0])
    record = Record(floats, floats, torch.zeros(2, size, 2, dtype=kind), whole[:2], floats[0])
    descent = TritonDescent(source, rule, runs, record, 1)
    shuffle = Shuffle(torch.zeros(size, 2, 4, dtype=torch.int64), 0, batch) if own else None
    table = torch.zeros(2, len(rule.coefficients), size, dtype=kind)
    descent.advance(Block(0, Batches(x, t, shuffle), table, whole[:2]), slice(0, 2))


def dropout(dtype: str) -> None:
    """Masks of a layer's outputs."""
    kind = getattr(torch, dtype)
    for features in (10, 300):
        keys, rates = torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, dtype=kind)
        dropout_fwd(torch.zeros(3, 50, features, dtype=kind), keys, rates, rates)


def quantize(dtype: str) -> None:
    """The fused cast."""
    for wants_error in (True, False):
        quantize_fwd(torch.zeros(5000, dtype=getattr(torch, dtype)), wants_error)


def activate(name: str, dtype: str) -> None:
    """An activation forward and back."""
    activation(
        torch.zeros(5000, dtype=getattr(torch, dtype), requires_grad=True), name, "triton"
    ).sum().backward()


def atomic() -> None:
    """A kernel that the check of atomics must catch."""
    launch.launch(controls.atomic_kernel, 1, torch.zeros(64), 64)


def record(run: list[Report], architecture: int) -> Callable[..., None]:
    """In place of JITFunction.run: compiles the kernel for what it is called with."""

    def compile_it(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
        kernel = specialized(self, args, options)
        key = f"{kernel.name} {architecture}"
        if disassembles or key not in known:
            choice = f"{options.get('DESCRIPTORS', '')} {kernel.options}"
            known[key] = _report(self.fn.__name__, choice, architecture, kernel.compiled(architecture))
        run.append(known[key])

    return compile_it


known: dict[str, Report] = {}
disassembles = False  # whether each kernel is, to see that its instructions are read as cuobjdump reads them


def _report(name: str, choice: str, architecture: int, kernel: Any) -> Report:
    atomics = len(re.findall(r"\b(?:atom|red)\.", kernel.asm["ptx"]))
    with tempfile.TemporaryDirectory() as folder:
        cubin = Path(folder, "k.cubin")
        cubin.write_bytes(kernel.asm["cubin"])
        usage = _tool("cuobjdump", "--dump-resource-usage", cubin)
        registers = int(_found(r"REG:(\d+)", usage))
        spills = 0
        if int(_found(r"STACK:(\d+)", usage)):
            spills = _spills(kernel.asm["ptx"], architecture, Path(folder, "k.ptx"))
        matrix = matrix_instructions(kernel.asm["cubin"])
        if disassembles:
            machine = _tool("cuobjdump", "--dump-sass", cubin)
            assert matrix == sorted(set(re.findall(r"\b(HMMA|HGMMA|DMMA|IMMA)\.", machine))), matrix
    return Report(name, architecture, choice, spills, kernel.metadata.shared, atomics, registers, matrix)


def matrix_instructions(cubin: bytes) -> list[str]:
    """The names of those that are in the machine code, an ELF file's sections .text.KERNEL."""
    start, size, count, names = (
        *struct.unpack_from("<Q", cubin, 0x28),
        *struct.unpack_from("<3H", cubin, 0x3A),
    )
    headers = [struct.unpack_from("<2I4Q", cubin, start + size * number) for number in range(count)]
    found: set[str] = set()
    for name, _, _, _, offset, length in headers:
        if cubin.startswith(b".text.", headers[names][4] + name):
            instructions = struct.iter_unpack("<2Q", cubin[offset : offset + length])
            found.update(MATRIX.get(low & 0xFFF, "") for low, _ in instructions)
    return sorted(found - {""})


def _spills(ptx: str, architecture: int, file: Path) -> int:
    """Bytes of spill stores: a stack frame alone is none."""
    file.write_text(ptx)
    target = _found(r"\.target (\w+)", ptx)
    said = _tool("ptxas-blackwell", "-v", f"--gpu-name={target}", file, "-o", "/dev/null")
    return sum(map(int, re.findall(r"(\d+) bytes spill stores", said)))


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, f"no {pattern} in {text}"
    return match[1]


def _tool(name: str, *arguments: Any) -> str:
    """What a tool of Triton's wheel says."""
    tool = Path(triton.__file__).parent / "backends/nvidia/bin" / name
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


CASES: dict[str, Callable[..., None]] = {
    case.__name__: case
    for case in (
        linear_relu, expression, triangles, training, perceptron, dropout, quantize, activate, atomic,
    )
}  # fmt: skip


def main() -> None:
    """Answers cases until the input ends."""
    global disassembles
    launch.check_device = lambda *_: None
    setattr(Autotuner, "run", _every_choice)  # noqa: B010 (pyright compares signatures)
    for line in sys.stdin:
        case = json.loads(line)
        run: list[Report] = []
        disassembles = case.pop("disassemble", False)
        for architecture in ARCHITECTURES:
            setattr(JITFunction, "run", record(run, architecture))  # noqa: B010
            launch.has_tensor_descriptors = lambda _, architecture=architecture: architecture >= 90
            CASES[case["case"]](**{name: value for name, value in case.items() if name != "case"})
        print(json.dumps([asdict(report) for report in run]), flush=True)


def _every_choice(tuner: Any, *args: Any, **options: Any) -> None:
    """In place of Autotuner.run: all choices that serve."""
    tuner.nargs = dict(zip(tuner.arg_names, args, strict=False))
    for choice in tuner.prune_configs(options):
        tuner.fn.run(*args, **options, **choice.all_kwargs())


if __name__ == "__main__":
    import itertools

    import torch
    import triton
    from triton.runtime.autotuner import Autotuner
    from triton.runtime.jit import JITFunction

    from packtrain.kernels.activation import activation, activation_of
    from packtrain.kernels.common import launch
    from packtrain.kernels.descent.block import Batches, Block, Record, Runs, Shuffle
    from packtrain.kernels.descent.triton.descent import TritonDescent
    from packtrain.kernels.descent.triton.layers_source import layers_training
    from packtrain.kernels.descent.triton.source import graph_training
    from packtrain.kernels.dropout.kernel import dropout_fwd
    from packtrain.kernels.equations.losses import loss_of
    from packtrain.kernels.equations.optimizers import rule_of
    from packtrain.kernels.equations.robust import robust
    from packtrain.kernels.expression import triton_kernel, triton_triangle
    from packtrain.kernels.language import parse
    from packtrain.kernels.linear_relu.autograd import chain
    from packtrain.kernels.quantize.kernel import quantize_fwd
    from tests import controls
    from tests.specialized import specialized

    LIMITS = triton_kernel.REGISTERS, triton_kernel.MOST_A_THREAD
    main()
