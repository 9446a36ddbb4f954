"""What every export of a plan's changes is made of: the requests in their order, and what the export does not do.

Must not: quote for a language; each form does.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from textwrap import wrap
from typing import Any
from urllib.parse import quote

from patchmode.model.machine import MachineKind
from patchmode.model.outcome import OutcomeKind
from patchmode.model.plain_text import printable
from patchmode.model.plan import Change, Plan
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import plural, target_text
from patchmode.reports.text.plan import leaf_changes, names_in

ApiVersion = Callable[[MachineKind], str]
"""The api version with which a machine of a kind is read and changed."""
_PATH_SAFE = "/-._~()"
"""Everything else is percent-encoded, so that no client of the script replaces a part of an address."""
_COLUMNS = 100


def _escape(letter: str) -> str:
    code = ord(letter)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@dataclass(frozen=True, slots=True)
class MachineRequest:
    """The PATCH of one machine, and what the machine must show afterwards."""

    name: str
    """As people call it; printable, on one line."""
    path: str
    """Percent-encoded, with its api version: `/subscriptions/…?api-version=…`."""
    body: str
    """JSON, compact, in ASCII: the body of the plan."""
    etag: str | None
    """For `If-Match`; None: the plan has none."""
    expected: Mapping[str, str | bool]
    """Member of the machine's document, its path with dots → the value after the change. A `false` may be absent."""
    told: str
    """What changes, on one line."""
    api_version: str
    """Of the machine's resource type."""
    change: Change
    """What the request is made of."""

    @property
    def resource_type(self) -> str:
        """Type and api version: `Microsoft.Compute/virtualMachines@2024-07-01`."""
        is_arc = self.change.kind is MachineKind.ARC
        name = "Microsoft.HybridCompute/machines" if is_arc else "Microsoft.Compute/virtualMachines"
        return f"{name}@{self.api_version}"


@dataclass(frozen=True, slots=True)
class Section:
    """The requests of one wave."""

    title: str
    """`Wave 1 of 3: ring=canary (2 machines)`; empty: the plan has no waves."""
    requests: tuple[MachineRequest, ...]


def sections(plan: Plan, api_version: ApiVersion) -> Iterator[Section]:
    """The changes of a plan in the order in which they are to be sent; a wave that changes nothing is left out.

    Args:
        plan: with at least one change.
        api_version: of each kind of machine.
    """
    names = names_in(plan)
    if not plan.waves:
        yield Section("", tuple(_request(one, names, api_version) for one in plan.changes))
        return
    for number, wave in enumerate(plan.waves):
        made = tuple(_request(one, names, api_version) for one in plan.changes_of(number))
        if made:
            title = f"Wave {number + 1} of {len(plan.waves)}: {printable(wave.name)} ({plural(len(made), 'machine')})"
            yield Section(title, made)


def _request(change: Change, names: MachineNames, api_version: ApiVersion) -> MachineRequest:
    path = quote(str(change.id), safe=_PATH_SAFE)
    changed = [f"{one.path} {one.before or '(absent)'} -> {one.after}" for one in leaf_changes(change)]
    undone = "" if change.reversible else "; cannot be undone"
    version = api_version(change.kind)
    return MachineRequest(
        name=names.short(change.id),
        path=f"{path}?api-version={version}",
        body=json.dumps(change.body, separators=(",", ":")),
        etag=change.etag,
        expected=dict(members(change.body)),
        told=printable(f"{change.os}, {change.location}: {'; '.join(changed)}{undone}"),
        api_version=version,
        change=change,
    )


def address(plan: Plan, request: MachineRequest) -> str:
    """The whole URL of a machine; one line, whatever the plan calls its endpoint."""
    return f"{quote(plan.target.endpoint, safe=_PATH_SAFE + ':[]')}{request.path}"


def members(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str | bool]]:
    """Every value of a body by its path with dots: `properties.osProfile.….patchMode`."""
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from members(inner, f"{before}{name}.")
        else:
            yield f"{before}{name}", inner if isinstance(inner, bool) else str(inner)


