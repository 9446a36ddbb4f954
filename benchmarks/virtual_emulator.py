"""The emulator as a program whose clock is shared with its client's (`shared_clock`).

`arm-emulator serve` has the system's clock or a faster one; only the clock differs here.
"""

import argparse
import asyncio
import json
import signal
from pathlib import Path

from tests.faults.one_clock import START

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.environment import ready_line
from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.server import Server
from arm_emulator.tls import temporary_certificates
from benchmarks.shared_clock import SharedTime, allow_sockets


async def main(given: argparse.Namespace) -> None:
    allow_sockets()
    time = SharedTime(given.time_file)
    emulator = Emulator(
        clock=Clock(START, monotonic=time.read),
        limits=limits_from(given.throttle),
        lro_seconds=given.lro_seconds,
        fleet=read_fleet(str(given.fleet)),
    )
    certificates = temporary_certificates()
    server = Server(emulator, certificates.server_context())
    await server.start()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    ready = json.dumps(ready_line(server.endpoint, certificates.ca, emulator.directory))
    given.ready_file.write_text(ready + "\n", encoding="utf-8")
    try:
        await stopped.wait()
    finally:
        await server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--time-file", "--fleet", "--ready-file"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--throttle", default="azure")
    parser.add_argument("--lro-seconds", type=float, required=True)
    asyncio.run(main(parser.parse_args()))
