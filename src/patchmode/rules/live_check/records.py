"""Experiments with what Azure records: Resource Graph, and the activity log of the requests before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from patchmode.model.live_check import TAG, Answered, Asked, Decision, Observed
from patchmode.rules.live_check.experiment import (
    GRAPH_API,
    NOBODY,
    Experiment,
    Step,
    Subject,
    always,
    answered_text,
    decided,
    last_answer,
    not_here,
    object_in,
    undecided,
)
from patchmode.rules.live_check.machine import PROBED_TAG_VALUE
from patchmode.rules.settings.patch import BYPASS

_GRAPH = "/providers/Microsoft.ResourceGraph/resources"
_ROWS = 100


def query(subject: Subject, text: str, *others: str) -> Asked:
    """A query of Resource Graph over the machine's subscription and others."""
    body = {
        "subscriptions": [subject.machine.id.subscription_id, *others],
        "query": text,
        "options": {"resultFormat": "objectArray", "$top": _ROWS},
    }
    return Asked("POST", _GRAPH, GRAPH_API, body)


def id_in_query(subject: Subject) -> str:
    """The machine's id, as it can be put between quotes in a query."""
    return str(subject.machine.id).replace("\\", "").replace("'", "")


def rows_in(answered: Answered | None) -> Sequence[Mapping[str, Any]]:
    """The rows of a query's answer; empty where there are none."""
    data = object_in(answered.body if answered is not None else None).get("data")
    return [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []


def _read_unreadable(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name, answered = "unreadable_subscription_graph", last_answer(seen)
    if answered.is_success:
        return decided(name, "omitted", f"{answered.told}, with the rows of the other subscription")
    if answered.status == 403:
        return decided(name, "forbidden", answered.told)
    return undecided(f"Azure answered {answered.told}, which is none of the answers that are known", name)


_UNREADABLE = Experiment(
    name="graph-unreadable",
    sends="Query Resource Graph for the VM's subscription and one that does not exist.",
    switches=("unreadable_subscription_graph",),
    applies=always,
    steps=lambda subject: (
        Step(query(subject, f"resources | where id =~ '{id_in_query(subject)}' | project id", NOBODY)),
    ),
    read=_read_unreadable,
)

_MANY = "resources | project id " + "".join(
    f"| join kind=leftouter (resourcecontainers | project id, n{n} = name) on id | project id " for n in range(4)
)
_TOGETHER = (
    f"{_MANY}| take 1",
    "resources | project id "
    + "".join(
        f"| join kind=leftouter ({table} | project id, {table} = name) on id | project id "
        for table in ("patchassessmentresources", "maintenanceresources")
    )
    + "| take 1",
    "patchassessmentresources | project id | union (maintenanceresources | project id) | take 1",
)
"""Four joins; two joins with other tables; a union of two tables that are not said to go together."""


def _read_together(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "graph_tables_together"
    answers = [one.answered for one in seen if one.answered is not None]
    told = ", ".join(one.told for one in answers)
    if len(answers) == len(_TOGETHER) and all(one.is_success for one in answers):
        return decided(name, "any", f"all three ran: {told}")
    if len(answers) == len(_TOGETHER) and all(one.status == 400 for one in answers):
        return decided(name, "documented", f"all three were refused: {told}")
    return undecided(f"the three queries were answered {told}", name)


_TABLES = Experiment(
    name="graph-tables",
    sends="Query Resource Graph with more joins and unions than are documented, three times.",
    switches=("graph_tables_together",),
    applies=always,
    steps=lambda subject: [Step(query(subject, text)) for text in _TOGETHER],
    read=_read_together,
)


_UNDOCUMENTED = ("project-rename other = name", "project-keep name", "serialize", "project-reorder name")


def _read_operators(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "graph_operators"
    answers = [one.answered for one in seen if one.answered is not None]
    told = ", ".join(one.told for one in answers)
    if len(answers) == len(_UNDOCUMENTED) and all(one.is_success for one in answers):
        return decided(name, "used", f"all ran: {told}")
    if len(answers) == len(_UNDOCUMENTED) and all(one.status == 400 for one in answers):
        return decided(name, "documented", f"all were refused: {told}")
    return undecided(f"the {len(_UNDOCUMENTED)} queries were answered {told}", name)


def _operator_steps(subject: Subject) -> Sequence[Step]:
    begin = f"resources | where id =~ '{id_in_query(subject)}' | project id, name"
    return [Step(query(subject, f"{begin} | {one}")) for one in _UNDOCUMENTED]


_OPERATORS = Experiment(
    name="graph-operators",
    sends="Query Resource Graph with operators that its documentation does not list, four times.",
    switches=("graph_operators",),
    applies=always,
    steps=_operator_steps,
    read=_read_operators,
)


def _format_steps(subject: Subject) -> Sequence[Step]:
    asked = query(subject, f"resources | where id =~ '{id_in_query(subject)}' | project id")
    body = {name: value for name, value in (asked.body or {}).items() if name != "options"}
    return (Step(replace(asked, api_version="2020-04-01-preview", body=body)),)


def _read_format(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name, answered = "graph_preview_format", last_answer(seen)
    data = object_in(answered.body).get("data")
    if answered.is_success and isinstance(data, list):
        return decided(name, "objects", f"{answered.told}, with a list of rows")
    if "columns" in object_in(data):
        return decided(name, "table", f"{answered.told}, with columns and rows")
    return undecided(f"Azure answered {answered.told}, which is none of the answers that are known", name)


_FORMAT = Experiment(
    name="graph-preview",
    sends="Query Resource Graph at api-version 2020-04-01-preview without a resultFormat.",
    switches=("graph_preview_format",),
    applies=always,
    steps=_format_steps,
    read=_read_format,
)


def _read_patch_rows(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "patch_row_ids"
    ids = [str(row.get("id") or "") for row in rows_in(last_answer(seen))]
    if not ids:
        return not_here("Resource Graph has no assessment of the VM; once it was assessed, it can be decided", name)
    if all("/patchAssessmentResults/" in one for one in ids):
        return decided(name, "documented", "the ids are spelled as documented")
    if all(one == one.lower() for one in ids):
        return decided(name, "lower-case", "the ids are in lower case")
    return undecided("the ids are spelled in a third way", name)


_PATCH_ROWS = Experiment(
    name="assessment-rows",
    sends="Query Resource Graph for the VM's assessments.",
    switches=("patch_row_ids",),
    applies=always,
    steps=lambda subject: (
        Step(
            query(
                subject,
                f"patchassessmentresources | where id startswith '{id_in_query(subject)}/' | project id | take 20",
            )
        ),
    ),
    read=_read_patch_rows,
)


# ------------------------------------------------------------------------------------------------ after the writes


def _changes(answered: Answered | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each changed property of the rows: its path, and what is said of it."""
    for row in rows_in(answered):
        changes = object_in(object_in(row.get("properties")).get("changes"))
        yield from ((path, object_in(said)) for path, said in changes.items())


def _shows_both(answered: Answered) -> bool:
    paths = [path for path, _ in _changes(answered)]
    return any(path.endswith(BYPASS) for path in paths) and any(path.startswith("tags") for path in paths)


def _change_steps(subject: Subject) -> Sequence[Step]:
    text = (
        f"resourcechanges | where tostring(properties.targetResourceId) =~ '{id_in_query(subject)}' "
        f"| where todatetime(properties.changeAttributes.timestamp) >= datetime({subject.begun_at}) "
        "| project id, properties"
    )
    return (Step(query(subject, text), until=_shows_both),)


def _read_changes(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    answered = last_answer(seen)
    found = list(_changes(answered))
    return [*_of_values(found), *_of_tags([path for path, _ in found])]


def _of_values(found: Sequence[tuple[str, Mapping[str, Any]]]) -> Sequence[Decision]:
    name = "change_values"
    values = [said.get(key) for path, said in found if path.endswith(BYPASS) for key in ("previousValue", "newValue")]
    if not values:
        return undecided("Resource Graph shows no change of the bypass flag", name)
    if any(not isinstance(value, str) for value in values):
        return decided(name, "json", "the bypass flag's values are JSON's")
    return decided(name, "text", "the bypass flag's values are text")


def _of_tags(paths: Sequence[str]) -> Sequence[Decision]:
    name = "change_tag_path"
    if any(path.startswith((f"tags.{TAG}", f"tags['{TAG}", f'tags["{TAG}')) for path in paths):
        return decided(name, "tag", "a tag is named by its own path")
    if "tags" in paths:
        return decided(name, "tags", "a tag is named by the object of all")
    return undecided("Resource Graph shows no change of a tag", name)


def _changes_told(_: Subject, seen: Sequence[Observed]) -> str:
    if not seen or seen[-1].answered is None:
        return "no usable answer"
    rows = len(rows_in(seen[-1].answered))
    return f"{seen[-1].answered.told}; {rows} changes after {seen[-1].waited_s:.0f} s"


_CHANGES = Experiment(
    name="changes",
    sends=f"Query resourcechanges for the changes above, until it shows bypass and the tag {PROBED_TAG_VALUE}.",
    switches=("change_values", "change_tag_path"),
    applies=always,
    steps=_change_steps,
    read=_read_changes,
    tells=_changes_told,
)


def _log_steps(subject: Subject) -> Sequence[Step]:
    wanted = f"eventTimestamp ge '{subject.begun_at}' and resourceUri eq '{subject.machine.id}'"
    path = (
        f"/subscriptions/{subject.machine.id.subscription_id}/providers/Microsoft.Insights/eventtypes/management/values"
    )
    asked = Asked("GET", path, "2015-04-01", query=(("$filter", wanted),))
    return (Step(asked, until=lambda answered: bool(list(_events(answered)))),)


def _events(answered: Answered) -> Iterator[tuple[str, Mapping[str, Any]]]:
    values = object_in(answered.body).get("value")
    for event in values if isinstance(values, list) else ():
        if isinstance(event, Mapping) and event.get("caller"):
            yield str(event["caller"]), object_in(event.get("claims"))


def _read_log(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name, answered = "activity_log_caller", last_answer(seen)
    if not answered.is_success:
        return undecided(f"Azure answered {answered.told}", name)
    for caller, claims in _events(answered):
        objects = {str(text) for key, text in claims.items() if key.endswith("objectidentifier")}
        application = str(claims.get("appid") or "")
        if caller == application and caller not in objects:
            return decided(name, "application", "the caller is the application id")
        if caller in objects and caller != application:
            return decided(name, "object", "the caller is the object id")
    return undecided("the activity log shows no write of a service principal", name)


_LOG = Experiment(
    name="activity-log",
    sends="GET the VM's activity log for the requests above.",
    switches=("activity_log_caller",),
    applies=always,
    steps=_log_steps,
    read=_read_log,
)


def _read_throttled(subject: Subject, _: Sequence[Observed]) -> Sequence[Decision]:
    found: list[Decision] = []
    for answered in subject.throttled:
        is_compute = "toomanyrequests" in answered.words or answered.code.casefold() == "operationnotallowed"
        is_front_door = answered.code.casefold() in {"subscriptionrequeststhrottled", "resourcerequeststhrottled"}
        if not (is_compute or is_front_door):
            continue
        name = "throttled_retry_after" if is_compute else "arm_throttled_retry_after"
        answer = "present" if "retry-after" in answered.headers else "absent"
        found += decided(name, answer, f"{answered.told}: Retry-After is {answer}")
    named = {one.switch for one in found}
    missing = [one for one in _THROTTLING if one not in named]
    return [*found, *not_here("no limit of this kind was reached on the way", *missing)]


_THROTTLING = ("throttled_retry_after", "arm_throttled_retry_after")
_THROTTLED = Experiment(
    name="limits",
    sends="Nothing; it reads the answers 429 to the requests above.",
    switches=_THROTTLING,
    applies=always,
    steps=lambda _: (),
    read=_read_throttled,
    tells=lambda subject, _: f"{len(subject.throttled)} answers 429",
)


def _shows_prepared(answered: Answered) -> bool:
    return any(row.get("mode") == "AutomaticByPlatform" for row in rows_in(answered))


def _row_steps(subject: Subject) -> Sequence[Step]:
    path = f"properties.osProfile.{subject.system}.patchSettings.patchMode"
    text = f"resources | where id =~ '{id_in_query(subject)}' | project id, mode = tostring({path})"
    return (Step(subject.prepare, is_setup=True), Step(query(subject, text), until=_shows_prepared))


def _row_told(_: Subject, seen: Sequence[Observed]) -> str:
    answered = seen[-1].answered if seen else None
    if answered is None or not answered.is_success or seen[-1].asked.method != "POST":
        return answered_text(seen)
    if not _shows_prepared(answered):
        return f"{answered.told}; the row does not show the change after {seen[-1].waited_s:.0f} s"
    return f"{answered.told}; the row shows the change after {seen[-1].waited_s:.0f} s"


ROW = Experiment(
    name="graph-row",
    sends="PATCH patchMode AutomaticByPlatform and bypass true, then query Resource Graph until the VM's row shows it.",
    switches=(),
    applies=lambda subject: "the VM is in AutomaticByPlatform already" if subject.is_in_platform_mode else None,
    steps=_row_steps,
    read=lambda _, __: (),
    tells=_row_told,
    writes_settings=True,
)

BEFORE = (_UNREADABLE, _TABLES, _OPERATORS, _FORMAT, _PATCH_ROWS)
AFTER = (_CHANGES, _LOG, _THROTTLED)
