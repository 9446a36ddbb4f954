"""A record as JUnit XML: a suite for each subscription, a case for each machine.

Not as wanted is a failure, unreadable or unknown an error, left out or nothing to set a skip. Written to satisfy both
schemas in use: Jenkins' (`junit-10.xsd`) and Ant's (`JUnit.xsd`), which asks for more attributes and a fixed order.

Must not: leave a machine of the scope out, since a pipeline counts.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC
from io import BytesIO
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from patchmode.model.plain_text import printable
from patchmode.model.record import Level, Record, RecordedMachine, RecordState

_EPOCH = "1970-01-01T00:00:00"


def junit(record: Record) -> bytes:
    """The document, UTF-8."""
    root = Element("testsuites")
    suites: dict[str, list[RecordedMachine]] = defaultdict(list)
    for machine in record.machines:
        suites[machine.subscription].append(machine)
    for number, (subscription, machines) in enumerate(sorted(suites.items())):
        root.append(_suite(record, number, subscription, machines))
    indent(root)
    buffer = BytesIO()
    ElementTree(root).write(buffer, encoding="utf-8", xml_declaration=True)
    buffer.write(b"\n")
    return buffer.getvalue()


def _suite(record: Record, number: int, subscription: str, machines: Sequence[RecordedMachine]) -> Element:
    standings = [machine.standing for machine in machines]
    made = record.taken_at
    suite = Element(
        "testsuite",
        {
            "name": _token(f"patchmode {record.kind}"),
            "package": _token(subscription),
            "id": str(number),
            "timestamp": f"{made.astimezone(UTC):%Y-%m-%dT%H:%M:%S}" if made else _EPOCH,
            "hostname": _token(record.target.endpoint.partition("://")[2]),
            "tests": str(len(machines)),
            "failures": str(standings.count(RecordState.FINDING)),
            "errors": str(standings.count(RecordState.UNREADABLE)),
            "skipped": str(standings.count(RecordState.SKIPPED)),
            "time": "0",
        },
    )
    properties = SubElement(suite, "properties")
    for name, text in record.facts:
        SubElement(properties, "property", {"name": _token(name), "value": printable(text)})
    for machine in machines:
        suite.append(_case(machine))
    SubElement(suite, "system-out").text = printable(record.verdict)
    SubElement(suite, "system-err")
    return suite


def _case(machine: RecordedMachine) -> Element:
    # Dots part a class from its package for every reader, so that groups become folders.
    place = ".".join(text.replace(".", "_") for text in (machine.subscription, machine.group) if text)
    case = Element("testcase", {"name": _token(machine.name), "classname": _token(place), "time": "0"})
    match machine.standing:
        case RecordState.FINDING | RecordState.UNREADABLE:
            told = [one for one in machine.findings if one.level is not Level.NOTE] or list(machine.findings)
            kind = "failure" if machine.standing is RecordState.FINDING else "error"
            worst = min(told, key=lambda one: tuple(Level).index(one.level), default=None)
            about = {
                "type": worst.rule if worst else machine.end,
                "message": printable(worst.message if worst else machine.because),
            }
            SubElement(case, kind, about).text = "\n".join(_lines(machine))
        case RecordState.SKIPPED:
            SubElement(case, "skipped").text = printable(machine.because)
        case RecordState.FINE:
            pass
    return case


def _lines(machine: RecordedMachine) -> Iterator[str]:
    yield f"{printable(machine.id)}"
    yield f"{machine.end}: {printable(machine.because)}"
    for one in machine.findings:
        yield f"[{one.level}] {one.rule}: {printable(one.message)}"
        if one.evidence:
            yield f"    evidence: {printable(one.evidence)}"
        for line in one.fix.splitlines():
            yield f"    fix: {printable(line)}"


def _token(text: str) -> str:
    """A text that XML Schema's token takes: never empty, no control characters, no doubled white space."""
    return " ".join(printable(text).split()) or "(none)"
