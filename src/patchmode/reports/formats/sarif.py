"""A record as SARIF 2.1.0: rules with their fix, one result a finding, machines as logical locations.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub's "SARIF support for code
scanning" for what its viewer needs besides.

Must not: give a result another identity because a machine's id came back in other letters.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any
from urllib.parse import quote

from patchmode.model.plain_text import printable
from patchmode.model.record import Record, RecordedFinding, RecordedMachine, RuleText
from patchmode.version import __version__

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# NOTE: code scanning asks for it; it tells the format apart and is never fetched here.


def sarif(record: Record) -> Mapping[str, Any]:
    """The log as JSON values; every rule that has a result stands in it, and no other."""
    named = {finding.rule for machine in record.machines for finding in machine.findings}
    rules = [rule for rule in record.rules.values() if rule.id in named]
    places = {rule.id: place for place, rule in enumerate(rules)}
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if record.taken_at is not None:
        invocation["endTimeUtc"] = f"{record.taken_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    run = {
        "tool": {"driver": _driver(rules)},
        "automationDetails": {"id": f"patchmode/{record.kind}/"},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": list(_results(record, places)),
        "properties": dict(record.facts),
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _driver(rules: Sequence[RuleText]) -> Mapping[str, Any]:
    return {
        "name": "patchmode",
        "semanticVersion": __version__,
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: RuleText) -> Mapping[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        "shortDescription": {"text": _sentence(rule.title)},
        "fullDescription": {"text": rule.description},
        "help": {
            "text": f"{rule.description}\n\nFix: {rule.fix}",
            "markdown": f"{rule.description}\n\n**Fix:** {rule.fix}",
        },
        "defaultConfiguration": {"level": rule.level.value},
        "properties": {"tags": ["azure", "patching"]},
    }


def _sentence(title: str) -> str:
    return f"{title[:1].upper()}{title[1:]}."


def _results(record: Record, places: Mapping[str, int]) -> Iterator[Mapping[str, Any]]:
    several = record.has_several_subscriptions
    for machine in record.machines:
        called = (
            f"{machine.subscription}/{machine.group}/{machine.name}" if several else f"{machine.group}/{machine.name}"
        )
        seen: dict[str, int] = {}
        for finding in machine.findings:
            seen[finding.rule] = seen.get(finding.rule, 0) + 1
            yield _result(machine, finding, places[finding.rule], seen[finding.rule], called)


def _result(
    machine: RecordedMachine, finding: RecordedFinding, place: int, number: int, called: str
) -> Mapping[str, Any]:
    fix = f" Fix: {' '.join(finding.fix.split())}" if finding.fix else ""
    # A rule may speak twice of one machine: of two schedules, for example.
    identity = f"{finding.rule}\n{machine.id.casefold()}\n{number}"
    properties = {"end": machine.end, "because": machine.because, "subscription": printable(machine.subscription)}
    if finding.evidence:
        properties["evidence"] = finding.evidence
    return {
        "ruleId": finding.rule,
        "ruleIndex": place,
        "level": finding.level.value,
        "message": {"text": printable(f"{called}: {finding.message}{fix}")},
        "locations": [_location(machine)],
        "partialFingerprints": {"patchmodeFinding/v1": hashlib.sha256(identity.encode()).hexdigest()},
        "properties": properties,
    }


def _location(machine: RecordedMachine) -> Mapping[str, Any]:
    logical = {"name": machine.name, "fullyQualifiedName": machine.id, "kind": "resource"}
    # Code scanning refuses a result without a physical location: the id serves as a path that no checkout has.
    path = quote(machine.id.lstrip("/"), safe="/")
    return {
        "logicalLocations": [logical],
        "physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": 1}},
    }
