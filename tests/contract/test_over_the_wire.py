"""A part of the judge over a real socket: TLS, HTTP/1.1, the token endpoint and the bytes as a client gets them."""

import http.client
import json
import ssl
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlencode, urlsplit

import pytest
from tests.contract.cases import Case, cases
from tests.contract.comparing import Answer, differences
from tests.contract.differences_page import listed
from tests.contract.recordings import ABSENT, Exchange, is_here
from tests.contract.replay import Replay

from arm_emulator.testing import Running, running

pytestmark = pytest.mark.skipif(not is_here(), reason=ABSENT)
SAMPLE = {"vm_get": 4, "vm_get_instanceview": 4, "vm_list": 4, "vm_patch": 8, "vm_put_update": 12, "vm_delete": 2}


def _sample() -> Iterator[Case]:
    for group, count in SAMPLE.items():
        judged = (case for case in cases(group) if not case.left_out and case.name not in listed())
        wanted = (case for case in judged if case.start.origin == "read" or group not in ("vm_patch", "vm_put_update"))
        yield from islice(wanted, count)


@pytest.mark.parametrize("case", list(_sample()) if is_here() else [], ids=lambda case: case.name)
def test_a_recorded_call_over_the_socket_is_answered_as_recorded(case: Case) -> None:
    """In-process replays could not see a fault of the server itself."""
    replay = Replay(case.start.documents, case.first)
    with running(replay.emulator) as served:
        answer = _sent(served, case.first)
    assert differences(case.first, answer) == []


def _sent(served: Running, exchange: Exchange) -> Answer:
    parts = urlsplit(served.endpoint)
    context = ssl.create_default_context(cafile=str(served.ca))
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port or 0, context=context)
    try:
        headers = {"Authorization": f"Bearer {_token(connection, served)}", "Content-Type": "application/json"}
        content = None if exchange.body is None else json.dumps(exchange.body)
        connection.request(exchange.method, exchange.target, content, headers)
        response = connection.getresponse()
        body = response.read()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, json.loads(body) if body else None)
    finally:
        connection.close()


def _token(connection: http.client.HTTPSConnection, served: Running) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": served.env["AZURE_CLIENT_ID"],
        "client_secret": served.env["AZURE_CLIENT_SECRET"],
        "scope": f"{served.endpoint}/.default",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    tenant = served.emulator.directory.tenant_id
    connection.request("POST", f"/{tenant}/oauth2/v2.0/token", urlencode(form), headers)
    token: str = json.loads(connection.getresponse().read())["access_token"]
    return token
