"""Filters: which machines of a scope the user left out, and by which filter.

Must not: read anything. A machine that a filter leaves out is listed as skipped, so that counts still add up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from patchmode.model.machine import Machine
from patchmode.model.plan import Skipped
from patchmode.model.scope import Filters, Scope


def narrow(machines: Iterable[Machine], scope: Scope) -> tuple[list[Machine], list[Skipped]]:
    """Divide machines into those that the filters let through and those that they leave out.

    Args:
        machines: any number, any order; the order is kept.
        scope: its `include` filters each narrow, its `exclude` filters each leave out; selectors are not looked at.

    Returns:
        Kept machines, and one `Skipped` for each other one, with rule `filter-os`, `exclude-tag`, … and the filter.
    """
    tests = [*_tests(scope.include, "filter"), *_tests(scope.exclude, "exclude")]
    kept: list[Machine] = []
    skipped: list[Skipped] = []
    for machine in machines:
        against = next((text for test in tests if (text := test.against(machine))), None)
        if against is None:
            kept.append(machine)
        else:
            skipped.append(Skipped(machine.id, against[0], against[1]))
    return kept, skipped


@dataclass(frozen=True, slots=True)
class _Test:
    member: str
    prefix: str
    wanted: Sequence[str] | Sequence[tuple[str, str | None]]

    def against(self, machine: Machine) -> tuple[str, str] | None:
        """(rule, reason) when the machine is to be left out.

        SAFETY: a machine whose tags cannot be read may have the very tag that leaves it out.
        """
        hit = next((value for value in self.wanted if _matches(self.member, value, machine)), None)
        option = f"--{self.member}" if self.prefix == "filter" else f"--exclude-{self.member}"
        rule = f"{self.prefix}-{self.member}"
        if self.member == "tag" and any(entry.path == "tags" for entry in machine.oddities):
            return rule, f"Left out by {option}: its tags cannot be read."
        if self.prefix == "exclude":
            return None if hit is None else (rule, f"Left out by {option} {_text(hit)}.")
        if hit is not None:
            return None
        wanted = " or ".join(_text(value) for value in self.wanted)
        return rule, f"Left out by {option} {wanted}: {_fact(self.member, machine)}."


def _tests(filters: Filters, prefix: str) -> list[_Test]:
    members: list[tuple[str, Sequence[str] | Sequence[tuple[str, str | None]]]] = [
        ("os", filters.os),
        ("location", filters.locations),
        ("tag", filters.tags),
        ("name", filters.names),
        ("power", filters.power),
    ]
    return [_Test(member, prefix, wanted) for member, wanted in members if wanted]


def _matches(member: str, value: str | tuple[str, str | None], machine: Machine) -> bool:
    if isinstance(value, tuple):
        return _has_tag(machine, *value)
    if member == "name":
        return fnmatchcase(machine.name.casefold(), value.casefold())
    if member == "location":
        return _plain(machine.location) == _plain(value)
    found = machine.os if member == "os" else machine.surroundings.power_state
    return found is not None and found.casefold() == value.casefold()


def _has_tag(machine: Machine, key: str, value: str | None) -> bool:
    # Azure compares tag names without regard to case, and values with it.
    return any(
        name.casefold() == key.casefold() and (value is None or value == found) for name, found in machine.tags.items()
    )


def _plain(location: str) -> str:
    """`West Europe` and `westeurope` are one region."""
    return location.replace(" ", "").casefold()


def _text(value: str | tuple[str, str | None]) -> str:
    if isinstance(value, str):
        return value
    key, wanted = value
    return key if wanted is None else f"{key}={wanted}"


def _fact(member: str, machine: Machine) -> str:
    if member == "tag":
        return "it has no such tag"
    if member == "name":
        # Each line of a report names its machine; a reason of its own would keep reports from telling them together.
        return "it has another name"
    facts = {"os": machine.os, "location": machine.location, "power": machine.surroundings.power_state}
    names = {"os": "operating system", "location": "region", "power": "power state"}
    return f"its {names[member]} is {facts[member] or 'not known'}"
