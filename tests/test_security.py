"""Nothing is let in: no text becomes code, no pickle is opened, nothing leaves the output folder."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.helpers import IMPORTABLE, ROOT, Command, sources

SOURCES = sources()
PACKAGE = IMPORTABLE / "packtrain"

# What makes code of text or bytes, starts programs or talks to the network: builtins, modules, functions.
BUILTINS = {"eval", "exec", "compile", "__import__", "breakpoint", "input", "globals", "vars"}
MODULES = {
    "pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "code", "codeop", "runpy",
    "importlib", "subprocess", "multiprocessing", "pty", "ctypes", "llvmlite", "socket", "http", "urllib",
    "requests",
}  # fmt: skip
FUNCTIONS = {
    "os.system", "os.popen", "os.fork", "os.posix_spawn", "torch.load", "torch.jit.load", "torch.compile",
    "np.load", "np.fromfile", "np.memmap", "numpy.load", "yaml.load", "yaml.load_all", "yaml.unsafe_load",
    "yaml.full_load", "hydra.utils.instantiate", "hydra.utils.call", "hydra.utils.get_class",
    "hydra.utils.get_method", "OmegaConf.register_new_resolver",
}  # fmt: skip
DUNDERS = {"__globals__", "__subclasses__", "__mro__", "__builtins__", "__code__"}
UNSAFE_UNLESS_FALSE = {"allow_pickle", "shell", "allow_objects"}

# What was found -> why it lets nothing in.
ARGUED = {
    "kernels/common/source_cache.py: importlib.util": "imports what we generated",
    "kernels/common/source_cache.py: importlib.abc.InspectLoader": "likewise, from the text itself",
    "kernels/common/crew.py: ctypes": "starts machine code of ours in a thread",
    "kernels/common/llvm.py: llvmlite.binding": "compiles IR of numbers: no name of a user's is in it",
    "kernels/common/native.py: llvmlite.ir": "calls it by its address",
    "kernels/functions/arrays.py: ctypes": "likewise, for tests and benchmarks",
    "kernels/layers/tiles.py: llvmlite.binding": "asks how wide the processor's registers are",
    "trainer/export/graph.py: importlib.util.find_spec": "asks whether ONNX is there",
    "trainer/pictures/style.py: importlib.util.find_spec": "asks whether Matplotlib is there",
    "trainer/sweep/lost.py: importlib.util.find_spec": "asks whether submitit is there",
    "trainer/sweep/others.py: subprocess": "asks Slurm for jobs: a command of ours, without a shell",
    "trainer/terminal/hydra.py: OmegaConf.register_new_resolver": "checks a name, and returns it",
    "trainer/ranks/mail.py: pickle": "what the processes of one training say to one another, as torch's do",
    "trainer/data/stream/arrays.py: np.memmap": "of numbers alone: the header says which",
    "trainer/data/files/arrays.py: np.load": "with allow_pickle=False",
    "trainer/terminal/board.py: socket": "asks whether a port of this machine is free",
    "trainer/tensorboard/events.py: socket": "asks for this machine's name",
    "trainer/terminal/commands.py: importlib.import_module": "imports the modules of a table of ours",
    "trainer/terminal/serve_words.py: socket": "asks for this machine's name",
    "trainer/service/server.py: socket": "takes the port where the service listens",
    "trainer/service/devices.py: subprocess": "asks nvidia-smi which GPUs there are",
    "trainer/service/keeper.py: subprocess": "starts workers: a command of ours, without a shell",
    "trainer/service/painting.py: subprocess": "starts the painter, likewise",
    "trainer/service/boards.py: subprocess": "starts TensorBoard, likewise",
    "trainer/service/client/address.py: urllib.parse.urlsplit": "takes an address apart, and asks nobody",
    "trainer/service/http/results.py: urllib.parse.quote": "spells a name for a header",
    "trainer/service/pages/shown.py: urllib.parse.urlencode": "spells an address",
    "trainer/service/queue/files.py: urllib.parse.quote": "spells a name for a disk",
    "trainer/service/http/shown.py: vars": "the fields of a dataclass of ours",
    "trainer/service/queue/ending.py: vars": "likewise",
    "trainer/service/queue/submission.py: vars": "likewise",
    "trainer/service/worker/data.py: vars": "likewise",
    "trainer/service/run_folder.py: _target_": "writes what the command writes about its plugin",
    ".src/hydra_plugins/packed_sweeper.py: _target_": "how Hydra finds a plugin's class",
    ".src/hydra_plugins/join_launcher.py: _target_": "likewise",
}


def suspicious(tree: ast.AST) -> Iterator[str]:
    """What in a source could let something in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and not node.level:  # others are ours, as service/http
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in names if name.partition(".")[0] in MODULES or name in FUNCTIONS)
        elif isinstance(node, ast.Attribute):
            if (written := ast.unparse(node)) in FUNCTIONS or node.attr in DUNDERS:
                yield written
        elif isinstance(node, ast.Name):
            if node.id in BUILTINS or node.id == "_target_":
                yield node.id
        elif isinstance(node, ast.Constant) and node.value == "_target_":
            yield "_target_"
        elif isinstance(node, ast.keyword) and node.arg in UNSAFE_UNLESS_FALSE:
            yield from [] if ast.unparse(node.value) == "False" else [f"{node.arg}={ast.unparse(node.value)}"]


