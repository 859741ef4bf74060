"""The server's process: what it says, what it never loads, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.queue.queue import Queue
from packtrain.trainer.service.server import Server, Settings, listening

IDLE = [sys.executable, "-c", "import time; time.sleep(600)"]  # a worker that does nothing
HEAVY = "torch", "numba", "scipy", "pyarrow", "matplotlib", "tensorboard", "sklearn", "triton"
SCRIPT = f"""
import json, sys
from pathlib import Path
from packtrain.trainer.service.server import Server, Settings
from packtrain.trainer.terminal.serve import lines_of
server = Server(Settings(Path(sys.argv[1]), port=0, devices="cpu", worker={IDLE!r}))
code = server.run(lambda: print(*lines_of(server, False), sep="\\n", flush=True))
peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])  # KiB
print(json.dumps({{"heavy": sorted(set({HEAVY!r}) & set(sys.modules)), "peak": peak}}), flush=True)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def process(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[subprocess.Popen[str], Path, list[str]]]:
    folder = tmp_path_factory.mktemp("service") / "deep"
    started = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout
    try:
        yield started, folder, [started.stdout.readline().strip() for _ in range(3)]
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()


def test_it_serves_and_ends_without_having_loaded_what_computes(
    process: tuple[subprocess.Popen[str], Path, list[str]],
) -> None:
    started, folder, lines = process
    url, token = (
        json.loads((folder / "server.json").read_text())["url"],
        (folder / "token").read_text().strip(),
    )
    assert lines[0] == f"packtrain serves {url}, on cpu" and token not in "".join(lines)
    assert str(folder / "token") in lines[1] and str(folder) in lines[2]
    assert (folder / "token").stat().st_mode & 0o077 == 0 == folder.stat().st_mode & 0o077
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=30) as client:
        job = client.post("jobs", json={"overrides": ["experiment=debug", "seed=3"]})
        sweep = client.post("jobs", json={"overrides": ["seed=1,2", "optimizer=sgd,adam"], "multirun": True})
        assert (job.status_code, sweep.status_code) == (201, 201), sweep.text
        assert client.post("jobs", json={"overrides": ["data.path=/etc/passwd"]}).status_code == 422
        for path in ("fields", "jobs", "jobs/1", "data", f"{url}/", f"{url}/metrics", f"{url}/healthz"):
            assert client.get(path).status_code == 200, path
        assert client.get("jobs", headers={"Host": "evil.example"}).status_code in (400, 403, 421)
        with pytest.raises(UserError, match="another server serves"):
            Queue(folder)
        with client.stream("GET", "events") as stream:
            lines_of_stream = stream.iter_lines()
            assert next(lines_of_stream).startswith(": ")
            began = time.monotonic()
            started.send_signal(signal.SIGTERM)
            assert not any(line.startswith("data") for line in lines_of_stream)  # it ends
    rest, log = started.communicate(timeout=30)
    assert started.returncode == 143 and time.monotonic() - began < 10
    said = json.loads(rest)
    assert said["heavy"] == [] and said["peak"] < 150_000, said
    assert token not in log and "Traceback" not in log
    assert not (folder / "server.json").exists()
    Queue(folder).close()


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} of 127.0.0.1 is taken"):
            Server(Settings(tmp_path, port=port, devices="cpu"))
    Queue(tmp_path).close()  # which it let go


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"host": "0.0.0.0", "port": 0}, "has no users yet"),
        ({"host": "no.such.host.invalid", "port": 0}, "no users yet|host is a name"),
        ({"devices": "cuda:77"}, "devices is auto"),
    ],
)
def test_settings_that_cannot_be_are_sentences(tmp_path: Path, settings: dict, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Server(Settings(tmp_path, **settings))


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="can't make the service's folder"):
        Server(Settings(tmp_path / "file" / "folder", devices="cpu"))


def test_two_addresses_have_their_names(tmp_path: Path) -> None:
    server = Server(Settings(tmp_path, port=0, devices="cpu", worker=IDLE))
    try:
        assert server.url == server.local_url == f"http://127.0.0.1:{server.port}"
        assert os.environ.get("PACKTRAIN_TOKEN") is None
    finally:
        server.close()
