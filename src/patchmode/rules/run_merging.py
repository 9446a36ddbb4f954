"""Several runs as one report: counts added up, nothing counted twice, and what is missing named.

Must not: guess which of two reports on one machine is right; it refuses both by name.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from patchmode.errors import RefusedError, WrongTargetError
from patchmode.model.outcome import PatchedByNobody
from patchmode.model.run import RunCounts, RunPart, RunReport, ToldRun
from patchmode.model.scope import Shard
from patchmode.model.target import SubscriptionNames, Target

_ONE = "Give each part of the scope once: the run that counts, without the others."


def merge_runs(told: Sequence[ToldRun]) -> RunReport:
    """One report of all of them.

    Args:
        told: at least one, in any order; of a run that is told by its journal and by its printed report, the journal
            counts, since it also knows what was verified later. A united report may be among them.

    Returns:
        `run` is empty and `parts` lists what was united, ordered by shard, then by run. `missing` are the shards of
        which nothing is told.

    Raises:
        WrongTargetError: two parts are of different targets.
        RefusedError: a machine stands in two parts, a shard does, or they are shards of different divisions.
    """
    kept = _each_run_once(told)
    _check_target(kept)
    listed = [(one, part) for one in kept for part in _parts_of(one)]
    missing = _check_shards(listed)
    _check_machines(kept)
    parts = sorted((part for _, part in listed), key=lambda part: (part.shard.number if part.shard else 0, part.run))
    reports = [one.report for one in kept]
    return RunReport(
        run="",
        state=_state(part.state for part in parts),
        counts=_sum(report.counts for report in reports),
        requests=dict(sorted(sum((Counter(report.requests) for report in reports), Counter[str]()).items())),
        requests_at_least=any(report.requests_at_least for report in reports),
        results=tuple(sorted((one for report in reports for one in report.results), key=lambda one: one.id.key)),
        target=_target_of(reports),
        attachments=tuple(
            sorted((one for report in reports for one in report.attachments), key=lambda one: one.id.casefold())
        ),
        parts=tuple(parts),
        missing=missing,
        blocked=tuple(one for report in reports for one in report.blocked),
        unread=tuple(one for report in reports for one in report.unread),
        nobody=_nobody(reports),
    )


def _nobody(reports: Sequence[RunReport]) -> PatchedByNobody | None:
    found = [report.nobody for report in reports if report.nobody is not None]
    if not found:
        return None
    return PatchedByNobody(
        sum(one.machines for one in found),
        sum(one.not_known for one in found),
        "; ".join(dict.fromkeys(one.because for one in found if one.because)),
        tuple(dict.fromkeys(text for one in found for text in one.usable)),
        any(one.elsewhere for one in found),
        all(one.looked for one in found),
        next((one.create for one in found if one.create), ()),
        any(one.across_tenants for one in found),
    )


def _target_of(reports: Sequence[RunReport]) -> Target | None:
    """The target that all of them have, with every name that one of them knows."""
    first = reports[0].target
    names = SubscriptionNames()
    for report in reports:
        names = names.joined(report.target.names) if report.target else names
    return first and replace(first, names=names)


def _each_run_once(told: Sequence[ToldRun]) -> list[ToldRun]:
    journals = {one.report.run for one in told if one.is_journal}
    return [one for one in told if one.is_journal or not one.report.run or one.report.run not in journals]


def _parts_of(one: ToldRun) -> tuple[RunPart, ...]:
    report = one.report
    return report.parts or (RunPart(one.source, report.run, report.state, report.counts, report.shard),)


def _check_target(told: Sequence[ToldRun]) -> None:
    first = told[0]
    for one in told:
        here, there = first.report.target, one.report.target
        if here is None or there is None or not here.same_as(there):
            places = [
                f"{entry.source} is of {target.endpoint} tenant {target.tenant_id}" if target else entry.source
                for entry, target in ((first, here), (one, there))
            ]
            raise WrongTargetError(
                f"These runs are of different targets: {'; '.join(places)}.",
                advice="One report is about one target; merge each target's runs by themselves.",
            )


def _check_shards(listed: Sequence[tuple[ToldRun, RunPart]]) -> tuple[Shard, ...]:
    """The shards of which nothing is told; none where no part is a shard."""
    seen: dict[Shard, str] = {}
    for one, part in listed:
        if part.shard is None:
            continue
        other = next(iter(seen), part.shard)
        if other.count != part.shard.count:
            raise RefusedError(
                f"{seen[other]} is shard {other} and {one.source} is shard {part.shard}: these divisions overlap.",
                advice="Merge the shards of one division.",
            )
        if part.shard in seen:
            raise RefusedError(
                f"Shard {part.shard} is given twice: by {seen[part.shard]} and by {one.source}.", advice=_ONE
            )
        seen[part.shard] = one.source
    count = next(iter(seen)).count if seen else 0
    return tuple(shard for number in range(1, count + 1) if (shard := Shard(number, count)) not in seen)


def _check_machines(told: Sequence[ToldRun]) -> None:
    seen: dict[str, str] = {}
    for one in told:
        ids = dict.fromkeys(str(result.id).casefold() for result in one.report.results)
        ids |= dict.fromkeys(entry.id.casefold() for entry in one.report.attachments)
        ids |= dict.fromkeys(identifier.casefold() for identifier in one.others)
        for identifier in ids:
            if identifier in seen:
                raise RefusedError(f"{identifier} is in two parts: {seen[identifier]} and {one.source}.", advice=_ONE)
            seen[identifier] = one.source


def _state(states: Iterable[str]) -> str:
    found = set(states)
    return next((state for state in ("running", "interrupted", "stopped") if state in found), "finished")


def _sum(counts: Iterable[RunCounts]) -> RunCounts:
    rows = list(counts)
    return RunCounts(**{field.name: sum(getattr(row, field.name) for row in rows) for field in fields(RunCounts)})
