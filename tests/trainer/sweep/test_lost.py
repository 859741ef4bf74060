"""Jobs of submitit's that were lost have failed, each for itself."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import submitit
from hydra.core.utils import JobStatus
from submitit.core.utils import FailedJobError, UncompletedJobError

from packtrain.trainer.sweep.failed import JobLost, PackFailed
from packtrain.trainer.sweep.lost import each_for_itself

TRACE = "failed during processing with trace:\n------\nTraceback\n  a line\nKeyError: 'a'\n------\nmore"


@pytest.mark.parametrize(
    ("error", "state", "why", "kind"),
    [
        (UncompletedJobError("no output"), "NODE_FAIL", "was cut short (NODE_FAIL)", JobLost),
        (UncompletedJobError("no output"), "CANCELLED by 0", "was cut short (CANCELLED by 0)", PackFailed),
        (FailedJobError(TRACE), "FAILED", "failed with KeyError: 'a'", PackFailed),
        (FailedJobError("?"), "FAILED", "failed with FailedJobError", PackFailed),
    ],
)
def test_a_lost_job_says_why(
    error: Exception, state: str, why: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(job: Any) -> list[Any]:
        raise error

    monkeypatch.setattr(submitit.Job, "results", lose)
    job: Any = SimpleNamespace(
        state=state, job_id="7_1", paths=SimpleNamespace(stderr=Path("/s/.submitit/7_1/7_1_0_log.err"))
    )
    with each_for_itself():
        (ended,) = submitit.Job.results(job)
    assert ended.status is JobStatus.FAILED and type(ended._return_value) is kind
    assert str(ended._return_value) == f"its job 7_1 {why}; see 7_1/7_1_0_log.err in .submitit"
    with pytest.raises(type(error)):
        submitit.Job.results(job)
