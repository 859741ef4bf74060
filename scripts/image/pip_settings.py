"""Where this machine's pip gets packages from, for the pip of a build: indexes, folders, certificates."""

import re
import subprocess
import sys
from collections.abc import Mapping

INDEXES = "index-url", "extra-index-url"
KEYS = *INDEXES, "find-links", "trusted-host", "cert"
SETTING = re.compile(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$")


def settings() -> dict[str, list[str]]:
    """The settings of this Python's pip that say where packages come from; none where it has no pip."""
    command = sys.executable, "-m", "pip", "config", "list"
    return read(subprocess.run(command, capture_output=True, text=True).stdout)


def read(listed: str) -> dict[str, list[str]]:
    r"""The settings of what `pip config list` prints, without indexes on a disk, whose files lie anywhere.

    >>> read("global.extra-index-url='file:///mirror'\n:env:.find-links='/wheels /more'\n:env:.timeout='9'")
    {'find-links': ['/wheels', '/more']}
    """
    matches = [match for match in map(SETTING.match, listed.splitlines()) if match and match[1] in KEYS]
    result: dict[str, list[str]] = {}
    for match in sorted(matches, key=lambda match: match[0].startswith(":env:")):  # has the last word
        words = match[2].replace("\\n", " ").split()
        result[match[1]] = [word for word in words if match[1] not in INDEXES or not word.startswith("file:")]
    return {key: words for key, words in result.items() if words}


def file(settings: Mapping[str, list[str]]) -> str:
    r"""The text of a pip.conf.

    >>> file({"find-links": ["/wheels", "/more"]})
    '[global]\nfind-links = /wheels /more\n'
    """
    return "[global]\n" + "".join(f"{key} = {' '.join(words)}\n" for key, words in settings.items())


def paths(settings: Mapping[str, list[str]]) -> list[str]:
    """The files and folders of this machine that the settings name.

    >>> paths({"index-url": ["https://index.example/simple"], "cert": ["/etc/certificates.crt"]})
    ['/etc/certificates.crt']
    """
    return [word for words in settings.values() for word in words if word.startswith("/")]
