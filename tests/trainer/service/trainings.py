"""Jobs as a worker gets them, and what the command leaves of each, for tests of the service."""

import hashlib
import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

from rich.console import Console

from packtrain.trainer.config.pack import Pack
from packtrain.trainer.console.training import run
from packtrain.trainer.service.jobs import State
from packtrain.trainer.service.packs import Work
from packtrain.trainer.service.structure import config_of, difference, joins, key_of
from packtrain.trainer.service.worker.leased import Ended, Leased, leased
from tests.trainer.configs import pack_of

QUIET = "monitor=quiet", "compute.device=cpu", "checkpoint.every=null"
FILES = ".json", ".csv", ".parquet", ".safetensors"
PRIMER = "experiment=primer", "data.size=200", "loop.batch_size=20", "loop.steps=60", "monitor.every=7"
CASES = {  # what all jobs of a structure have, and what each has of its own
    "equations": (
        PRIMER,
        (
            ("optimizer.lr=0.01",),
            ("seed=3", "loop.steps=45"),
            ("pack.over={seed: '1,2,3'}", "optimizer.lr=0.003"),
            ("optimizer.lr=1e9",),
        ),
    ),
    "steps": (
        (
            *PRIMER,
            "engine=step",
            "compute.backend=reference",
            "data.validation=0.2",
            "monitor.validate_every=8",
        ),
        (("optimizer.lr=0.01",), ("seed=3", "loop.steps=30"), ("optimizer.lr=1e9",)),
    ),
    "mlp": (
        (
            *(
                "experiment=digits",
                "loop.epochs=null",
                "loop.steps=40",
                "loop.batch_size=32",
                "model.best=true",
            ),
            *("model.widths=[64,8,10]", "monitor.validate_every=15"),
        ),
        (("seed=1",), ("seed=2", "optimizer.lr=0.1"), ("pack.over={seed: '3,4'}", "loop.steps=25")),
    ),
    "fits": (
        ("experiment=fit",),
        (
            ("model.initial={b1: 0.5, b2: 3}",),
            ("model.initial={b1: 1, b2: 5}",),
            ("pack.over={model.initial.b1: '1,2'}", "model.initial.b2=5"),
        ),
    ),
}


@cache
def asked(*overrides: str) -> Pack:
    """The pack that a command trains."""
    return pack_of(*QUIET, *overrides)


def job_of(
    id: int, *overrides: str, tag: str = "", checkpoint: str | None = None, like: Pack | None = None
) -> Leased:
    """A job as a lease's answer has it, after JSON, of the structure of which `like` was the first."""
    pack = asked(*overrides)
    base = (like or pack).config
    given = {
        **{"id": id, "user": "ada", "priority": 0, "created": 0.0, "key": key_of(pack), "tag": tag},
        **{"name": pack.config.name, "fields": difference(base, pack.config), "over": pack.over},
        **{"runs": pack.runs, "overrides": list(overrides), "joins": joins(pack.config), "search": False},
        "checkpoint": checkpoint,
    }
    return leased(json.loads(json.dumps(given)), config_of(json.loads(json.dumps(asdict(base)))))


def case_of(name: str, first: int = 1) -> list[tuple[Leased, dict[str, str]]]:
    """The jobs of a case, each with the files that its command leaves."""
    common, own = CASES[name]
    like = asked(*common, *own[0])
    return [(job_of(first + n, *common, *o, like=like), left_by(*common, *o)) for n, o in enumerate(own)]


@cache
def left_by(*overrides: str) -> dict[str, str]:
    """The files that the command leaves."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        run(asked(*overrides), out, Console(file=io.StringIO()))
        return digests({file.name: file.read_bytes() for file in out.iterdir() if file.suffix in FILES})


def left_by_resuming(words: Sequence[str], more: Sequence[str], out: Path) -> dict[str, str]:
    """The files that a command leaves in `out` which goes on from where another one has ended."""
    for some in (words, more):
        run(asked(*some, "checkpoint.every=1000000"), out, Console(file=io.StringIO()))
    return digests({file.name: file.read_bytes() for file in out.iterdir() if file.suffix in FILES})


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of what a run folder has; of result.json without its seconds."""
    own = {name: content for name, content in files.items() if Path(name).suffix in FILES}
    result = json.loads(own["result.json"])
    del result["seconds"]
    own["result.json"] = json.dumps(result).encode()
    return {name: hashlib.sha256(content).hexdigest() for name, content in own.items()}


def left_of(ended: Ended) -> dict[str, str]:
    """The files of a job that has finished."""
    assert ended.state is State.FINISHED, ended.about
    return digests(ended.make())


def work(job: Leased) -> Work:
    """What of it is trained."""
    return job.work
