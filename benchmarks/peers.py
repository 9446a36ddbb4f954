"""The same change by other means on the same emulator: 500 machines, throttle off, each operation 1 s, in wall time.

Run it with `python -m benchmarks peers`. It needs az in an environment of its own: `make bench-table` installs it.

Two services: one that asks for patience as recorded ones do (`Retry-After` of 30 to 97 s on the first poll of an
operation, which every SDK's poller waits for), and a kind one that asks for 1 s, so that nobody is compared with a
sleep alone. The kind one is the same emulator with its clock 100 times as fast and operations of 100 s.

A peer that would take hours is measured on fewer machines and scaled: it works one after the other, or in rounds of
ten, so its time grows with their number.

Must not: change a client. az and the SDKs run as they are published.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from benchmarks.stage import BIN, Measured, emulator, is_as_wanted, machines_of, measure, uniform_fleet

HERE = Path(__file__).parent
AZ = HERE.parent / ".venv-clients" / "az" / "bin" / "az"
MACHINES = 500
OPERATION_S = 1
KIND_SPEED = 100
"""`Retry-After` is told in the client's own seconds: 30 to 97 s of this clock are 1 s."""
SETTINGS = "osProfile.linuxConfiguration.patchSettings"


@dataclass(frozen=True, slots=True)
class Service:
    """How the emulator behaves."""

    name: str
    options: tuple[str, ...]


RECORDED = Service("recorded", ("--lro-seconds", str(OPERATION_S)))
KIND = Service("kind", ("--clock-speed", str(KIND_SPEED), "--lro-seconds", str(OPERATION_S * KIND_SPEED)))


@dataclass(frozen=True, slots=True)
class Stage:
    """A running emulator and what a client needs to know of it."""

    ready: dict[str, Any]
    folder: Path
    ids: tuple[str, ...]
    """The machines that are to be changed."""

    @property
    def environment(self) -> dict[str, str]:
        """For a client."""
        return os.environ | self.ready["env"]

    @property
    def subscription(self) -> str:
        """The only one."""
        return self.ids[0].split("/")[2]


@dataclass(frozen=True, slots=True)
class Raced:
    """What a client took."""

    seconds: float
    cpu_s: float
    machines: int
    """How many it was given."""
    changed: int
    """How many stand as wanted after it."""

    @property
    def scaled_s(self) -> float:
        """For all machines, where it was given fewer."""
        return self.seconds * MACHINES / self.machines


Client = Callable[[Stage], Measured]


def race(fleet: Path, folder: Path, service: Service, run: Client, machines: int = MACHINES) -> Raced:
    """Let a client change the machines of a fresh emulator."""
    with emulator(fleet, "--throttle", "off", *service.options) as ready:
        ids = tuple(one["id"] for one in machines_of(ready))[:machines]
        found = run(Stage(ready, folder, ids))
        changed = sum(is_as_wanted(one) for one in machines_of(ready))
    return Raced(found.wall_s, found.cpu_s, machines, changed)


# ------------------------------------------------------------------------------------------------ the clients


def whole(stage: Stage) -> Measured:
    """`patchmode apply --all --yes`: discovery, plan, apply, verification."""
    return _patchmode(stage, "apply", "--all", "--yes")


def plan_file(stage: Stage) -> Measured:
    """`patchmode apply FILE --yes`, the plan made beforehand."""
    plan = stage.folder / "plan.json"
    plan.unlink(missing_ok=True)
    _patchmode(stage, "plan", "--all", "--out", plan)
    return _patchmode(stage, "apply", plan, "--yes")


def _patchmode(stage: Stage, *arguments: str | Path) -> Measured:
    state = stage.folder / f"state-{stage.ready['endpoint'].rpartition(':')[2]}"
    command = [BIN / "patchmode", "--cloud", stage.ready["endpoint"], "--state-dir", state, *arguments]
    return measure(command, stage.environment)


def sdk_loop(stage: Stage) -> Measured:
    """The sequential loop."""
    program = [sys.executable, HERE / "peer_sdk_loop.py", stage.ready["endpoint"], stage.subscription]
    return measure([*program, str(len(stage.ids))], stage.environment, fine=frozenset({0}))


def asyncio_script(stage: Stage) -> Measured:
    """The thirty lines."""
    program = [sys.executable, HERE / "peer_asyncio.py", stage.ready["endpoint"], stage.subscription]
    return measure(program, stage.environment, fine=frozenset({0}))


