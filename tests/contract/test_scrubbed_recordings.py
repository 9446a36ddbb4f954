"""Recorded exchanges, scrubbed, are answered as before: scrubbing keeps all that the contract suite looks at."""

import dataclasses
import json
import re
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from tests.contract.cases import Case, cases
from tests.contract.differences_page import listed
from tests.contract.judging import judged
from tests.contract.recordings import ABSENT, Exchange, is_here
from tests.contract.replay import Start

from patchmode.model import exchange as model
from patchmode.rules.scrubbing.exchanges import scrub

pytestmark = pytest.mark.skipif(not is_here(), reason=ABSENT)
SAMPLE = {
    "vm_get": 30,
    "vm_get_instanceview": 30,
    "vm_list": 10,
    "vm_patch": 60,
    "vm_put_update": 40,
    "lro_flows": 60,
    "vm_actions": 20,
    "operation_status": 20,
    "patch_operations": 20,
    "hybrid_compute": 5,
    "maintenance": 20,
    "maintenance_powershell": 10,
}
"""Group → how many of its cases."""
_HALF_SCRUBBED = re.compile(r"id: recorded '/subscriptions/[0-9-]+/resourceGroups/NAME\d+/")
"""A recorder had replaced a group's name in one casing and not in the other: here these are two names."""
_AT = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("group", SAMPLE)
def test_a_scrubbed_recording_is_answered_as_recorded(group: str) -> None:
    judgeable = (case for case in cases(group) if not case.left_out and case.name not in listed())
    found = {case.name: judged(_scrubbed(case)) for case in islice(judgeable, SAMPLE[group])}
    assert found
    assert {name: lines for name, lines in found.items() if not all(map(_HALF_SCRUBBED.search, lines))} == {}


def _scrubbed(case: Case) -> Case:
    """The case as one scrubbed session: what is loaded before it, and its calls."""
    documents = model.Exchange("GET", "https://x.example/", {}, b"", 200, {}, _bytes(list(case.start.documents)), _AT)
    first, *calls = scrub([documents, *map(_as_told, case.flow)])
    flow = tuple(_as_read(old, new) for old, new in zip(case.flow, calls, strict=True))
    return Case(flow, Start(tuple(json.loads(first.response_body)), case.start.origin))


def _as_told(exchange: Exchange) -> model.Exchange:
    return model.Exchange(
        method=exchange.method,
        url=exchange.url,
        request_headers={name.lower(): value for name, value in exchange.headers.items()},
        request_body=_bytes(exchange.body),
        status=exchange.status,
        response_headers=exchange.answer_headers,
        response_body=_bytes(exchange.answer),
        answered_at=_AT,
    )


def _as_read(exchange: Exchange, scrubbed: model.Exchange) -> Exchange:
    return dataclasses.replace(
        exchange,
        url=scrubbed.url,
        headers=dict(scrubbed.request_headers),
        body=_values(scrubbed.request_body),
        answer_headers=dict(scrubbed.response_headers),
        answer=_values(scrubbed.response_body),
    )


def _bytes(values: Any) -> bytes:
    return b"" if values is None else json.dumps(values).encode()


def _values(body: bytes) -> Any:
    return json.loads(body) if body else None
