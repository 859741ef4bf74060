"""Fields of the schema's dataclasses, marked by what they belong to and whether they may differ in a pack."""

from dataclasses import field
from typing import Any

from omegaconf import DictConfig


def per_run(default: Any, *kinds: str) -> Any:
    """A dataclass field that may differ between the runs of a pack, and belongs to these kinds of its group.

    >>> from packtrain.trainer.config.fields import per_run
    >>> dict(per_run(0.1, "sgd", "adam").metadata)
    {'per_run': True, 'kinds': ('sgd', 'adam')}
    """
    return field(default=default, metadata={"per_run": True, "kinds": kinds})


def only(default: Any, *kinds: str) -> Any:
    """A dataclass field that belongs to these kinds of its group.

    >>> from packtrain.trainer.config.fields import only
    >>> dict(only(None, "mlp").metadata)
    {'kinds': ('mlp',)}
    """
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata={"kinds": kinds})
    return field(default=default, metadata={"kinds": kinds})


def pruning(default: Any, *pruners: str) -> Any:
    """A dataclass field that belongs to these pruners.

    >>> from packtrain.trainer.config.fields import pruning
    >>> dict(pruning(3, "halving").metadata)
    {'pruners': ('halving',)}
    """
    return field(default=default, metadata={"pruners": pruners})


def mapping(*kinds: str, per_run: bool = False, word: str | None = None) -> Any:
    """A dataclass field that maps names of the user's own: of parameters, columns or fields.

    It may also be one `word`, which stands for all of them.

    >>> from packtrain.trainer.config.fields import mapping
    >>> dict(mapping("file").metadata)
    {'kinds': ('file',), 'per_run': False, 'mapping': True}
    """
    return field(
        default_factory=lambda: DictConfig({}, flags={"struct": False}),
        metadata={"kinds": kinds, "per_run": per_run, "mapping": True} | ({"word": word} if word else {}),
    )


def word_or_mapping() -> Any:
    """A dataclass field that maps names of the user's own, or is one word for all of them.

    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.schema import Config
    >>> cfg = OmegaConf.merge(OmegaConf.structured(Config), {"data": {"class_weights": "balanced"}})
    >>> cfg.data.class_weights
    'balanced'
    """
    return field(default_factory=lambda: DictConfig({}, flags={"struct": False}))
