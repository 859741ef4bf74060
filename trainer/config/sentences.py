"""Hydra's and OmegaConf's errors, each as one sentence."""

import re
import shlex

import yaml
from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from ...kernels.common.errors import UserError, nearest
from .grammar import FOREIGN, is_readable, quoted
from .options import groups
from .schema import all_fields, is_per_run


def sentence(error: BaseException) -> str:
    """What went wrong, where, and how to mend it, in one sentence.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.config.sentences import sentence
    >>> try:
    ...     OmegaConf.structured(Config).sede = 3
    ... except Exception as error:
    ...     print(sentence(error).partition(";")[0])
    there is no field sede (did you mean seed?)
    """
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing(error)
    if isinstance(error, OverrideParseException):
        return _unreadable(error)
    text = str(error)
    if match := re.match(r"UserError raised while resolving interpolation: (.*)", text):
        return match[1]
    if match := re.match(r"Ambiguous value for argument '(.*)'|Sweep parameters '(.*)' requires", text):
        return _several(match[1] or match[2])
    if match := re.match(r"Could not override '(.*?)'", text):
        return _no_field(match[1])
    if text.startswith("Config group override must be"):
        return "a choice takes the name of one of its options, as in optimizer=sgd; '~experiment' takes none"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{mark.name}, line {mark.line + 1}: {error.problem}"
    return _composing(error)


def known_fields() -> list[str]:
    """Every field and group by its dotted name.

    >>> from packtrain.trainer.config.sentences import known_fields
    >>> {"seed", "optimizer.lr", "optimizer"} <= set(known_fields())
    True
    """
    return [path for path, _ in all_fields()] + groups()


def fields_by_end() -> dict[str, list[str]]:
    """The last part of a field's name -> the fields and groups that end so.

    >>> from packtrain.trainer.config.sentences import fields_by_end
    >>> fields_by_end()["starts"], len(fields_by_end()["seed"])
    (['model.starts'], 3)
    """
    ends: dict[str, list[str]] = {}
    for path in known_fields():
        ends.setdefault(path.rpartition(".")[2], []).append(path)
    return ends


def _no_field(field: str) -> str:
    group = field.rpartition(".")[0]
    siblings = [path for path in known_fields() if path.rpartition(".")[0] == group] if group else []
    listed = f"; there are {', '.join(siblings)}" if siblings else ""
    return f"there is no field {field}{nearest(field, known_fields())}{listed}"


def _missing(error: MissingConfigException) -> str:
    group, _, option = str(error.missing_cfg_file).removesuffix(".yaml").rpartition("/")
    options = sorted(error.options or [])
    if not options:
        return str(error).splitlines()[0]
    return f"there is no {group}={option}{nearest(option, options)}; there are {', '.join(options)}"


def _unreadable(error: OverrideParseException) -> str:
    if re.fullmatch(r"[\w./-]*", error.override):
        return (
            f"{error.override!r} is not an override such as seed=3 or experiment=digits"
            f"{nearest(error.override, known_fields())}; packtrain --help lists the choices"
        )
    field, _, value = error.override.partition("=")
    if FOREIGN.search(field.lstrip("~+")):
        return (
            f"can't read {error.override!r}: a field's name, before the =, is of letters a-z, digits, _, "
            "- and dots; any other name goes into a config file"
        )
    as_text = f"{field}={quoted(value)}"
    if "\n" in value and is_readable(error.override.replace("\n", " ")):
        return (
            f"can't read {error.override!r}: a list stands on one line; equations on lines of their own are "
            "one text, as in 'model.expressions=\"...\"'"
        )
    if set(value) & set("[]{}") or not is_readable(as_text):
        return (
            f"can't read {error.override!r}: a value with brackets, braces or operators stands in quotes, as "
            "in 'model.expressions=[\"xy = a*x + b\"]', and a name in braces is of letters, digits and _"
        )
    return f"can't read {error.override!r}: to mean the text, put quotes around it: {shlex.quote(as_text)}"


def _several(override: str) -> str:
    field = override.lstrip("+").partition("=")[0].removeprefix("pack.over.")
    how = "together, as one pack" if is_per_run(field) else "one after another"
    return f"{override} names several values: keep one, or train all with -m, {how}"


def _composing(error: BaseException) -> str:
    """OmegaConf's reason, with the field it is about, under whatever Hydra wrapped it in."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    lines = str(error).splitlines() + str(cause).splitlines()
    keys = [line.split(":", 1)[1].strip() for line in lines if line.strip().startswith("full_key:")]
    field = next((key for key in keys if key), "")
    reason = next(
        (line for line in str(cause).splitlines() if "raised while composing" not in line), repr(cause)
    )
    if field == "experiment":
        return f"{lines[0].partition(':')[0]}: the file of an experiment begins with '# @package _global_'"
    if isinstance(cause, (ConfigAttributeError, ConfigKeyError)) or "not in" in reason:
        return _no_field(field)
    if field and "DictConfig with ListConfig" in reason:
        return f"{field} maps names to values, as in {{name: value}}; got a list"
    if "RangeSweep" in str(cause) or "ChoiceSweep" in str(cause):
        return 'pack.over: values in sweep syntax stand in quotes: {seed: "range(0,64)"}'
    return f"{field}: {reason}" if field else reason
