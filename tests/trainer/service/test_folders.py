"""A job's stored files become the folder that its command would have left."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import asyncio
import io
import json
import os
import shutil
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.errors import OutOfRangeError
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.compose import composed, config_loader
from packtrain.trainer.config.pack import Pack, make_pack
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.folder.write import write
from packtrain.trainer.service import painter as painting_process
from packtrain.trainer.service.envelope import sealed
from packtrain.trainer.service.folders import Folders
from packtrain.trainer.service.jobs import Job, State
from packtrain.trainer.service.packs import LivePack, Work
from packtrain.trainer.service.painting import Painter
from packtrain.trainer.service.worker.memory import kept
from packtrain.trainer.sweep.planner import without_hydra
from tests.fake_queue import FakeQueue, a_job
from tests.helpers import Command

CPU, PLAIN = "compute.device=cpu", "monitor.pictures=false"
LOCK = ".lock"  # of the command's process
VARY = "train.log", "command.json", ".hydra/hydra.yaml"  # in which times and paths are
CASES = {
    "equations": ["experiment=primer", "loop.steps=40", "data.size=64", "loop.batch_size=16", PLAIN],
    "an MLP": ["experiment=gaussians", "loop.epochs=null", "loop.steps=30", "data.size=200",
               "data.validation=0.2", "monitor.validate_every=10", "loop.batch_size=32",
               "model.widths=[2,4,2]", PLAIN],
    "a fit": ["experiment=fit"],
    "all diverged": ["experiment=primer", "loop.steps=40", "data.size=64", "loop.batch_size=16",
                     "optimizer=sgd", "optimizer.lr=1e9", PLAIN],
    "a pack": ["experiment=primer", "loop.steps=40", "data.size=64", "loop.batch_size=16",
               "pack.over={seed: '1,2,3', optimizer.lr: '0.001,0.01'}", PLAIN],
}  # fmt: skip


class InProcess(Painter):
    """Paints in this process, whose torch is there already."""

    def paint(self, folder: Path, memory: Path | None = None) -> list[str]:
        line = json.dumps({"folder": str(folder), "memory": memory and str(memory)})
        return list(painting_process.answered(line.encode())["said"])


def pack_of(overrides: list[str]) -> Pack:
    with config_loader() as loader:
        return make_pack(without_hydra(composed(loader, overrides)), overrides)


def trained(overrides: list[str], into: Path) -> tuple[Job, dict[str, bytes]]:
    """A job that a worker has trained, and the files that it sends."""
    pack = pack_of(overrides)
    work, memory = Work(1, "k", pack), b""
    live = LivePack.begin([work], load_data(pack))
    while live.jobs:
        live.session.advance()
        memory = sealed(*kept(live, [work]).sealed()) if live.session.done else b""
        for _, result in live.delivered():
            into.mkdir()
            write(into, result)
    files = {
        path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()
    }
    shutil.rmtree(into)
    result = json.loads(files["result.json"])
    job = a_job(
        1, overrides=overrides, name=pack.config.name, runs=pack.runs, state=State.FINISHED, result=result,
        started=1_000.0, ended=1_010.0, steps=result["steps"],
    )  # fmt: skip
    return job, files | {"memory": memory}


def stored(overrides: list[str], tmp_path: Path) -> FakeQueue:
    queue = FakeQueue()
    queue.add(*trained(overrides, tmp_path / "sent"))
    return queue


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    (tmp_path / "data").mkdir()
    made = Folders(tmp_path / "folders", tmp_path / "data", painter=InProcess())
    yield made
    made.close()


def names(folder: Path) -> set[str]:
    """Its files; of TensorBoard's their folders, since their own names have the time in them."""
    inside = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    inside = {path for path in inside if path.name != LOCK}
    return {str(path.parent if "tfevents" in path.name else path) for path in inside}


