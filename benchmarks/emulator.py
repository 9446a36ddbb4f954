"""What the emulator itself can do, in requests per second, 16 at once.

Run it with `python -m benchmarks emulator`, or with another size by `python -m benchmarks.emulator [machines]`.

The client and the server have a core each where the machine has two, so a figure is the slower one's. The rows
`in process` leave socket, TLS and client out: they are what the emulator alone spends on a call.
"""

import asyncio
import json
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp

from arm_emulator.app import Emulator
from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import Limits
from arm_emulator.protocol.wire import Call
from benchmarks.rows import Row
from benchmarks.stage import CLIENT_CORE, emulator, on_core, uniform_fleet

MACHINES = 10_000
CONCURRENCY = 16
SECONDS = 3.0
VERSION = "?api-version=2024-07-01"
SUBSCRIPTION = "/subscriptions/a0000000-0000-4000-8000-000000000001"
GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
QUERY = {
    "query": "resources | where type =~ 'microsoft.compute/virtualmachines' "
    "| project id, name, location, tags, properties | order by id asc",
    "options": {"$top": 1000},
}
SETTINGS = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
CHANGE = {"properties": {"osProfile": {"linuxConfiguration": {"patchSettings": SETTINGS}}}}
Ask = tuple[str, str, Any]


def kinds(ids: list[str]) -> dict[str, Iterator[Ask]]:
    """Endless calls of each kind."""
    listed = f"{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines{VERSION}"
    return {
        "GET of a machine": (("GET", one + VERSION, None) for one in cycle(ids)),
        "PATCH of a machine": (("PATCH", one + VERSION, CHANGE) for one in cycle(ids)),
        "first page of the list": cycle([("GET", listed, None)]),
        "Resource Graph, 1,000 rows": cycle([("POST", GRAPH, QUERY)]),
    }


async def rate(calls: Iterator[Ask], send: Callable[[Ask], Awaitable[None]]) -> float:
    """Calls per second, `CONCURRENCY` at once, for `SECONDS`."""
    begun, done = time.perf_counter(), 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() - begun < SECONDS:
            await send(next(calls))
            done += 1

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return done / (time.perf_counter() - begun)


async def over_tls(ready: dict[str, Any], ids: list[str]) -> dict[str, float]:
    """Calls a second of each kind, through a socket."""
    trust = ssl.create_default_context(cafile=ready["caBundle"])
    connector = aiohttp.TCPConnector(ssl=trust, limit=CONCURRENCY)
    async with aiohttp.ClientSession(ready["endpoint"], connector=connector) as session:
        form = {
            "client_id": ready["clientId"],
            "client_secret": ready["clientSecret"],
            "grant_type": "client_credentials",
            "scope": f"{ready['endpoint']}/.default",
        }
        async with session.post("/adfs/oauth2/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"

        async def send(ask: Ask) -> None:
            method, target, body = ask
            async with session.request(method, target, json=body) as answer:
                await answer.read()
                if answer.status != 200:
                    raise SystemExit(f"{method} {target} answered {answer.status}")

        return {name: await rate(calls, send) for name, calls in kinds(ids).items()}


async def in_process(made: Emulator, ids: list[str]) -> dict[str, float]:
    """Calls a second of each kind, without a socket."""
    account = made.directory.accounts[next(iter(made.directory.accounts))]
    token = made.tokens.issue(account, audience="https://localhost:1", issuer="https://localhost:1/adfs")
    headers = {"host": "localhost:1", "authorization": f"Bearer {token}"}

    async def send(ask: Ask) -> None:
        method, target, body = ask
        answer = made.serve(Call(method, target, headers, json.dumps(body).encode() if body else b""))
        if answer.status != 200:
            raise SystemExit(f"{method} {target} answered {answer.status}")

    return {name: await rate(calls, send) for name, calls in kinds(ids).items()}


def rows(folder: Path, machines: int = MACHINES) -> list[Row]:
    """Both, for each kind of call."""
    fleet = uniform_fleet(folder, machines)
    begun = time.perf_counter()
    made = Emulator(fleet=read_fleet(str(fleet)), limits=Limits(is_off=True), lro_seconds=0)
    found = [Row(f"{machines:,} machines loaded", "", f"{time.perf_counter() - begun:.2f} s")]
    ids = [stored.id for stored in made.state.of_type("Microsoft.Compute/virtualMachines")]
    alone = asyncio.run(in_process(made, ids))
    with emulator(fleet, "--throttle", "off", "--lro-seconds", "0") as ready, on_core(CLIENT_CORE):
        through = asyncio.run(over_tls(ready, ids))
    return found + [
        Row(f"{name}, in process; over TLS", "", f"{alone[name]:,.0f} a second; {through[name]:,.0f} a second")
        for name in alone
    ]


def main(machines: int) -> None:
    """Print another size."""
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(Path(folder), machines):
            print(row.told())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MACHINES)