def made_text(plan: Plan) -> str:
    """When and by what a plan was made: `made 2026-11-30 19:28 UTC by patchmode 0.3.0`."""
    at = "at an unknown time" if plan.created_at is None else f"{plan.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"made {at} by patchmode {plan.tool_version or 'of an unknown version'}"


NAMED_CLOUDS = frozenset({"AzureCloud", "AzureUSGovernment", "AzureChinaCloud"})
"""What az, Az and azure.azcollection call the clouds that they have built in; they are the names that a target has."""


def cloud_in_tools(plan: Plan, otherwise: str) -> str:
    """What other tools call the cloud of a plan.

    Args:
        plan: whose.
        otherwise: of a cloud that they have not built in; of the plan nothing goes into a command.
    """
    return plan.target.cloud if plan.target.cloud in NAMED_CLOUDS else otherwise


def place_text(plan: Plan) -> str:
    """Where a plan belongs: cloud, endpoint, tenant and the subscriptions of its machines."""
    place = MachineNames.of(plan.target, plan.touched_in).place
    return f"{target_text(plan.target)}" + (f"; {place}" if place else "")


def left_out_text(plan: Plan) -> str:
    """The machines of a plan's scope that it does not change, in numbers."""
    counts = plan.counts
    filtered = sum(one.is_filtered_out for one in plan.skipped)
    by_filters = f" ({filtered:,} by the filters of the scope)" if filtered else ""
    return (
        f"{counts['skipped']:,} skipped{by_filters}, {counts['unreadable']:,} unreadable, "
        f"{counts['unchanged']:,} already compliant"
    )


def attaching_text(plan: Plan) -> str | None:
    """The schedule that a plan attaches besides, and to how many machines; None: it attaches none."""
    wish = plan.then_attach
    if wish is None:
        return None
    machines = plural(len(plan.changes) + len(plan.unchanged), "machine")
    return f"attaches the schedule {wish.configuration} to {machines}"


BY_ETAG = (
    "A machine that was changed since the plan in any property, also a tag, is refused by Azure (If-Match, HTTP 412): "
    "make a new plan for it."
)
"""The precondition of what sends the ETag of the plan."""
ONE_BY_ONE = (
    "The script does not ask. It changes one machine after the other and stops at the first that fails. Run it again "
    "to continue: a machine that has the settings is not changed again."
)
BY_HAND = "You send each request, and compare what the second shows with the comment above it."
_WAVES = "no waves: they are sections in their order, nothing waits between them, and there is no failure budget"


def preface(
    plan: Plan,
    source: str,
    *,
    precondition: str,
    running: str = ONE_BY_ONE,
    it: str = "this script",
    waves: str = _WAVES,
) -> Iterator[str]:
    """What a reader of an export must know, a paragraph each; one that begins with a hyphen is an entry of a list.

    Args:
        plan: with at least one change.
        source: the plan file's name.
        precondition: what becomes of a machine that was changed since the plan.
        running: how the export is used, and what it does after a machine that fails.
        it: what the export is called.
        waves: what becomes of the plan's waves.
    """
    yield from origin(plan, source, precondition)
    yield from left_out(plan, it)
    yield from _warnings(plan)
    yield f"Unlike `patchmode apply`, {it} has:"
    yield "- no journal of patchmode: there is no resume and no rollback;"
    yield "- no verification of other properties: only the settings that are sent are compared afterwards;"
    yield f"- {waves};"
    yield "- no throttling: Azure's rate limits are not watched;"
    yield "- no check of permissions, locks and change freezes before the first request."
    yield running


def origin(plan: Plan, source: str, precondition: str) -> Iterator[str]:
    """Which plan an export is of, and what becomes of a machine that was changed since."""
    yield f"Patch settings of {plural(len(plan.changes), 'machine')}, exported from {source}, {made_text(plan)}."
    yield f"Target: {place_text(plan)}."
    yield f"Digest of the plan: {plan.digest}" if plan.digest else "The plan has no digest."
    yield f"Nothing was read from Azure for this export. {precondition}"


