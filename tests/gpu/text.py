"""PTX text -> a module: its functions as lists of instructions, and its tables of constants."""

import re
from dataclasses import dataclass, field

FUNCTION = re.compile(r"\.(entry|func)\s*(?:\(([^)]*)\))?\s*([\w$]+)\s*\(([^)]*)\)", re.S)
TABLE = re.compile(r"^\.(?:global|const) .*?\.b8 ([\w$]+)\[\d+\] = \{([^}]*)\}", re.M)
COMMENT = re.compile(r"^(?!\s*\.loc)(.*?)//.*$", re.M)
PIECE = re.compile(
    r"[\s{}]*(?:"
    r"\.loc\b[^\n]*?// (?P<place>\S+)[^\n]*|\.loc\b[^\n]*|"
    r"(?P<label>[\w$]+):(?=\s)|(?P<statement>[^;]*);)"
)
STATEMENT = re.compile(
    r"(?:@(?P<negated>!?)(?P<guard>[%\w]+)\s+)?(?P<op>[a-z][\w.:]*)\s*(?P<operands>.*)", re.S
)
OPERAND = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|[^,\s]+")


@dataclass(frozen=True)
class Address:
    """[base + offset]."""

    base: str
    offset: int


Operand = str | Address | tuple[str, ...]


@dataclass(frozen=True)
class Instruction:
    """`name`, such as mul, of the kind `how`, such as (wide, u32).

    It is executed where `guard` holds, or if `negated` where it doesn't. `place` is the line of Python.
    """

    name: str
    how: tuple[str, ...]
    operands: tuple[Operand, ...]
    guard: str
    negated: bool
    place: str

    def __str__(self) -> str:
        return f"{'.'.join((self.name, *self.how))} of {self.place}"


@dataclass
class Function:
    """Its instructions, and the number of the one that each label stands before."""

    name: str
    parameters: list[str]
    results: list[str]
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Module:
    """Functions by name, the kernel as 'entry'; the bytes of tables by name."""

    functions: dict[str, Function]
    tables: dict[str, bytes]


def parse(ptx: str) -> Module:
    """Reads a module."""
    text = COMMENT.sub(r"\1", ptx)
    functions = {}
    for match in FUNCTION.finditer(text):
        kind, results, name, parameters = match.groups()
        body = _body(text, match.end())
        if body:
            function = Function(name, _names(parameters), _names(results or ""))
            functions["entry" if kind == "entry" else name] = function
            _read(body, function)
    tables = {name: bytes(int(part) for part in parts.split(",")) for name, parts in TABLE.findall(text)}
    return Module(functions, tables)


def _names(declared: str) -> list[str]:
    return [part.split()[-1] for part in declared.split(",") if part.strip()]


def _body(text: str, start: int) -> str:
    """What stands between the braces that follow, '' for a declaration."""
    begin, end = text.find("{", start), text.find(";", start)
    if begin < 0 or end < begin:
        return ""
    depth = 0
    for brace in re.finditer(r"[{}]", text[begin:]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[begin + 1 : begin + brace.start()]
    raise AssertionError("a function has no end")


def _read(body: str, function: Function) -> None:
    place = ""
    for piece in PIECE.finditer(body):
        place = piece["place"] or place
        if piece["label"]:
            function.labels[piece["label"]] = len(function.instructions)
        statement = STATEMENT.fullmatch(piece["statement"] or "")
        if statement:
            name, *how = statement["op"].split(".")
            operands = tuple(_operand(part) for part in OPERAND.findall(statement["operands"]))
            guard, negated = statement["guard"] or "", statement["negated"] == "!"
            function.instructions.append(Instruction(name, tuple(how), operands, guard, negated, place))


def _operand(text: str) -> Operand:
    if text[0] in "{(":
        return tuple(part.strip() for part in text[1:-1].split(","))
    if text[0] == "[":
        base, _, offset = text[1:-1].partition("+")
        return Address(base.strip(), int(offset or 0))
    return text
