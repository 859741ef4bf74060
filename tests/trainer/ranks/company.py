"""Some rank processes that stay, and train one pack after another: of each the files of its folder."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from rich.console import Console

from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.console.following import follow_to_the_end
from packtrain.trainer.console.training import run
from packtrain.trainer.ranks.crew import Crew
from packtrain.trainer.ranks.join import join
from tests.helpers import ROOT


class Company:
    """Inside `with`, so many ranks, which `train` overrides of the command into a folder."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.open = ExitStack()

    def __enter__(self) -> "Company":
        shared = {"WORLD_SIZE": str(self.size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
        shared |= {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
        self.processes = [self._started({**os.environ, **shared, "RANK": str(r)}) for r in range(self.size)]
        return self

    def _started(self, environment: dict[str, str]) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.trainer.ranks.company"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdin=pipe, stdout=pipe)
        return self.open.enter_context(process)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            assert process.stdin
            process.stdin.close()
            if kind:
                process.kill()
        self.open.close()

    def train(self, folder: Path, *overrides: str) -> str:
        """Trains into `folder` -> what went wrong, '' where nothing did."""
        self.begin(folder, *overrides)
        return self.ended()

    def begin(self, folder: Path, *overrides: str) -> None:
        """Begins to train into `folder`."""
        words = self.processes[0].stdin
        assert words
        print(json.dumps([str(folder), *overrides]), file=words, flush=True)

    def ended(self) -> str:
        """Waits for the end of what was begun -> what went wrong."""
        answers = self.processes[0].stdout
        assert answers
        return json.loads(answers.readline())


def train(folder: Path, overrides: Sequence[str], crew: Crew | None = None) -> str:
    """Trains into `folder`, here or with a crew -> what went wrong, '' where nothing did."""
    from tests.trainer.configs import compose  # noqa: PLC0415 (it imports what the ranks needn't)

    try:
        run(make_pack(compose(*overrides), overrides), folder, Console(quiet=True), crew=crew)
    except ValueError as error:
        return str(error)
    return ""


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _main() -> None:
    crew = join()
    if not crew.ranks.first:
        follow_to_the_end(crew.ranks)
        return
    for line in sys.stdin:
        folder, *overrides = json.loads(line)
        print(json.dumps(train(Path(folder), overrides, crew)), flush=True)
    crew.leave()


if __name__ == "__main__":
    _main()
