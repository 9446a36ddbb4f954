"""A record, or findings in files, as SARIF 2.1.0: rules with their fix, one result a finding, machines as locations.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub's "SARIF support for code
scanning" for what its viewer needs besides.

Must not: give a result another identity because a machine's id came back in other letters.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any
from urllib.parse import quote

from patchmode.model.iac import IacFinding, IacReport
from patchmode.model.plain_text import marked, printable
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
    return _log(record.kind, rules, list(_results(record, places)), invocation, dict(record.facts))


def sarif_of_files(report: IacReport, rules: Mapping[str, RuleText]) -> Mapping[str, Any]:
    """The log of findings in files, as JSON values: each at its file and line, which code scanning shows in the diff.

    Args:
        report: what `iac check` found.
        rules: at least those that it names.
    """
    named = {finding.rule for finding in report.findings}
    used = [rule for rule in rules.values() if rule.id in named]
    places = {rule.id: place for place, rule in enumerate(used)}
    seen: Counter[str] = Counter()
    results = [_file_result(finding, places[finding.rule], seen) for finding in report.findings]
    unread = [
        {
            "level": "error",
            "message": {"text": printable(f"Could not be read: {one.reason}.")},
            "locations": [_file_location(one.path, one.line or 1)],
        }
        for one in report.unread
    ]
    invocation: dict[str, Any] = {"executionSuccessful": not unread}
    if unread:
        invocation["toolExecutionNotifications"] = unread
    facts = {"files": report.files, "machines": len(report.machines), "modulesElsewhere": list(report.elsewhere)}
    return _log("iac-check", used, results, invocation, facts)


def _file_result(finding: IacFinding, place: int, seen: Counter[str]) -> Mapping[str, Any]:
    machine = finding.machine
    identity = f"{finding.rule}\n{machine.path}\n{machine.address}"
    seen[identity] += 1
    keep = "\n".join(("", "The lines that keep the settings:", *finding.keep)) if finding.keep else ""
    text = f"{machine.address}: {finding.message} Fix: {finding.fix}"
    identity = f"{identity}\n{seen[identity]}"
    return {
        "ruleId": finding.rule,
        "ruleIndex": place,
        "level": finding.level.value,
        "message": {"text": printable(text) + marked(keep)},
        "locations": [_file_location(machine.path, finding.line, machine.address)],
        "partialFingerprints": {"patchmodeFinding/v1": hashlib.sha256(identity.encode()).hexdigest()},
        "properties": {"evidence": finding.evidence, "tool": machine.tool.value, "calledAt": machine.via},
    }


def _file_location(path: str, line: int, address: str = "") -> Mapping[str, Any]:
    uri = quote(path.replace("\\", "/").removeprefix("./"), safe="/")
    place: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}},
    }
    if address:
        place["logicalLocations"] = [{"name": address, "fullyQualifiedName": address, "kind": "resource"}]
    return place


def _log(
    kind: str,
    rules: Sequence[RuleText],
    results: Sequence[Mapping[str, Any]],
    invocation: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Mapping[str, Any]:
    run = {
        "tool": {"driver": _driver(rules)},
        "automationDetails": {"id": f"patchmode/{kind}/"},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": facts,
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
