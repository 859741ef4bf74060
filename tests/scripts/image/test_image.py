"""The image: its file and what builds it agree with the sources; the scripts run the tool that is here."""

import doctest
import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import packtrain
from scripts.image import __main__ as image
from scripts.image import base, build, check, lock, pip_settings, tool
from scripts.image.tool import Tool
from tests.helpers import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
GOOD = {
    "User": "1000",
    "Entrypoint": ["packtrain"],
    "Labels": {f"org.opencontainers.image.{name}": "x" for name in check.LABELS},
    "Healthcheck": {"Test": ["CMD", "python", "-c", "http://127.0.0.1:7070/healthz"]},
}
FAKE = """#!/bin/sh
echo "$@" >> "$NOTES"
case "$*" in
  *pull*) exit "$PULLED";;
  *build*)
    echo "STEP 1/2: RUN /opt/packtrain/bin/pip install"; echo "STEP 2/2: COPY"; echo "COMMIT packtrain"
    exit "$BUILT";;
  *inspect*) echo "$IMAGE";;
  *from*) echo container;;
esac
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A buildah that notes what it is asked -> its notes."""
    program = tmp_path / "buildah"
    program.write_text(FAKE)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    notes = {"NOTES": str(tmp_path / "notes"), "PULLED": "0", "BUILT": "0", "IMAGE": ""}
    for name, value in {"PATH": f"{tmp_path}:/usr/bin:/bin", **notes}.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "notes"


def test_the_image_says_the_version_of_the_sources_and_copies_what_is_let_in() -> None:
    (version,) = re.findall(r'image\.version="(.*?)"', DOCKERFILE)
    assert version == packtrain.__version__
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for line in re.findall(r"^COPY ([^-].*) \S+$", DOCKERFILE, re.M) for word in line.split()]
    copied = [word.replace("${VARIANT}", "*") for word in copied]
    assert sorted(let_in) == sorted(copied) and len(copied) > 7


def test_what_the_time_is_counted_by_is_in_the_image() -> None:
    steps = re.sub(r"\\\n", "", DOCKERFILE)
    assert all(re.search(f"^RUN .*{text}", steps, re.M) for text in build.PARTS.values() if text != "COMMIT")


def test_the_image_and_its_services_agree_on_ports_and_folders() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    port, folders = "7070", re.findall(r"^VOLUME (.*)$", DOCKERFILE, re.M)[0].split()
    assert f"port={port}" in services["service"]["command"] and f"127.0.0.1:{port}/healthz" in DOCKERFILE
    assert port in re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.M)[0] and port == check.PORT
    mounted = {volume.split(":")[1] for service in services.values() for volume in service["volumes"]}
    assert mounted - {"/home/packtrain/data"} <= set(folders)
    arguments = set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.M))
    assert all(service["build"]["args"].keys() <= arguments for service in services.values())


def test_a_build_names_the_seconds_of_its_steps(fake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build.build(Tool("buildah", ("--root", "x")), build.Wanted("cpu", "python:3.11-slim", "", "packtrain"))
    said = capsys.readouterr().out
    assert re.search(r"packtrain, cpu: \d+ s, \d+ s more than its", said)
    assert all(re.search(rf"\d s +\d+ %  {part}\n", said) for part in (*build.PARTS, "all else"))
    pulled, built = fake.read_text().splitlines()
    assert pulled == "--root x pull python:3.11-slim"
    assert "--isolation chroot" in built and "BASE=python:3.11-slim" in built and "VARIANT=cpu" in built


def test_a_build_that_fails_says_why(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILT", "3")
    with pytest.raises(SystemExit, match=r"STEP 2/2(.|\n)*the build ended with 3"):
        build.build(Tool("buildah"), build.Wanted("cpu", "python:3.11-slim", "", "packtrain"))


def test_without_a_registry_and_without_debootstrap_there_is_no_base(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULLED", "1")
    monkeypatch.setattr(base.shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match="nor is debootstrap"):
        base.base_of(Tool("buildah"), "python:3.11-slim", "cpu")
    assert base.base_of(Tool("docker"), "python:3.11-slim", "cpu") == "python:3.11-slim"


def test_what_is_wrong_with_an_image_is_named(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(check.wrong(GOOD)) == []
    assert [*check.wrong({**GOOD, "User": "0:0"})] == ["its user is '0:0', not a number other than 0"]
    assert len([*check.wrong({})]) == 3 + len(check.LABELS)
    monkeypatch.setenv("IMAGE", json.dumps({"Docker": {"config": {**GOOD, "Entrypoint": ["sh"]}}}))
    with pytest.raises(SystemExit, match=r"packtrain: its entrypoint is \['sh'\]"):
        check.check(Tool("buildah"), "packtrain")


def test_the_tool_is_one_that_works(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    working = ["podman", "buildah"]
    monkeypatch.setattr(tool, "_works", lambda name: name in working)
    assert tool.tool_of(None, None).name == "podman"
    stored = tool.tool_of(None, Path("x"))
    assert stored.name == "buildah" and stored.command("images")[1:3] == ["--root", "x/root"]
    with pytest.raises(ValueError, match="an image needs docker, and nothing of the kind works"):
        tool.tool_of("docker", None)
    working.clear()
    with pytest.raises(SystemExit, match="docker or podman or buildah"):
        image.main(["build"])


def test_a_program_that_ends_with_an_error_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", run)
    assert not tool._works("sh") and not tool._works("no-such-program")


@pytest.mark.parametrize("module", [build, check, lock, pip_settings], ids=lambda module: module.__name__)
def test_examples_print_what_they_say(module: Any) -> None:
    result = doctest.testmod(module)
    assert result.attempted and not result.failed
