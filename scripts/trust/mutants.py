"""The lines that promises of trust hang on, found by searching the sources; each with something removed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.common import record

FOLDERS = "trainer", "kernels"
MASKS = "alive|active|wanted|going|accepted|free|finite|running|takes"
MASK = rf"(?:self\.|engine\.)?(?:{MASKS})\b(?:\[[^\]]*:[^\]]*\])?"
VALUE = r"[^,()]+(?:\([^()]*\))?"
RULES: dict[str, list[tuple[str, str]]] = {
    "fsync": [(r"^(\s*)(?:os\.fsync|_sync)\(.*\)$", r"\1pass")],
    "rename": [(r"^(\s*)[\w.]+\.(?:replace|rename)\(.*\)$", r"\1pass")],
    "checksum": [
        (r"^(\s*)digest\.update\(.*\)$", r"\1pass"),
        (r"^(\s*)if .*checksum.*:$", r"\1if False:"),
        (r"^(\s*)\w+\[[^=]*\] = .*checksum.*$", r"\1pass"),
        (r"\bdigest\.hexdigest\(\)", "'0'"),
        (r"\bhashlib\.sha256\(.*\)\.hexdigest\(\)", "'0'"),
        (r"\bhashlib\.sha256\([^()]+(?:\(\))?\)(?!\.hexdigest)", "hashlib.sha256()"),
    ],
    "freeze mask": [
        (r"^(\s*)(?:self\.)?alive(?:\[\w+\])? (?:&=|=) (?!torch\.ones|tl\.load).*$", r"\1pass"),
        (rf"(?<![\w.\]]){MASK} & ", ""),
        (r"\b(?:alive\[r\]|finite) and (?=origin|isfinite)", ""),
        (rf" & {MASK}", ""),
        (r" & _is_finite\([^()]*\)", ""),
        (rf"\b(?:torch\.|tl\.|_)where\({MASK}, ({VALUE}), {VALUE}\)", r"\1"),
        (rf"\.masked_fill\(~{MASK}, [^()]*\)", ""),
        (r"^(\s*finite = .*(?:\.isfinite\(\)|= _is_finite\().*)$", r"\1 | True"),
        (r"\bif not isfinite\(.*\):", "if False:"),
        (r"\breturn isfinite\(.*\)", "return True"),
    ],
}  # fmt: skip
# what stands in every line that a rule changes: most lines have none of it
HINT = re.compile(rf"sync\(|\.(?:replace|rename)\(|digest|checksum|sha256|{MASKS}")


@dataclass(frozen=True)
class Mutant:
    """A source file in which one `line` is replaced by `instead`."""

    kind: str
    file: str
    number: int
    line: str
    instead: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number} ({self.kind}): {self.line.strip()} -> {self.instead.strip()}"

    def write(self, root: Path) -> None:
        """Writes it into the copy of the sources in `root`."""
        file = root / self.file
        lines = (record.ROOT / self.file).read_text().split("\n")
        assert lines[self.number - 1] == self.line
        lines[self.number - 1] = self.instead
        file.write_text("\n".join(lines))


def mutants() -> list[Mutant]:
    """Every mutant that the rules make of the sources."""
    files = [file for folder in FOLDERS for file in sorted((record.ROOT / folder).rglob("*.py"))]
    return [mutant for file in files for mutant in _of(file)]


def _of(file: Path) -> Iterator[Mutant]:
    name = str(file.relative_to(record.ROOT))
    for number, line in enumerate(file.read_text().split("\n"), 1):
        if HINT.search(line):
            for kind, instead in dict.fromkeys(_changed(line)):
                yield Mutant(kind, name, number, line, instead)


def _changed(line: str) -> Iterator[tuple[str, str]]:
    """(kind, the line with one thing removed) for each match of a rule."""
    for kind, rules in RULES.items():
        for pattern, instead in rules:
            for match in re.finditer(pattern, line):
                yield kind, line[: match.start()] + match.expand(instead) + line[match.end() :]
