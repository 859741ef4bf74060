"""The server's side of the painter: a process that is started when asked for, and again when it died."""

import json
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO

COMMAND = (sys.executable, "-m", "packtrain.trainer.service.painter")
SECONDS = 120.0  # that a folder may take
TRIES = 2  # of a folder whose painter died
MOST_ANSWER = 1 << 20  # bytes


class Painter:
    """One process at a time, and one folder at a time; it may be asked from several threads.

    The process ends by itself when it has had nothing to do for a while. What it says on stderr goes to
    `log`. `seconds` are those that a folder may take.
    """

    def __init__(
        self, log: Path | None = None, seconds: float = SECONDS, command: tuple[str, ...] = COMMAND
    ) -> None:
        self.log, self.seconds, self.command = log, seconds, command
        self.process: subprocess.Popen[bytes] | None = None
        self.lock, self.closed = Lock(), False

    def paint(self, folder: Path, memory: Path | None = None) -> list[str]:
        """Makes what there is to see of the training in `folder` -> what went wrong, a sentence each.

        `memory` is the file of what it goes on from, of which a checkpoint is made. It never
        raises: where the process dies, or takes too long, that is one of the sentences.
        """
        with self.lock:
            for _ in range(TRIES):
                if self.closed:
                    break
                try:
                    return self._asked(folder, memory)
                except TimeoutError:
                    self._kill()
                    return [f"its pictures were given up after {self.seconds:g} s"]
                except (OSError, ValueError):
                    self._kill()
        return ["its pictures could not be made: the process that draws them ended"]

    def close(self) -> None:
        """Ends the process."""
        self.closed = True
        self._kill()

    def _asked(self, folder: Path, memory: Path | None) -> list[str]:
        """Raises TimeoutError, and OSError or ValueError where there is no answer."""
        process = self._running()
        assert process.stdin and process.stdout
        asked = {"folder": str(folder), "memory": memory and str(memory)}
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        process.stdin.flush()
        return [str(sentence) for sentence in json.loads(_line(process.stdout, self.seconds))["said"]]

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            self._kill()
            self.process = self._started()
        return self.process

    def _started(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        if self.log is None:
            return subprocess.Popen(
                self.command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0
            )
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as said:
            return subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=said, bufsize=0)

    def _kill(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()


def _line(pipe: IO[bytes], seconds: float) -> bytes:
    """The next line. Raises TimeoutError, and ValueError where there is none any more."""
    end, line = time.monotonic() + seconds, b""
    while not line.endswith(b"\n"):
        if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            raise TimeoutError
        part = pipe.read(1 << 16)
        line += part
        if not part or len(line) > MOST_ANSWER:
            raise ValueError("no answer")
    return line