def az_update(stage: Stage) -> Measured:
    """`az vm update --ids …` with its own threads; signing in is not counted.

    The object is given as JSON: az 2.91.0 cannot set a member of an object that is not there yet (azure-cli #32671).
    """
    environment, ready = az_environment(stage), stage.ready
    secret = ("-u", ready["clientId"], "-p", ready["clientSecret"], "--tenant", ready["tenantId"])
    for words in (
        ("cloud", "register", "-n", "Local", "--endpoint-resource-manager", ready["endpoint"]),
        ("cloud", "set", "-n", "Local"),
        ("login", "--service-principal", *secret),
    ):
        measure([AZ, *words], environment, fine=frozenset({0}))
    pair = '{"bypassPlatformSafetyChecksOnUserSchedule":true}'
    fields = [f"{SETTINGS}.patchMode=AutomaticByPlatform", f"{SETTINGS}.automaticByPlatformSettings={pair}"]
    # It ends with 1 where every machine failed; that some did is seen in the count.
    return measure([AZ, "vm", "update", "--ids", *stage.ids, "--set", *fields], environment, fine=frozenset({0}))


def az_environment(stage: Stage) -> dict[str, str]:
    """A profile of its own, nothing that leaves this machine, and az's own default of ten threads.

    The emulator hands out the serial way, which is the safe one: az 2.91.0's threads share what they build, and now
    and then a machine is left out with exit code 0. The faster way is the harder one to compare with.
    """
    return stage.environment | {
        "AZURE_CORE_DISABLE_CONCURRENT_IDS": "false",
        "AZURE_CONFIG_DIR": str(stage.folder / f"azure-{stage.ready['endpoint'].rpartition(':')[2]}"),
        "REQUESTS_CA_BUNDLE": stage.ready["caBundle"],
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "AZURE_CORE_NO_COLOR": "true",
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
    }


def az_version() -> str:
    """Of the installed az.

    Raises:
        SystemExit: there is none.
    """
    if not AZ.exists():
        raise SystemExit("az is not installed: run `make bench-table`, which installs it in .venv-clients")
    shown = subprocess.run([AZ, "version", "-o", "tsv", "--query", '"azure-cli"'], capture_output=True, check=True)
    return shown.stdout.decode().strip()


# ------------------------------------------------------------------------------------------------ the table


@dataclass(frozen=True, slots=True)
class Peer:
    """One client and how it is compared."""

    name: str
    run: Client
    aim: float | None
    """How many times faster patchmode is to be; None: that is patchmode itself."""
    machines: tuple[int, int] = (MACHINES, MACHINES)
    """How many it is given: where the service is as recorded, where it is kind."""
    rounds: tuple[int, int] = (1, 1)
    """How often it is raced; the run with the median time counts."""


def peers(az: str) -> tuple[Peer, ...]:
    """All of them; patchmode, with which they are compared, first."""
    return (
        Peer("patchmode apply, whole program: discovery, plan, apply, verification", whole, None, rounds=(3, 3)),
        Peer("patchmode apply of a plan file, verification included", plan_file, None, rounds=(3, 3)),
        Peer("sequential SDK loop: GET, PUT, wait", sdk_loop, 50, (5, 20)),
        Peer(f"az {az} vm update with --ids, its ten threads", az_update, 5, (50, MACHINES)),
        Peer("asyncio SDK script, 100 at once", asyncio_script, 1, rounds=(1, 3)),
    )


def run(folder: Path, *, services: Sequence[Service] = (KIND, RECORDED), only: Sequence[Peer] = ()) -> list[Row]:
    """Race them all.

    Args:
        folder: for fleets, plans and profiles.
        services: in the table's order.
        only: these and no others; the first is what the rest are compared with.
    """
    chosen = only or peers(az_version())
    fleet = uniform_fleet(folder, MACHINES)
    rows: list[Row] = []
    for service in services:
        base: Raced | None = None
        for peer in chosen:
            machines, rounds = peer.machines[service is KIND], peer.rounds[service is KIND]
            # The loop lists machines and takes the first: the emulator hands them out in the same order.
            raced = [race(fleet, folder, service, peer.run, machines) for _ in range(rounds)]
            found = sorted(raced, key=lambda one: one.seconds)[rounds // 2]
            base = base or found
            rows.append(row_of(peer, service, found, base))
            print(rows[-1].told(), file=sys.stderr, flush=True)
    return rows


def row_of(peer: Peer, service: Service, found: Raced, base: Raced) -> Row:
    """One peer's row.

    Args:
        peer: who.
        service: how the emulator behaved.
        found: what the peer took.
        base: what patchmode as a whole program took there.
    """
    what = f"{peer.name}; service {'asks for 1 s' if service is KIND else 'as recorded'}"
    scaled = "" if found.machines == MACHINES else f", scaled from {found.machines} machines in {found.seconds:.1f} s"
    missing = "" if found.changed == found.machines else f", only {found.changed} of {found.machines} changed"
    took = f"{found.scaled_s:,.1f} s{scaled}{missing}"
    if peer.aim is None:
        return Row(what, "", f"{took}, CPU {found.cpu_s:.1f} s", None if not missing else False)
    ratio = found.scaled_s / base.seconds
    bound = "not slower" if peer.aim == 1 else f"≥ {peer.aim:g} times as long"
    return Row(what, bound, f"{ratio:,.1f} times as long: {took}", ratio >= peer.aim)


def main(folder: Path) -> Sequence[Row]:
    """The registry's entry."""
    return run(folder)
