"""Foreign clients: the emulator that each talks to, and the table of what each was seen to do.

These tests are marked `clients` and run by `make clients`, which installs the clients in environments of their own.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.clients.environments import Client
from tests.clients.running import Running, serving

STEPS = ("lists", "reads", "changes", "is refused", "polls", "sees a failure", "queries", "attaches", "Arc")
"""What each client is to do; one that cannot says why."""


@dataclass
class Tried:
    """What a client was seen to do.

    Attributes:
        client: which.
        version: as the client itself says it.
        seen: a few words for each step.
        why_not: why it is not installed here; empty where it is.
    """

    client: Client
    version: str = ""
    seen: dict[str, str] = field(default_factory=dict)
    why_not: str = ""

    def note(self, step: str, what: str) -> None:
        """What was seen of a step, once it has been asserted."""
        assert step in STEPS, step
        self.seen[step] = what

    def cannot(self, step: str, why: str) -> None:
        """A step that this client has no means for."""
        self.note(step, f"not tried: {why}")


_TRIED = pytest.StashKey[list[Tried]]()


@pytest.fixture
def emulator(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A running emulator with the module's `OPTIONS`; no client may meet an answer that Azure does not give."""
    with serving(tmp_path, *getattr(request.module, "OPTIONS", ())) as running:
        yield running
        odd = [f"{one['status']} {one['method']} {one['path']}" for one in running.requests() if one["status"] >= 500]
        assert not odd, "the emulator did not serve what the client asked"


@pytest.fixture
def environment(emulator: Running) -> dict[str, str]:
    """This process's environment with what the emulator says that Azure's clients need."""
    return {**os.environ, **emulator.ready["env"]}


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Iterator[Tried]:
    """The record of the client under test, which is the module's `CLIENT` or the test's parameter."""
    client: Client = getattr(request, "param", None) or request.module.CLIENT
    record = Tried(client, why_not=client.why_not())
    request.config.stash.setdefault(_TRIED, []).append(record)
    if record.why_not:
        pytest.skip(f"{client.told}: {record.why_not}")
    yield record
    assert record.version, "which version it was"
    assert set(record.seen) == set(STEPS), "a step that was neither tried nor said to be impossible"


def table(records: list[Tried]) -> list[str]:
    """What each client did, a block for each, and at the end those that were skipped; empty without clients."""
    lines = []
    for record in records:
        if not record.why_not:
            lines.append(f"{record.client.told} {record.version}")
            lines += [f"  {step:15} {record.seen.get(step, 'NOT REACHED')}" for step in STEPS]
    skipped = [record for record in records if record.why_not]
    if records:
        count = len(records) - len(skipped)
        lines.append(f"{count} client{'s' if count != 1 else ''} tried, {len(skipped)} skipped")
    return [*lines, *(f"  SKIPPED {record.client.told}: {record.why_not}" for record in skipped)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    for line in table(config.stash.get(_TRIED, [])):
        terminalreporter.write_line(line)