def test_no_source_makes_code_of_text_or_opens_pickles() -> None:
    findings = {
        f"{path.relative_to(ROOT)}: {what}"
        for path in SOURCES
        for what in suspicious(ast.parse(path.read_text()))
    }
    assert findings == ARGUED.keys()


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("eval('1')", "eval"),
        ("f = exec", "exec"),
        ("compile(text, '', 'exec')", "compile"),
        ("__import__('os')", "__import__"),
        ("import pickle", "pickle"),
        ("import joblib as j", "joblib"),
        ("from pickle import loads", "pickle.loads"),
        ("from torch import load", "torch.load"),
        ("torch.load(file, weights_only=True)", "torch.load"),
        ("np.load(file, allow_pickle=True)", "allow_pickle=True"),
        ("np.load(file, allow_pickle=trusted)", "allow_pickle=trusted"),
        ("yaml.load(file, Loader=yaml.Loader)", "yaml.load"),
        ("from yaml import unsafe_load", "yaml.unsafe_load"),
        ("import subprocess", "subprocess"),
        ("os.system('id')", "os.system"),
        ("hydra.utils.instantiate(cfg)", "hydra.utils.instantiate"),
        ("from hydra.utils import instantiate", "hydra.utils.instantiate"),
        ("cfg['_target_']", "_target_"),
        ("from urllib.request import urlopen", "urllib.request.urlopen"),
    ],
)
def test_a_source_that_did_would_be_found(code: str, what: str) -> None:
    """At the end of a real one."""
    honest = (ROOT / "trainer" / "folder" / "stored.py").read_text()
    assert not list(suspicious(ast.parse(honest)))
    assert what in suspicious(ast.parse(f"{honest}\n{code}\n"))


def test_no_array_is_loaded_but_without_pickles() -> None:
    calls = [
        node
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load"
    ]
    assert len(calls) == 2
    assert all("allow_pickle=False" in map(ast.unparse, call.keywords) for call in calls)


def test_configs_name_no_classes() -> None:
    """Hydra's own plugins apart, among them our callback; all is read as data, by the safe loader."""
    paths = list((ROOT / "conf").rglob("*.yaml"))
    assert len(paths) > 30
    for path in paths:
        config = yaml.safe_load(path.read_text())
        config.get("hydra", {}).pop("callbacks", None)
        assert "_target_" not in str(config) and "!!" not in path.read_text(), path


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("model: {_target_: os.getcwd}", "there is no field model._target_"),
        ("optimizer: {kind: os.getcwd}", "optimizer.kind is one of"),
        ("name: ${eval:1+1}", "Unsupported interpolation type eval"),
        ("model: {expressions: ['xy = __import__(a)']}", "a name begins with a letter"),
        ("pack: {over: {seed: \"__import__('os')\"}}", "seed"),
        ("search: {kind: random, space: {__class__: {choices: [1]}}}", "__class__"),
        ("pack: {over: {__class__.__init__: '1,2'}}", "__class__"),
    ],
)
def test_a_config_that_would_be_code_is_one_sentence(
    text: str, message: str, cli: Command, tmp_path: Path
) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "hostile.yaml").write_text(f"# @package _global_\n{text}\n")
    ended = cli("--config-dir", str(tmp_path / "mine"), "experiment=hostile", "data.truth={a: 1}")
    assert ended.code == 2, ended
    assert ended.err.startswith("packtrain: ") and message in ended.err
    assert "Traceback" not in ended.err


