"""Resuming a training from the checkpoint in its folder, and refusing that of another training."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError
from ..config.checks import checkpoint_interval
from ..config.overrides import flatten
from ..config.pack import Pack
from ..config.schema import Config
from ..data.dataset import Data
from ..data.digest import digest
from ..engines.base import Engine
from .atomic import remove_drafts
from .checkpoint import Checkpoint, Checkpoints, Stateful, Tell, newest
from .free import FREE
from .places import CHECKPOINTS

SHOWN = 5
ENGINE, SAMPLES = "what trains", "the data"
NUMBERS = "the numbers of its data, which have changed since"
HASHED = "pack.over", NUMBERS  # whose values are digests, which say nothing to a person

Settings = dict[str, Any]


def settings_of(pack: Pack) -> Settings:
    """Every field of the config by its dotted name, the number of runs, and a SHA-256 of what varies.

    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.folder.resuming import settings_of
    >>> fields = settings_of(Pack(Config(seed=3), {}, 1))
    >>> fields["seed"], fields["optimizer.lr"], fields["runs"]
    (3, 0.001, 1)
    """
    over = {path: values for path, values in pack.over.items() if path not in FREE}
    digest = hashlib.sha256(json.dumps(over, default=str).encode()).hexdigest()
    fields = {path: value for path, value in flatten(asdict(pack.config)) if not path.startswith("pack.over")}
    return json.loads(json.dumps({**fields, "runs": pack.runs, "pack.over": digest}, default=str))


def open_checkpoints(
    pack: Pack, folder: Path, data: Data, engine: Engine, parts: Sequence[Stateful], tell: Tell
) -> Checkpoints:
    """The checkpoints of the training in `folder`, whose `parts` are restored from the newest.

    Raises UserError where that is of another training, or has more steps than this one makes.

    >>> import tempfile
    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=9),
    ... )
    >>> session = Session.prepare(config)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     given = session.pack, Path(folder), session.data, session.engine, [session]
    ...     open_checkpoints(*given, print).spent  # nothing was saved there
    Seconds(total=0.0, train=0.0, compiling=0.0)
    """
    remove_drafts(folder)
    settings = settings_of(pack) | _done_by(engine, data)
    checkpoint = checkpoint_of(folder, settings, tell)
    if checkpoint and checkpoint.step > (steps := int(engine.steps.max())):
        raise UserError(f"{folder} has trained {checkpoint.step} steps already, and this asks for {steps}")
    every, keep = checkpoint_interval(pack.config.checkpoint.every), pack.config.checkpoint.keep
    checkpoints = Checkpoints(folder / CHECKPOINTS, settings, parts, every, keep, tell)
    if checkpoint:
        checkpoints.restore(checkpoint)
    return checkpoints


def _done_by(engine: Engine, data: Data) -> Settings:
    """What trains, and what it trains on."""
    inputs, targets = len(data.train.input_names), len(data.train.target_names)
    return {
        ENGINE: f"engine={engine.kind} by {engine.backend}",
        SAMPLES: f"{len(data.train)} samples of {inputs} inputs and {targets} targets",
        NUMBERS: digest(data),
    }


def checkpoint_of(folder: Path, settings: Settings, tell: Tell) -> Checkpoint | None:
    """The checkpoint from which the training in `folder` goes on, None where there is none.

    Raises UserError where it is of another training, whose fields differ from the `settings` here.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.resuming import checkpoint_of
    >>> checkpoint_of(Path("nowhere"), {"seed": 3}, print) is None
    True
    """
    checkpoint = newest(folder / CHECKPOINTS, tell)
    if checkpoint and (fields := _differences(checkpoint.settings, settings)):
        raise UserError(
            f"{folder} holds another training, which differs in {fields}: take another hydra.run.dir, "
            "or delete that one"
        )
    return checkpoint


def _differences(there: Settings, here: Settings) -> str:
    """The fields that differ, as text, '' where none does; those that may change (FREE) are left out.

    Where a checkpoint lacks a field, its version of packtrain trained with what is now the default. What
    trains, and on what, is compared where it is known here.
    """
    defaults = json.loads(json.dumps(dict(flatten(asdict(Config()))), default=str))
    fields = {**here, **{path: None for path in there if path not in (ENGINE, SAMPLES, NUMBERS)}}
    known = {path: there.get(path, defaults.get(path, here.get(path))) for path in fields}
    paths = [path for path, value in known.items() if path not in FREE and value != here.get(path)]
    texts = [path if path in HASHED else f"{path} ({known[path]} there)" for path in paths]
    more = [f"{len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
    return ", ".join([*texts[:SHOWN], *more])
