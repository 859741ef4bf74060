"""scripts.audit: an advisory fails unless it is accepted; where pip-audit says nothing, one line does."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts import audit

SAFE = {"name": "numpy", "version": "2.4.6", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "not found"}
ADVISORY = {"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.1", "2.0"], "description": "bad"}
FAULTY = {"name": "rich", "version": "1.0", "vulns": [ADVISORY]}


def ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], report: Any
) -> tuple[int, str]:
    """The exit code and what is printed where pip-audit writes `report`, or raises it."""

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        if isinstance(report, Exception):
            raise report
        if "-o" in command and report is not None:
            Path(command[command.index("-o") + 1]).write_text(json.dumps({"dependencies": report}))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return audit.main(), capsys.readouterr().out


@pytest.mark.parametrize(
    ("report", "code", "printed"),
    [
        ([SAFE, SKIPPED], 0, "pip-audit: 0 known vulnerabilities in 1 of 2 packages\n"),
        (
            [SAFE, FAULTY],
            1,
            "pip-audit: 1 known vulnerabilities in 2 of 2 packages\n  rich 1.0: PYSEC-1, fixed in 1.1, 2.0\n",
        ),
        ([SKIPPED], 0, "pip-audit was left out: nobody tells what is known of the 1 packages\n"),
        (None, 0, "pip-audit was left out: it can't be installed or run here (FileNotFoundError)\n"),
        (
            subprocess.TimeoutExpired("pip", 60),
            0,
            "pip-audit was left out: it can't be installed or run here (TimeoutExpired)\n",
        ),
    ],
)
def test_the_exit_code_and_what_is_printed(
    report: Any,
    code: int,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(monkeypatch, capsys, report) == (code, printed)


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-2026-1"])
def test_an_accepted_advisory_doesnt_fail(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(audit.ACCEPTED, name, "we don't call it")
    code, printed = ended(monkeypatch, capsys, [FAULTY])
    assert code == 0 and "0 known" in printed
