"""Values of Python -> what one types on the command line."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ...kernels.common.errors import UserError
from .grammar import quoted, with_quotes

OF_DATA = "data=file", "data.path=null"


def words_of(overrides: Sequence[str], fields: Mapping[str, Any], data: Any) -> list[str]:
    """What one would type. Raises UserError for an override that is no text, and data that are given twice.

    >>> from packtrain.trainer.config.spelling import words_of
    >>> words_of(["experiment=debug"], {"seed": 3}, None)
    ['experiment=debug', 'seed=3']
    """
    for word in overrides:
        if not isinstance(word, str):
            raise UserError(f"an override is a text such as 'seed=3'; got {word!r}")
    words = [*map(with_quotes, overrides), *(override(field, value) for field, value in fields.items())]
    if data is None:
        return words
    if given := [word for word in words if word.startswith(("data=", "data.path=", "data.table"))]:
        raise UserError(f"data=... gives the data, and {given[0]} names others: keep one")
    return [*OF_DATA, *words]


def override(field: str, value: Any) -> str:
    """`field=value` as one types it.

    >>> from packtrain.trainer.config.spelling import override
    >>> print(override("experiment", "digits"), override("model.widths", (64, 10)), override("seed", None))
    experiment=digits model.widths=[64,10] seed=null
    >>> print(override("model.loss", "log(cosh(y - t))"))
    model.loss="log(cosh(y - t))"
    """
    if isinstance(value, str) and _reads_as(f"{field}={value}", value):
        return f"{field}={value}"
    return f"{field}={_spelled(value)}"


def sweep_override(field: str, values: Any) -> str:
    """`field=value,value` as one types it with -m; a text is in Hydra's sweep syntax already.

    >>> from packtrain.trainer.config.spelling import sweep_override
    >>> sweep_override("seed", range(64)), sweep_override("optimizer", ["adam", "sgd"])
    ('seed=range(0,64,1)', 'optimizer=adam,sgd')
    """
    if isinstance(values, range):
        return f"{field}=range({values.start},{values.stop},{values.step})"
    if isinstance(values, str):
        return f"{field}={values}"
    if not isinstance(values, Iterable):
        return override(field, values)
    spelled = [override(field, value).partition("=")[2] for value in _plain(values)]
    if not spelled:
        raise UserError(f"{field} has no value to try")
    return f"{field}={','.join(spelled)}"


def _reads_as(text: str, value: str) -> bool:
    """Whether Hydra reads that override as this one text."""
    try:
        parsed = OverridesParser.create().parse_override(text)
        return not parsed.is_sweep_override() and parsed.value() == value
    except HydraException:
        return False


def _spelled(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_key(key)}:{_spelled(part)}" for key, part in value.items()) + "}"
    if isinstance(value, (list, tuple, range)):
        return "[" + ",".join(map(_spelled, value)) + "]"
    return quoted(str(value))


def _key(key: Any) -> str:
    text = str(key)
    if not _reads_as(f"key={text}", text):
        raise UserError(
            f"a name in a mapping is of letters, digits and _; got {text!r}: others go into a config file"
        )
    return text


def _plain(value: Any) -> Any:
    """Arrays and tensors as lists, their numbers as Python's."""
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else value