COMMANDS = [
    ["experiment=debug", "name=graph", "hydra.run.dir=graph", "compute.device=cpu"],
    [
        "experiment=gaussians",
        "data.size=64",
        "loop.batch_size=16",
        "loop.steps=3",
        "hydra.run.dir=mlp",
        "engine=step",
    ],
    [
        "experiment=fit",
        "data.path=points.npz",
        "data.columns={x: x, xy: y}",
        "hydra.run.dir=fit",
        "compute.device=cpu",
    ],
    ["show", "graph", "sort=seed"],
    ["show", "mlp", "run=0"],
    ["export", "fit"],
    ["export", "mlp"],
]

UNCOMPILED = [COMMANDS[0] + ["engine=step", "compute.backend=reference"], *COMMANDS[1:]]


def audited(
    folder: Path, ours: list[Path], commands: list[list[str]]
) -> tuple[list[list[str]], dict[str, list[str]]]:
    """What commands did that they must not, in a process that has its every folder below `folder`.

    And in how much that was looked for: see tests/audited.py.
    """
    request = {
        "ours": [f"{root}/" for root in ours],
        "writable": [f"{folder}/", "/dev/null"],
        "commands": commands,
    }
    places = {"HOME": folder, "PACKTRAIN_CACHE": folder / "cache", "TMPDIR": folder, "PYTHONPATH": folder}
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "audited.py", json.dumps(request)],
        cwd=folder,
        env={**os.environ, **places, "TRITON_INTERPRET": "0"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout.splitlines()[-1])
    return output["found"], output["seen"]


@pytest.mark.parametrize(
    "commands", [UNCOMPILED, pytest.param(COMMANDS, marks=pytest.mark.thorough)], ids=["most", "all"]
)
def test_a_run_executes_no_text_and_writes_nowhere_else(commands: list[list[str]], tmp_path: Path) -> None:
    """What Numba unpickles lies in the user's own folder."""
    np.savez(tmp_path / "points.npz", x=np.arange(1.0, 7.0), y=0.77 * np.arange(1.0, 7.0) ** 3.9)
    ours = [PACKAGE, tmp_path / "cache"]
    findings, seen = audited(tmp_path, ours, commands)
    assert findings == []
    assert sum(f"{PACKAGE / 'kernels'}/" in module for module in seen["modules"]) > 30
    assert sum(f"{PACKAGE / 'trainer'}/" in module for module in seen["modules"]) > 50
    for folder in ("graph", "mlp", "fit", "cache"):
        assert sum(name.startswith(f"{tmp_path / folder}/") for name in seen["written"]) > 3, folder


PLANTED = """
import os, pickle, socket, subprocess

eval("1 + 1")
pickle.loads(pickle.dumps(os.getcwd))
subprocess.run(["true"])
os.system("true")
with socket.socket() as each:
    each.bind(("127.0.0.1", 0))
open(os.path.join(os.path.dirname(__file__), "../../outside"), "w").close()
"""


def test_a_run_that_did_would_be_found(tmp_path: Path) -> None:
    """As if a plugin that Hydra imports were ours."""
    folder = tmp_path / "inside" / "hydra_plugins"
    folder.mkdir(parents=True)
    (folder / "planted.py").write_text(PLANTED)
    findings, seen = audited(tmp_path / "inside", [folder], [["--cfg", "job"]])
    assert seen["modules"] == [f"{folder / 'planted.py'}"]
    assert {event for event, _, _ in findings} == {
        "compile", "exec", "pickle.find_class", "subprocess.Popen", "os.system", "socket.bind", "open",
    }  # fmt: skip
    assert (tmp_path / "outside").exists()