def without_times(content: bytes) -> Any:
    return {name: value for name, value in json.loads(content).items() if name != "seconds"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("case", list(CASES))
def test_it_is_the_commands_folder(
    case: str, cli: Command, drawn: None, folders: Folders, tmp_path: Path
) -> None:
    overrides = [*CASES[case], CPU]
    assert cli(*overrides, "monitor.progress=false").code == int(case == "all diverged")
    theirs, queue = tmp_path / "out", stored([*overrides, "monitor.progress=false"], tmp_path)
    ours = asyncio.run(folders.folder_of(queue, 1))
    assert folders.said(1) == []
    assert names(ours) == names(theirs)
    for name in sorted(names(theirs)):
        if (theirs / name).is_dir() or name in VARY or name.startswith("checkpoint/"):
            continue
        left, right = (ours / name).read_bytes(), (theirs / name).read_bytes()
        same = without_times(left) == without_times(right) if name == "result.json" else left == right
        assert same, name

    assert (case == "a fit") == any(name.endswith(".png") for name in names(ours))
    check_hydra(ours, theirs)
    assert tags(ours) == {tag for tag in tags(theirs) if not tag.startswith(("weights", "gradients"))}


def tags(folder: Path) -> set[str]:
    """What TensorBoard shows, of all runs."""
    found = set()
    for file in (folder / "tensorboard").rglob("*tfevents*"):
        reader = PyRecordReader_New(str(file))
        with suppress(OutOfRangeError):
            while True:
                reader.GetNext()
                event = Event.FromString(reader.record())
                found |= {value.tag for value in event.summary.value}
    assert "loss/train" in found
    return found


def check_hydra(ours: Path, theirs: Path) -> None:
    """The same but for paths, which say where each was made."""
    for name in ("command.json", ".hydra/hydra.yaml"):
        given = (theirs / name).read_text().splitlines()
        made = (ours / name).read_text().splitlines()
        lines = {line.strip() for line in {*given} ^ {*made}}
        assert all(any(word in line for word in ("dir:", "dir=", "cwd")) for line in lines), lines


@pytest.fixture
def drawn() -> None:
    """Asks `cli` for pictures."""


def test_the_commands_work_on_it(cli: Command, folders: Folders, tmp_path: Path) -> None:
    ours = asyncio.run(folders.folder_of(stored([*CASES["a fit"], CPU], tmp_path), 1, pictures=False))
    for words in (["show"], ["export"], ["explain"]):
        ended = cli(*words, str(ours))
        assert ended.code == 0, ended


def test_resume_goes_on_from_it(cli: Command, folders: Folders, tmp_path: Path) -> None:
    overrides = [*CASES["a pack"], CPU, "schedule=constant", "monitor.progress=false"]
    ours = asyncio.run(folders.folder_of(stored(overrides, tmp_path), 1))
    assert cli(*overrides, "loop.steps=60").code == 0
    said = cli(f"resume={ours}", "loop.steps=60")
    assert said.code == 0 and "going on from step 40" in said.out
    for name in ("runs.csv", "model.safetensors", "curves.parquet"):
        assert (ours / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name
    assert tags(ours) == tags(tmp_path / "out")


RESULT = {"device": "cpu", "precision": "fp32", "experiment": "primer", "runs": 1, "steps": 9, "samples": 9,
          "seconds": {"train": 1.0}, "outcomes": {"finished": 1}, "best_run": 0, "run": []}  # fmt: skip


class Counting(Painter):
    """Draws a file, and counts how often."""

    def __init__(self) -> None:
        super().__init__()
        self.count, self.may = 0, threading.Event()
        self.may.set()

    def paint(self, folder: Path, memory: Path | None = None) -> list[str]:
        self.may.wait(10)
        self.count += 1
        (folder / "loss.png").write_bytes(b"png")
        return []


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Folders]:
    made = Folders(tmp_path / "folders", tmp_path, painter=Counting())
    yield made
    made.close()


def ended(id: int = 1, **about: Any) -> Job:
    return a_job(id, state=State.FINISHED, started=1.0, ended=2.0, result=RESULT, **about)


def test_those_who_ask_at_once_share_its_making(counting: Folders) -> None:
    queue, painter = FakeQueue([ended()]), counting.painter
    assert isinstance(painter, Counting)
    painter.may.clear()

    async def ask() -> list[Path]:
        asking = [asyncio.create_task(counting.folder_of(queue, 1)) for _ in range(9)]
        await asyncio.sleep(0)
        painter.may.set()
        return await asyncio.gather(*asking)

    assert len({*asyncio.run(ask())}) == 1 and painter.count == 1
    asyncio.run(counting.folder_of(queue, 1))
    assert painter.count == 1


def test_it_is_made_again_when_the_job_has_changed(counting: Folders) -> None:
    queue = FakeQueue([a_job(1, state=State.RUNNING, started=1.0)])
    assert names(asyncio.run(counting.folder_of(queue, 1))) == {
        "command.json", "train.log", ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml",
    }  # fmt: skip
    queue.add(ended(), {"runs.csv": b"index"})
    folder = asyncio.run(counting.folder_of(queue, 1))
    assert {"runs.csv", "result.json", "loss.png"} <= names(folder)
    assert "primer: 1 run (1 finished)" in (folder / "train.log").read_text()


def test_old_folders_go_and_those_in_use_stay(counting: Folders) -> None:
    queue = FakeQueue([ended(id) for id in (1, 2, 3)])
    queue.files = {(id, "big"): b"0" * 100_000 for id in (1, 2, 3)}
    for id in (1, 2, 3):
        queue.change(id, files={"big": 100_000})
    counting.most_bytes = 250_000
    for n, id in enumerate((1, 2)):
        asyncio.run(counting.folder_of(queue, id))
        os.utime(counting.folder / f"{id}.json", (n, n))
    with counting._using(1):
        asyncio.run(counting.folder_of(queue, 3))
    assert sorted(path.name for path in counting.folder.iterdir() if path.is_dir()) == ["1", "3"]


def test_a_tar_has_it_all(counting: Folders) -> None:
    queue = FakeQueue()
    queue.add(ended(), {"maps/a.npy": b"1" * 600_000, "empty": b"", "exact": b"0" * 512})

    async def read() -> bytes:
        return b"".join([piece async for piece in counting.tar_of(queue, 1)])

    with tarfile.open(fileobj=io.BytesIO(asyncio.run(read()))) as tar:
        members = {member.name: member.size for member in tar if member.isfile()}
    assert members["maps/a.npy"] == 600_000 and members["empty"] == 0 and members["exact"] == 512
    assert {"loss.png", ".hydra/config.yaml", "train.log"} <= members.keys()


def test_no_file_leads_out_of_it(counting: Folders) -> None:
    queue = FakeQueue()
    queue.add(ended(), {"../../out": b"..."})
    with pytest.raises(ValueError, match="inside it"):
        asyncio.run(counting.folder_of(queue, 1))
    with pytest.raises(UserError, match="there is no job 7"):
        asyncio.run(counting.folder_of(queue, 7))


ONCE = """
import json, os, sys
for line in sys.stdin:
    folder = json.loads(line)["folder"]
    if not os.path.exists(folder):
        open(folder, "w").close()
        os._exit(9)
    print(json.dumps({"folder": folder, "said": ["drawn"]}), flush=True)
"""


def test_a_painter_that_dies_is_started_again(tmp_path: Path) -> None:
    painter = Painter(command=(sys.executable, "-Sc", ONCE))
    assert painter.paint(tmp_path / "mark") == ["drawn"]
    painter.close()
    assert "ended" in painter.paint(tmp_path / "other")[0] and not (tmp_path / "other").exists()


def test_a_painter_that_takes_too_long_is_killed() -> None:
    painter = Painter(seconds=0.2, command=(sys.executable, "-Sc", "import time; time.sleep(60)"))
    assert painter.paint(Path("x")) == ["its pictures were given up after 0.2 s"]
    assert painter.process is None


def test_a_painter_ends_when_it_is_idle() -> None:
    read, write = os.pipe()
    with open(read, "rb", buffering=0) as asked, open(write, "wb"):
        painting_process.serve(asked, io.BytesIO(), idle=0.01)
