"""HParams: columns and domains by what varies, statuses by outcome."""

from typing import Any

import pytest
from tensorboard.plugins.hparams import metadata

from packtrain.trainer.engines.outcome import Ending, Outcome
from packtrain.trainer.tensorboard import hparams


@pytest.mark.parametrize(
    ("column", "shown", "domain"),
    [
        ((3, 0.5, 1), [3, 0.5, 1], (0.5, 3.0)),
        ((7,), [7], (7.0, 7.0)),
        ((None, 1.0, None), [None, 1.0, None], (1.0, 1.0)),
        ((None, "auto", 2), [None, "auto", "2"], ["2", "auto"]),
        ((True, False), [True, False], [False, True]),
        (([0, 1], [0, 2]), ["[0, 1]", "[0, 2]"], ["[0, 1]", "[0, 2]"]),
    ],
)
def test_numbers_have_an_interval_and_all_else_is_text(column: tuple, shown: list, domain: Any) -> None:
    columns = hparams.columns({"field": column})
    assert columns == {"field": shown}
    (value,) = hparams.experiment(columns, []).value
    (info,) = metadata.parse_experiment_plugin_data(value.metadata.plugin_data.content).hparam_infos
    interval = info.domain_interval.min_value, info.domain_interval.max_value
    found = list(info.domain_discrete) if info.HasField("domain_discrete") else interval
    assert (info.name, found, info.differs) == ("field", domain, len(column) > 1)


def row(train: float | None, validation: float | None, **metrics: float | None) -> dict[str, Any]:
    return {"loss": {"train": {"last": train}, "validation": validation}, "metrics": metrics}


def test_a_metric_is_what_at_least_one_run_has() -> None:
    rows = [row(1.0, None, rmse=0.5), row(None, None, rmse=None)]
    assert hparams.metrics(rows) == {"result/loss/train": [1.0, None], "result/metrics/rmse": [0.5, None]}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_status(outcome: Outcome) -> None:
    expected = {"finished": 1, "diverged": 2, "failed": 2, "stopped early": 0, "stopped at rung 2": 0}
    word = Ending(outcome, step=1, steps=3, rung=2).word
    (value,) = hparams.session_end(word).value
    end = metadata.parse_session_end_info_plugin_data(value.metadata.plugin_data.content)
    assert end.status == expected[word]
