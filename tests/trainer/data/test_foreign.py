"""What reading somebody else's file raises, and what stays a bug of ours."""

import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf
from safetensors import safe_open

from packtrain.trainer.data.foreign import UNREADABLE
from packtrain.trainer.folder.command import read_command

DAMAGED: dict[str, tuple[bytes, Callable[[Path], Any]]] = {
    "JSON that ends early": (b"[1,", lambda file: json.loads(file.read_text())),
    "JSON nested too deep": (b"[" * 100_000, lambda file: json.loads(file.read_text())),
    "JSON of another type": (b"3", lambda file: json.loads(file.read_text())["runs"]),
    "JSON without a key": (b"{}", lambda file: json.loads(file.read_text())["runs"]),
    "JSON with too large a number": (b"1e999", lambda file: int(json.loads(file.read_text()))),
    "bytes that are no text": (b"\xff\xfe\0", lambda file: file.read_text(encoding="utf-8")),
    "YAML": (b"a: [b", lambda file: yaml.safe_load(file.read_text())),
    "a config": (b"a: ${b", lambda file: OmegaConf.to_container(OmegaConf.load(file), resolve=True)),
    "safetensors": (b"\0" * 99, lambda file: safe_open(file, "pt")),
    "an archive": (b"PK", lambda file: zipfile.ZipFile(file)),
    "a compressed file": (b"abc", lambda file: zlib.decompress(file.read_bytes())),
    "a table without rows": (b"", lambda file: next(iter(file.read_text()))),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_a_damaged_file_raises_is_among_them(name: str, tmp_path: Path) -> None:
    content, read = DAMAGED[name]
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UNREADABLE):
        read(tmp_path / "file")


def test_a_bug_of_ours_comes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> None:
        raise AssertionError("a bug")

    assert not issubclass(AssertionError, UNREADABLE) and not issubclass(NameError, UNREADABLE)
    (tmp_path / "command.json").write_text("{}")
    monkeypatch.setattr("packtrain.trainer.folder.command.json.loads", broken)
    with pytest.raises(AssertionError, match="a bug"):
        read_command(tmp_path)
