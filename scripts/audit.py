"""Known vulnerabilities among the versions of constraints.txt, by pip-audit, where the registry answers.

    python -m scripts.audit

Exits with 1 for an advisory that is not in ACCEPTED. Where pip-audit can't be installed, or no service
answers, one line says so, and it exits with 0.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
ACCEPTED: dict[str, str] = {}  # the id of an advisory -> why it doesn't concern us

INSTALL = ("pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "0", "--timeout", "5")
AUDIT = ("pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "5")
SECONDS = 60  # for each of the two


def main() -> int:
    """Prints what is known -> the exit code."""
    try:
        with TemporaryDirectory() as tool:
            packages = audit(Path(tool))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"pip-audit was left out: it can't be installed or run here ({type(error).__name__})")
        return 0
    answered = [package for package in packages if "skip_reason" not in package]
    if not answered:
        print(f"pip-audit was left out: nobody tells what is known of the {len(packages)} packages")
        return 0
    open_ones = list(advisories(answered, ACCEPTED))
    print(f"pip-audit: {len(open_ones)} known vulnerabilities in {len(answered)} of {len(packages)} packages")
    for line in open_ones:
        print(f"  {line}")
    return int(bool(open_ones))


def audit(tool: Path) -> list[dict[str, Any]]:
    """Installs pip-audit into the folder `tool` -> what it says of each package."""
    _python(*INSTALL, "--target", str(tool), "pip-audit", path="").check_returncode()
    report = tool / "report.json"
    _python(*AUDIT, "-r", str(CONSTRAINTS), "-f", "json", "-o", str(report), path=str(tool))
    return json.loads(report.read_text())["dependencies"]


def _python(module: str, *arguments: str, path: str) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | ({"PYTHONPATH": path} if path else {})
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, timeout=SECONDS)


def advisories(packages: Iterable[Mapping[str, Any]], accepted: Mapping[str, str]) -> Iterator[str]:
    """A line for each advisory that is accepted under none of its names."""
    for package in packages:
        for advisory in package["vulns"]:
            if not accepted.keys() & {advisory["id"], *advisory["aliases"]}:
                fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
                yield f"{package['name']} {package['version']}: {advisory['id']}, fixed in {fixed}"


if __name__ == "__main__":
    sys.exit(main())