def left_out(plan: Plan, it: str) -> Iterator[str]:
    """What of the plan's scope, and of the plan, is not in an export; by name what was not left out by a filter."""
    names = names_in(plan)
    yield f"Not in {it}: {left_out_text(plan)}."
    for one in plan.skipped:
        if not one.is_filtered_out:
            yield f"- {names.short(one.id)}: skipped, {one.rule}: {one.reason}"
    for entry in plan.unreadable:
        yield f"- {names.short(entry.id)}: could not be read: {entry.reason}"
    attaches = attaching_text(plan)
    if attaches is not None:
        yield (
            f"The plan also {attaches}; {it} does not. Until then a machine without another schedule is patched by "
            "nobody. Attach it afterwards with `patchmode schedule attach`, or make the plan again: it then only "
            "attaches."
        )


def _warnings(plan: Plan) -> Iterator[str]:
    unguarded = sum(one.etag is None for one in plan.changes)
    if unguarded:
        yield (
            f"{plural(unguarded, 'machine has', 'machines have')} no etag in the plan: a change of "
            f"{'it' if unguarded == 1 else 'them'} since the plan is not noticed."
        )
    yield from final_text(plan)


def final_text(plan: Plan) -> Iterator[str]:
    """What is so once the changes were made: what cannot be undone, and who is patched by nobody."""
    final = sum(not one.reversible for one in plan.changes)
    if final:
        yield f"{plural(final, 'change')} cannot be undone, by patchmode or by hand: see the comment of the machine."
    parked = sum(one.outcome_after.kind is OutcomeKind.PARKED for one in plan.changes)
    if parked:
        machines = plural(parked, "machine is", "machines are")
        yield f"Afterwards {machines} patched by nobody until a schedule is attached."


def paragraphs(text: str) -> list[str]:
    """A text of ours, which is divided by empty lines, as `comments` takes it."""
    return [" ".join(one.split()) for one in text.strip().split("\n\n")]


def comments(texts: Iterable[str], mark: str = "#") -> Iterator[str]:
    """Paragraphs as lines of comments; nothing of a paragraph can end its comment."""
    for paragraph in texts:
        hang = "  " if paragraph.startswith("- ") else ""
        parts = wrap(
            printable(paragraph),
            _COLUMNS,
            subsequent_indent=hang,
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from (f"{mark} {part}" for part in parts)


def braces(value: Mapping[str, Any], quoted: Callable[[str], str], *, between: str, indent: int) -> str:
    """An object as HCL and Bicep write it, a member on each line.

    Args:
        value: texts, booleans, numbers and objects of them.
        quoted: a text as the language writes it.
        between: a name and its value.
        indent: of the line that it begins on.
    """
    margin = " " * indent
    lines = []
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            shown = braces(inner, quoted, between=between, indent=indent + 2)
        else:
            shown = quoted(inner) if isinstance(inner, str) else json.dumps(inner)
        lines.append(f"{margin}  {name if is_word(name) else quoted(name)}{between}{shown}\n")
    return f"{{\n{''.join(lines)}{margin}}}"


def is_word(text: str) -> bool:
    """Whether a name stands without quotes in HCL, Bicep and YAML."""
    return re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII) is not None


def with_escapes(text: str, known: Mapping[str, str], other: Callable[[str], str] = _escape) -> str:
    r"""A text in which what the language reads, and what is not printable, is escaped.

    Args:
        text: any.
        known: letter → its escape; a line feed is always `\n`.
        other: the escape of a letter that is not printable; by default `\uNNNN` and `\UNNNNNNNN`.
    """
    made = {"\n": r"\n", **known}
    return "".join(made.get(one) or (one if one.isprintable() else other(one)) for one in text)
