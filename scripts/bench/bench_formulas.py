"""What a formula costs that was never seen: seconds and memory, in one process and in whole commands.

    python -m scripts.bench.bench_formulas [--formulas 200] [--commands 5] [--out FILE.csv]

In one process so many different formulas, each computed (loss and gradient, and predictions), trained (Adam)
and fitted (Levenberg-Marquardt), and all of it again at once; then whole commands, a training, a fit and a
prediction, each with so many formulas, and again. A row of each: the seconds that a formula takes, when it is
seen again, and the median of what it takes more. Loops that serve all formulas are compiled before: the first
formulas don't count, and each kind of command has a cache of its own. Seconds are processor time of all
threads, since other programs don't count in it; of commands also by the clock. Memory is what the process
holds more after all formulas, by formula. Exits with 1 beyond 0.1 s or 1 MB a formula, or 0.3 s a command.
"""

import argparse
import gc
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from packtrain.kernels.expression import expression, expression_loss
from packtrain.kernels.language import parse
from packtrain.trainer.config.schema import (
    ComputeConfig,
    Config,
    DataConfig,
    LoopConfig,
    ModelConfig,
    OptimizerConfig,
)
from packtrain.trainer.session import Session
from scripts.common import commands, record

Table = dict[str, list[float]]

SHAPES = (
    "exp(-{})", "sin({})", "cos({})", "tanh({})", "sigmoid({})", "softplus({})", "sqrt(1 + ({})^2)",
    "log(2 + ({})^2)", "1/(1 + ({})^2)",
)  # fmt: skip
BACKEND = "numba"
WARM_UP = 3
SAMPLES = 256
TOGETHER, COMMAND = "all of these", "command: "
MOST_SECONDS, MOST_MEGABYTES, MOST_SECONDS_OF_A_COMMAND = (
    0.1,
    1.0,
    0.3,
)  # more than for a formula that was seen
PARAMETERS = 1.0, 0.8, 0.7, 0.6  # a, b, d and c
NUMBERS = "{a: 1, b: 0.8, d: 0.7, c: 0.6}"
ALWAYS = "compute.device=cpu", f"compute.backend={BACKEND}", "monitor=quiet"
KINDS = {  # of commands
    "training": (
        "-m", "packtrain", "experiment=primer", "loop.steps=200", f"data.truth={NUMBERS}", *ALWAYS,
    ),
    "fit": (
        "-m", "packtrain", "experiment=fit", "loop.steps=50", "optimizer.ftol=1e-6", "data.path=points.csv",
        f"model.initial={NUMBERS}", *ALWAYS,
    ),
    "prediction": (
        "-c", "import packtrain; packtrain.load('fit-new').predict({'x': [0.5, 1, 2]})",
    ),
}  # fmt: skip


def formulas() -> Iterator[str]:
    """Different formulas of four parameters and the input x, 972 of them."""
    for power, sign, first, second in itertools.product((1, 2, 3, 4), "+-*", SHAPES, SHAPES):
        yield f"xy = a*{first.format('b*x')} {sign} {second.format('d*x')} + c*x^{power}"


def measurements(text: str) -> Table:
    """Columns x and xy of the formula, with something that looks like noise."""
    x = torch.linspace(0.1, 2, SAMPLES, dtype=torch.float64)[:, None]
    p = torch.tensor([PARAMETERS], dtype=torch.float64)
    t = expression(parse(text), p, x)[0] + 0.01 * torch.sin(99 * x)
    return {"x": x[:, 0].tolist(), "xy": t[:, 0].tolist()}


def works(text: str) -> dict[str, Callable[[], object]]:
    """{what: a small work with the formula}, from its text on."""
    p, table = torch.tensor([PARAMETERS], dtype=torch.float64), measurements(text)
    x, t = (torch.tensor(column, dtype=torch.float64)[:, None] for column in table.values())
    train = partial(_train, text, table)
    return {
        "loss and gradient": lambda: expression_loss(parse(text), p, x, t, backend=BACKEND),
        "prediction": lambda: expression(parse(text), p, x, BACKEND),
        "training": lambda: train(OptimizerConfig("adam", lr=0.01), 200, "fp32"),
        "fit": lambda: train(OptimizerConfig("levenberg_marquardt"), 50, "fp64"),
    }


def _train(text: str, table: dict[str, Any], optimizer: OptimizerConfig, steps: int, precision: str) -> None:
    session = Session.prepare(
        Config(
            model=ModelConfig("expression", expressions=[text], initial_range=[0.5, 1.0]),
            data=DataConfig("table", table=table),
            optimizer=optimizer,
            loop=LoopConfig(steps=steps, batch_size="full"),
            compute=ComputeConfig("cpu", BACKEND, precision),
        )
    )
    while not session.done:
        session.advance()
    session.result()


