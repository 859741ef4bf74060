"""TensorBoard of some jobs: linked, started, reused, ended."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.board_process import Watched
from packtrain.trainer.service.boards import COMMAND, MOST_BOARDS, Board, Boards, link_events
from packtrain.trainer.service.folders import Folders, Stored
from packtrain.trainer.service.jobs import State
from tests.fake_queue import FakeQueue, a_job, done

STANDS_IN = """
import sys
print(f"http://127.0.0.1:1/{sys.stdin.readline().strip()}/", flush=True)
sys.stdin.read()
"""


class Made(Folders):
    """Folders with an event file for each of two runs, of jobs that have ended."""

    def begun(self, queue: Stored, id: int, pictures: bool = True) -> Future[Path]:
        folder = self.folder / str(id)
        folder.mkdir(parents=True, exist_ok=True)
        job = queue.job(id)
        for run in ("1 seed=1", "summary") if job and job.state.is_end else ():
            place = folder / "tensorboard" / run
            place.mkdir(parents=True, exist_ok=True)
            (place / f"events.out.tfevents.1.{run}").write_bytes(b"...")
        return done(folder)


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue([a_job(id, state=State.FINISHED, ended=2.0) for id in range(1, 8)])


@pytest.fixture
def boards(tmp_path: Path) -> Iterator[Boards]:
    folders = Made(tmp_path / "folders", tmp_path)
    made = Boards(tmp_path / "tensorboard", folders, (sys.executable, "-Sc", STANDS_IN))
    yield made
    made.close()
    folders.close()


def made(boards: Boards, queue: FakeQueue, *jobs: int) -> Board:
    board = boards.of(queue, jobs)
    board.making.result(30)
    return board


def test_a_selection_is_linked_and_reused(boards: Boards, queue: FakeQueue) -> None:
    board = made(boards, queue, 2, 1)
    assert board.address and board.address.startswith("http://127.0.0.1:1/") and len(board.address) > 35
    links = sorted(path.relative_to(board.folder).as_posix() for path in board.folder.rglob("*tf*"))
    assert [link.rpartition("/")[0] for link in links] == [
        "1 primer", "1 primer/summary", "2 primer", "2 primer/summary",
    ]  # fmt: skip
    assert made(boards, queue, 1, 2) is board
    assert made(boards, queue, 3) is not board


def test_one_that_has_ended_is_started_again(boards: Boards, queue: FakeQueue) -> None:
    board = made(boards, queue, 1)
    assert board.process
    board.process.kill()
    board.process.wait()
    again = made(boards, queue, 1)
    assert again is not board and again.address != board.address


def test_only_a_few_are_kept(boards: Boards, queue: FakeQueue) -> None:
    first = made(boards, queue, 1)
    for job in range(2, 3 + MOST_BOARDS):
        made(boards, queue, job)
    assert len(boards.boards) == MOST_BOARDS and first.is_over and not first.folder.exists()
    boards.close()
    assert all(board.is_over for board in boards.boards.values())


def test_a_selection_that_shows_nothing_says_why(boards: Boards, queue: FakeQueue) -> None:
    queue.add(a_job(9))
    board = boards.of(queue, [9])
    with pytest.raises(UserError, match="job 9 has no curves for TensorBoard: it is queued"):
        board.making.result(30)
    for jobs, sentence in (([], "1 to 40 jobs"), (range(1, 50), "49 are selected"), ([99], "no job 99")):
        with pytest.raises(UserError, match=sentence):
            boards.of(queue, jobs)


def test_links_stay_below(tmp_path: Path) -> None:
    place = tmp_path / "out" / "tensorboard" / ".. up"
    place.mkdir(parents=True)
    (place / "events.out.tfevents.1.run0").write_bytes(b"...")
    (place / "passwords").write_bytes(b"...")
    assert link_events(tmp_path / "out", tmp_path / "links") == 1
    assert [path.name for path in (tmp_path / "links").rglob("*") if path.is_file()] == [
        "events.out.tfevents.1.run0"
    ]


def test_the_process_answers_behind_its_secret_and_ends_with_the_server(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    command = [*COMMAND, str(tmp_path)]
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    assert process.stdin and process.stdout
    with process.stdout, process.stdin:
        process.stdin.write("secret\n")
        process.stdin.flush()
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{address}data/environment", timeout=30) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address.replace("secret/", "data/environment"), timeout=30)
        refused.value.close()
        assert address.endswith("/secret/") and refused.value.code == 404
    assert process.wait(20) == 0


def test_other_names_of_this_machine_are_refused() -> None:
    watched, said = Watched(lambda environ, start: [b"shown"]), []
    watched.last = before = time.monotonic() - 9
    assert watched({"HTTP_HOST": "evil.example:6006"}, lambda status, headers: said.append(status)) != [
        b"shown"
    ]
    assert said == ["403 Forbidden"] and watched.last == before
    assert watched({"HTTP_HOST": "127.0.0.1:6006"}, print) == [b"shown"] and watched.last > before
