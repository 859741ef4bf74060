"""The engines that a command would train with, without the command: no folder, no console, no signals."""

import time

import torch
from hydra import compose, initialize_config_dir

from packtrain.trainer.config.pack import Pack, make_pack
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.engines.base import Engine
from packtrain.trainer.engines.build import first_order, untrained
from packtrain.trainer.engines.devices import make_compute
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.terminal.hydra import register
from scripts.common import record


def pack_of(*overrides: str) -> Pack:
    """The pack that `packtrain OVERRIDES` trains."""
    register()
    with initialize_config_dir(str(record.ROOT / "conf"), version_base="1.3"):
        return make_pack(compose("train", list(overrides)), overrides)


def engine_of(device: str, steps: int, seeds: str, *overrides: str) -> Engine:
    """The engine of the primer (or what `overrides` say) with so many steps, before its first.

    `seeds` are those of its runs, in Hydra's syntax: "0,1,2" or "range(0,3)".
    """
    over = f'pack.over={{seed: "{seeds}"}}'
    pack = pack_of(over, f"loop.steps={steps}", f"compute.device={device}", *overrides)
    return new_engine(pack, load_data(pack).train)


def new_engine(pack: Pack, data: Dataset) -> Engine:
    """The engine of a pack on these data, before its first step; torch rounds as it asks."""
    compute = make_compute(pack.config.compute)
    torch.set_float32_matmul_precision(compute.matmul)
    model, choice = untrained(pack, data, compute)
    return first_order(pack, model, data, choice)


def trained(device: str, steps: int, seeds: str, *overrides: str) -> tuple[float, torch.Tensor]:
    """Seconds of training, and the parameters [R, P]: see engine_of."""
    engine = engine_of(device, steps, seeds, *overrides)
    return train(engine, steps), engine.model.parameters.detach().cpu()


def train(engine: Engine, until_step: int) -> float:
    """Trains up to this step -> the seconds until the device has done it."""
    _wait(engine)
    began = time.perf_counter()
    while engine.step < until_step:
        engine.advance(min(until_step, engine.horizon))
    _wait(engine)
    return time.perf_counter() - began


def _wait(engine: Engine) -> None:
    if engine.model.parameters.is_cuda:
        torch.cuda.synchronize()