def in_one_process(count: int) -> list[dict[str, Any]]:
    """A row for each of `works`, and one for all together, which knows what memory they hold."""
    texts = list(itertools.islice(formulas(), WARM_UP + count))
    for text in texts[:WARM_UP]:
        _both_times(text)
    before = megabytes()
    times = [_both_times(text) for text in texts[WARM_UP:]]
    more = (megabytes() - before) / count
    rows = [_row(what, [time[what] for time in times]) for what in times[0]]
    together = [_sum(time.values()) for time in times]
    return [*rows, _row(TOGETHER, together) | {"more_megabytes": round(more, 3)}]


def _both_times(text: str) -> dict[str, tuple[float, float]]:
    """{what: seconds when the formula is new, and when it was seen}."""
    new, seen = ({what: _seconds(work) for what, work in works(text).items()} for _ in range(2))
    return {what: (new[what], seen[what]) for what in new}


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _sum(pairs: Any) -> tuple[float, float]:
    new, seen = zip(*pairs, strict=True)
    return sum(new), sum(seen)


def megabytes() -> float:
    """What this process holds in memory, without what it doesn't need."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def whole_commands(count: int) -> list[dict[str, Any]]:
    """A row for each kind of command."""
    with tempfile.TemporaryDirectory() as folder:
        times = list(_typed(Path(folder), list(itertools.islice(formulas(), 1 + count))))[1:]
    return [_command_row(what, [time[what] for time in times]) for what in times[0]]


def _typed(top: Path, texts: list[str]) -> Iterator[dict[str, tuple[commands.Spent, commands.Spent]]]:
    """{command: what it took when the formula was new, and when it was seen}, a formula after another."""
    for number, text in enumerate(texts):
        folder = top / str(number)
        folder.mkdir()
        columns = measurements(text)
        pairs = zip(*columns.values(), strict=True)
        record.write(folder / "points.csv", [dict(zip(columns, pair, strict=True)) for pair in pairs])
        spent = partial(_spent, folder, text)
        yield {what: (spent(what, "new"), spent(what, "seen")) for what in KINDS}


def _spent(folder: Path, text: str, what: str, when: str) -> commands.Spent:
    """What one command took. A prediction is of the fit before it."""
    words = *KINDS[what], f'model.expressions=["{text}"]', f"hydra.run.dir={what}-{when}"
    if what == "prediction":
        words = KINDS[what]
    return commands.run(folder, *words, PACKTRAIN_CACHE=str(folder.parent / f"cache of {what}"))


def _row(what: str, times: list[tuple[float, float]]) -> dict[str, Any]:
    new, seen = (record.quantiles([pair[i] for pair in times])[1] for i in range(2))
    low, middle, high = record.quantiles([new - seen for new, seen in times])
    return {
        "what": what,
        "formulas": len(times),
        "seconds": round(new, 4),
        "seen_seconds": round(seen, 4),
        "more_seconds": round(middle, 4),
        "more_p20": round(low, 4),
        "more_p80": round(high, 4),
    }


def _command_row(what: str, spent: list[tuple[commands.Spent, commands.Spent]]) -> dict[str, Any]:
    clock = _row("", [(new.seconds, seen.seconds) for new, seen in spent])
    processor = _row(COMMAND + what, [(new.processor, seen.processor) for new, seen in spent])
    return processor | {f"{name}_by_the_clock": clock[name] for name in ("seconds", "seen_seconds")}


def missed(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each number that is beyond its target."""
    for row in rows:
        if row["what"] == TOGETHER:
            name, most = "more_megabytes", MOST_MEGABYTES
        else:
            is_command = row["what"].startswith(COMMAND)
            name, most = "more_seconds", MOST_SECONDS_OF_A_COMMAND if is_command else MOST_SECONDS
        if row[name] > most:
            yield f"{row['what']}, {name}: {row[name]}, beyond {most}"


def main() -> None:
    """Measures and prints the rows, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--formulas", type=int, default=200)
    parser.add_argument("--commands", type=int, default=5, help="formulas of whole commands; 0 for none")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    if arguments.formulas:
        with tempfile.TemporaryDirectory() as cache:
            os.environ["PACKTRAIN_CACHE"] = cache  # so that no formula was seen before
            rows += in_one_process(arguments.formulas)
    if arguments.commands:
        rows += whole_commands(arguments.commands)
    rows = [row | record.where("cpu") for row in rows]
    for row in rows:
        print(", ".join(f"{name} {value}" for name, value in row.items() if name != "what"), row["what"])
    if arguments.out:
        record.write(arguments.out, rows)
    for sentence in (late := list(missed(rows))):
        print(f"missed: {sentence}")
    sys.exit(bool(late))


if __name__ == "__main__":
    main()
