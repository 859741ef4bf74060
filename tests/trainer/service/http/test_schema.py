"""The OpenAPI of the service is true: whatever is asked, answers are as it says, none a mistake of ours."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from packtrain.trainer.service.http.app import Service
from packtrain.trainer.service.limits import Limits
from packtrain.trainer.service.queue.queue import Queue
from tests.trainer.service.http.serving import COMPOSER, SMALL

SECONDS = float(os.environ.get("PACKTRAIN_SCHEMA_SECONDS", "4"))  # of all that is asked; CI takes 60
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance
]  # fmt: skip
JOBS = 6
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
EXAMPLES = 2  # of an operation at a time
WORKER = {"start": "s", "device": "cpu"}
NOT_ASKED = "/api/v1/events", "/api/v1/jobs/{id}/folder.tar"  # without an end; of a worker's results


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    queue = Queue(tmp_path)
    service = Service(queue, COMPOSER, limits=Limits(wait=0.01))
    asked = COMPOSER.asked(SMALL)
    for _ in range(JOBS):
        queue.submit(asked, "you").result()
    jobs = queue.lease("w", {**WORKER, "room": 3})["jobs"]
    ended = {"id": jobs[0]["id"], "state": "finished", "result": {"run": []}, "seconds": 0.5}
    queue.report("w", {"start": "s", "ended": [ended]}, {f"{jobs[0]['id']}/runs.csv": b"index"}).result()
    yield service
    service.close()
    queue.close()


def operations(service: Service) -> list[Any]:
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", service)
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return [operation for operation in found if operation.path not in NOT_ASKED]


@pytest.mark.thorough
def test_whatever_is_asked_is_answered_as_the_schema_says(service: Service) -> None:
    known = operations(service)
    assert len(known) >= 20
    asked, number = Counter[str](), 0
    until = time.monotonic() + SECONDS
    while time.monotonic() < until or len(asked) < len(known):
        number += 1
        service.hub.queue.lease("w", WORKER)  # one that isn't heard of for a minute makes /readyz a 503
        for operation in known:
            ask(operation, number, asked)
    assert len(asked) == len(known) and sum(asked.values()) > len(known)


def ask(operation: Any, number: int, asked: Counter[str]) -> None:
    """A few requests of one operation, other ones for each `number`."""

    @seed(number)
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=SLOW,
    )  # fmt: skip
    def answered(case: Any) -> None:
        asked[operation.label] += 1
        if number % 2 and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = 1 + sum(asked.values()) % JOBS  # which is there
        if number % 2 and isinstance(case.body, dict) and "overrides" in case.body:
            case.body["overrides"] = SMALL
        case.validate_response(case.call(), checks=CHECKS)

    answered()
