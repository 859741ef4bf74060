"""A pack of runs against the same runs one by one, in one process: what the pack is for.

    python -m scripts.bench.bench_pack [--runs 64] [--steps 200] [--repeats 5] [--device cpu] [--out FILE.csv]

Times training alone (the step engine's steps of the primer through torch, no start-up, no files), in
shuffled order, and refuses to report if the parameters disagree. Exits with 1 if the pack takes half the
time or more.
"""

import argparse
import random
import statistics
import sys
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir

from packtrain.trainer.config.pack import Pack, make_pack
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.data.sources import load
from packtrain.trainer.engines.base import Engine
from packtrain.trainer.engines.build import first_order
from packtrain.trainer.engines.choose import choose
from packtrain.trainer.engines.devices import make_compute
from packtrain.trainer.models.build import make_graph, new_model
from packtrain.trainer.terminal.hydra import register
from scripts.bench import record

STEP = "engine=step", "compute.backend=reference"


def pack_of(*overrides: str) -> Pack:
    """The pack that `packtrain OVERRIDES` trains."""
    register()
    with initialize_config_dir(str(record.ROOT / "conf"), version_base="1.3"):
        return make_pack(compose("train", list(overrides)), overrides)


def engine_of(device: str, steps: int, over: str, *more: str) -> Engine:
    """The engine of the primer (or what `more` says) with pack.over={seed: `over`}, before its first step."""
    seeds = f'pack.over={{seed: "{over}"}}'
    pack = pack_of(seeds, f"loop.steps={steps}", f"compute.device={device}", *more)
    return new_engine(pack, data_of(pack))


def data_of(pack: Pack) -> Dataset:
    """What the pack trains on, on its device."""
    asked, compute = pack.config, make_compute(pack.config.compute)
    graph = make_graph(asked.model)
    return load(asked.data, graph, asked.model.loss, compute.device, compute.dtype).train


def new_engine(pack: Pack, data: Dataset) -> Engine:
    """The engine of a pack on these data, before its first step."""
    graph, compute = make_graph(pack.config.model), make_compute(pack.config.compute)
    choice = choose(pack.config, graph, data, compute)
    model = new_model(pack, graph, data, compute.dtype, choice.backend)
    return first_order(pack, model, data, choice)


def trained(device: str, steps: int, over: str, *more: str) -> tuple[float, torch.Tensor]:
    """Seconds of training, and the parameters [R, P]: see engine_of."""
    engine = engine_of(device, steps, over, *more)
    return train(engine, steps), engine.model.parameters.detach().cpu()


def train(engine: Engine, until_step: int) -> float:
    """Seconds of training up to this step, until the device has done it."""
    _wait(engine)
    began = time.perf_counter()
    while engine.step < until_step:
        engine.advance(min(until_step, engine.horizon))
    _wait(engine)
    return time.perf_counter() - began


def _wait(engine: Engine) -> None:
    if engine.model.parameters.is_cuda:
        torch.cuda.synchronize()


def repeat(device: str, steps: int, runs: int) -> dict[str, float]:
    """Seconds of each way, measured once, in random order."""
    seeds = {"pack": [f"range(0,{runs})"], "one by one": [str(seed) for seed in range(runs)]}
    seconds, parameters = {}, {}
    for way in random.sample(list(seeds), len(seeds)):
        parts = [trained(device, steps, over, *STEP) for over in seeds[way]]
        seconds[way] = sum(part[0] for part in parts)
        parameters[way] = torch.cat([part[1] for part in parts])
    torch.testing.assert_close(parameters["pack"], parameters["one by one"], rtol=1e-2, atol=1e-3)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    trained(asked.device, 10, "0")  # a warm-up
    repeats = [repeat(asked.device, asked.steps, asked.runs) for _ in range(asked.repeats)]
    ratios = [each["pack"] / each["one by one"] for each in repeats]
    low, ratio, high = record.quantiles(ratios)
    row = {
        "what": f"primer, {asked.runs} runs of {asked.steps} steps",
        **record.where(asked.device),
        "pack_seconds": round(statistics.median(each["pack"] for each in repeats), 4),
        "one_by_one_seconds": round(statistics.median(each["one by one"] for each in repeats), 4),
        "ratio": round(ratio, 4),
        "ratio_p20": round(low, 4),
        "ratio_p80": round(high, 4),
    }
    for name, value in row.items():
        print(f"{name:>20}  {value}")
    if asked.out:
        record.write(asked.out, [row])
    sys.exit(ratio >= 0.5)


if __name__ == "__main__":
    main()
