"""Several tenants in one audit, for people: the column of the table, and the figures of each.

Must not: read anything; the report has each tenant's part.
"""

from collections.abc import Iterable, Iterator, Sequence

from patchmode.model.plain_text import printable
from patchmode.model.report import AuditReport
from patchmode.reports.text.layout import Paint, Section, delegated_text, plural, target_text, way_out, wrapped
from patchmode.reports.text.next_steps import command


def in_tenants(report: AuditReport, sections: Iterable[Section]) -> Iterator[Section]:
    """The sections of the machines of an audit of several tenants, with the tenant of each before its subscription."""
    read_in = {
        one.machine.id: printable(part.name or part.tenant_id)
        for part in report.tenants
        if part.report
        for one in part.report.machines
    }
    for entry, section in zip(report.machines, sections, strict=True):
        tenant = read_in[entry.machine.id]
        yield Section((tenant, *section.texts), f"{section.title.removesuffix(')')}, tenant {tenant})")


def audited_text(report: AuditReport) -> str:
    """Where an audit was made: as `target_text`; of several tenants how many were read."""
    if not report.tenants:
        return target_text(report.target)
    count, unread = len(report.tenants), sum(part.is_unread for part in report.tenants)
    number = f"{count - unread:,} of {count:,}" if unread else f"{count:,}"
    place = f"{report.target.cloud} ({report.target.endpoint})"
    return f"{place}, {number} tenants{delegated_text(report.target)}"


def _figures(report: AuditReport) -> str:
    """The figures of one tenant: the first four and those left out are its scope, as in the sentence about them all."""
    counts = report.counts
    ready = sum(one.eligible and not one.as_wanted for one in report.machines)
    blocked = sum(not one.eligible and not one.as_wanted for one in report.machines)
    return (
        f"{plural(counts['machines'], 'machine')}: {counts['asWanted']:,} compliant, {ready:,} eligible, {blocked:,} "
        f"blocked; {counts['skipped']:,} filtered out, {counts['unreadable']:,} unreadable; "
        f"{counts['failsAtNextWindow']:,} will fail, {counts['rebootedByAzure']:,} rebooted by Azure, "
        f"{counts['patchedByNobody']:,} patched by nobody"
    )


def tenant_lines(report: AuditReport, *, again: Sequence[str] | None, paint: Paint) -> Iterator[str]:
    """The figures of each tenant, and what reads one alone; nothing of an audit of one."""
    if not report.tenants:
        return
    yield ""
    yield "By tenant:"
    for part in report.tenants:
        told = f"{_figures(part.report)}." if part.report else part.failure
        told = "could not be read; the reason is below." if part.is_unread else told
        for line in wrapped(f"{printable(part.label)}: {told}", paint=paint, indent=2, hang=4):
            yield paint("bad", line) if part.is_unread else line
    with_findings = [one.tenant_id for one in report.tenants if one.report and one.report.counts["findings"]]
    if again is not None and with_findings:
        text = "The other commands work in one tenant. To see its next steps, read it alone:"
        yield from way_out(f"{text}\n{command(*again, '--tenant', with_findings[0])}", paint=paint)
