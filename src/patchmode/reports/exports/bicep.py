"""A plan's settings as a Bicep file that changes nothing: what to merge into one's own templates, and a comparison.

A deployment sends a resource by PUT. Microsoft's built-in policy 9905ca54 deploys a virtual machine of location and
patch settings alone; which other properties Azure then keeps is in no source that was read, so that no such template is
written. `existing` resources are only read.
"""

from collections import defaultdict
from collections.abc import Iterator

from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.plan import Change, Plan
from patchmode.reports.exports.scripted import (
    ApiVersion,
    MachineRequest,
    braces,
    comments,
    final_text,
    left_out,
    origin,
    paragraphs,
    sections,
    with_escapes,
)

MOST = 800
"""Of the machines of one system: a loop has no more. Source: Iterative loops in Bicep, learn.microsoft.com."""
_PRECONDITION = (
    "No deployment compares a machine with the plan: a machine that was changed since the plan is changed, too."
)
_HEAD = """
This file changes nothing: deployed, it only reads.

A deployment sends a machine by PUT, with all that its template says of it. A template that holds patch settings alone
leaves it to Azure what happens to the machine's other properties, which no source says for certain. Therefore none is
written here.

- 1. Merge the `osProfile` of each machine below into its resource in your own template, beside what is there, and
deploy that template as you always do. A machine that no template of yours holds needs another form of `patchmode
export`, or `patchmode apply`.

- 2. Then deploy this file: `az deployment sub create --location REGION --template-file FILE --query
properties.outputs`. Its outputs say of each machine whether it is as planned, and what it has now. A value that is to
be false and is absent counts as not as planned.

Unlike `patchmode apply`, neither has a journal of patchmode, a rollback, or a verification of other properties.

It needs Bicep 0.22 or later. No test of patchmode compiles it: a public grammar of Bicep reads it.
"""


def bicep_file(plan: Plan, source: str, api_version: ApiVersion) -> Iterator[str]:
    """The file, in pieces.

    Args:
        plan: with at least one change, and at most `MOST` of each system.
        source: the plan file's name.
        api_version: of each kind of machine.
    """
    head = (*origin(plan, source, _PRECONDITION), *left_out(plan, "this file"), *final_text(plan), *paragraphs(_HEAD))
    yield from (f"{line}\n" for line in comments(head, "//"))
    yield "\ntargetScope = 'subscription'\n"
    parts: dict[str, list[str]] = defaultdict(list)
    types: dict[str, MachineRequest] = {}
    number = 0
    for section in sections(plan, api_version):
        for request in section.requests:
            number += 1
            part = part_of(request.change)
            types.setdefault(part, request)
            parts[part].append(_entry(request, f"{number} of {len(plan.changes)} {request.name}", section.title))
    for part, entries in parts.items():
        yield f"\nvar {part} = [\n"
        yield from entries
        yield "]\n"
        yield _comparison(part, types[part])


def part_of(change: Change) -> str:
    """Which of the file's lists a machine is in: `windows`, `linux`, `arcWindows`, `arcLinux`."""
    system = "windows" if change.os is OperatingSystem.WINDOWS else "linux"
    return f"arc{system.capitalize()}" if change.kind is MachineKind.ARC else system


def _entry(request: MachineRequest, place: str, wave: str) -> str:
    known = {
        "name": request.name,
        **({"wave": wave} if wave else {}),
        "id": str(request.change.id),
        "osProfile": request.change.body["properties"]["osProfile"],
    }
    return f"  // {place}\n  // {request.told}\n  {braces(known, quoted, between=': ', indent=2)}\n"


def _comparison(part: str, one: MachineRequest) -> str:
    configuration = one.change.os.configuration
    now = f"{part}Now[i].properties.?osProfile.?{configuration}.?patchSettings ?? {{}}"
    wanted = f"one.osProfile.{configuration}.patchSettings"
    return (
        f"\nresource {part}Now {quoted(one.resource_type)} existing = [for one in {part}: {{\n"
        f"  scope: resourceGroup(split(one.id, '/')[2], split(one.id, '/')[4])\n  name: last(split(one.id, '/'))\n}}]\n"
        f"\noutput {part}Compared array = [for (one, i) in {part}: {{\n  machine: one.name\n"
        f"  isAsPlanned: union({now}, {wanted}) == ({now})\n  now: {now}\n}}]\n"
    )


def quoted(text: str) -> str:
    r"""A text as a string of Bicep in which nothing is replaced: an apostrophe and a `$` are escaped.

    Source: Bicep data types (strings), learn.microsoft.com.
    """
    known = {"'": r"\'", "\\": r"\\", "$": r"\$"}
    escaped = with_escapes(text, known, lambda letter: f"\\u{{{ord(letter):x}}}")
    return f"'{escaped}'"
