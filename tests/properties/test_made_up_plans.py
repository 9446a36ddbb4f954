"""Whatever is sent was shown: a plan file with any member changed, and a digest that fits, is refused or tells it."""

import copy
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.properties.strategies import leaf_paths
from tests.unit.store.frozen_plans import NAMES, frozen, resealed

from patchmode.errors import BrokenPlanError, UnsafeError
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import Plan
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.plan import plan_lines
from patchmode.reports.text.run import wish_lines
from patchmode.rules.settings.plan_derivation import check_derived
from patchmode.store.plan_file import decode_plan
from patchmode.workflow.run.applying import check_applicable

_PLANS = {name: frozen(name) for name in NAMES}
_GONE: Any = object()
_ID = "/subscriptions/{0}2222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/{1}"
_OTHERS = (
    _GONE,
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    7.5,
    [],
    {},
    "",
    "*",
    '"2"',
    '"1"\r\nX: 1',
    "Always",
    "AutomaticByPlatform",
    "automaticbyplatform",
    "AutomaticByOS",
    "Manual",
    "Windows",
    "Linux",
    "arc",
    "vm",
    "scheduled",
    "northeurope",
    "else\x1b[2K",
    _ID.format("2", "Microsoft.Compute/virtualMachines/web-99"),
    _ID.format("5", "Microsoft.Compute/virtualMachines/web-04"),
    _ID.format("2", "Microsoft.HybridCompute/machines/web-04"),
    _ID.format("2", "Microsoft.Maintenance/maintenanceConfigurations/mc-other"),
    ["else"],
    {"rebootSetting": "Always"},
    {"patchMode": "AutomaticByPlatform"},
)


class _Azure:
    """As much of a connection as refusing a plan takes."""

    def __init__(self, plan: Plan) -> None:
        self.target = plan.target


def read(document: dict[str, Any]) -> Plan:
    """The plan as `apply FILE` takes it.

    Raises:
        BrokenPlanError, UnsafeError: refused as a whole.
    """
    plan = decode_plan(resealed(document), name="plan.json")
    check_derived(plan, name="plan.json")
    check_applicable(plan, _Azure(plan))  # type: ignore[arg-type]
    return plan


def requests(plan: Plan) -> list[tuple[Any, ...]]:
    """All that carrying a plan out would send, as far as the plan decides it."""
    settings_sent = [("PATCH", str(one.id), one.etag, json.dumps(one.body, sort_keys=True)) for one in plan.changes]
    wish = plan.then_attach
    machines = (*plan.changes, *plan.unchanged) if wish else ()
    attached = [("PUT", str(one.id), str(wish.configuration), wish.name) for one in machines if wish]
    detached = [("DELETE", str(one.id), str(one.configuration), one.name) for one in plan.first_detach]
    return [*settings_sent, *attached, *detached]


def shown(plan: Plan) -> str:
    """What a person reads before agreeing."""
    return "\n".join((*plan_lines(plan, paint=Paint()), *wish_lines(plan, paint=Paint())))


def told(value: Any) -> list[str]:
    """The values of a request's body, as a diff prints them."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in told(inner)]
    return [json.dumps(value)]


@dataclass(frozen=True)
class Before:
    """What the plan would send and shows as it was written."""

    requests: list[tuple[Any, ...]]
    shown: str


def as_written(document: dict[str, Any]) -> Before:
    plan = read(document)
    return Before(requests(plan), shown(plan))


def check_shown(document: dict[str, Any], before: "Before") -> None:
    try:
        plan = read(document)
    except (BrokenPlanError, UnsafeError):
        return
    text = shown(plan)
    if requests(plan) != before.requests:
        assert text != before.shown
    for change in plan.changes:
        assert change.id.name in text
        for value in told(change.body):
            assert value in text
    assert is_whole(plan)


def is_whole(plan: Plan) -> bool:
    """Both fields or neither; bypass is false only where somebody asked for that by name, or it was so before."""
    for change in plan.changes:
        (sent,) = (one["patchSettings"] for one in change.body["properties"]["osProfile"].values())
        platform = sent.get("automaticByPlatformSettings", {})
        has_mode = sent.get("patchMode") == "AutomaticByPlatform"
        if has_mode is not ("bypassPlatformSafetyChecksOnUserSchedule" in platform) or (platform and not has_mode):
            return False
        asked = plan.wanted.orchestration is Orchestration.AZURE_MANAGED
        if platform.get("bypassPlatformSafetyChecksOnUserSchedule") is False and not asked:
            return (change.before or {}).get("patchMode", "").casefold() == "automaticbyplatform"
    return True


def containers(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of every member and item, whatever it holds."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [one for key, inner in steps for one in ((*path, key), *containers(inner, (*path, key)))]


def changed(document: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    # Only what is on the path is copied: nobody changes the rest.
    result: Any = copy.copy(document)
    holder = result
    for step in path[:-1]:
        holder[step] = copy.copy(holder[step])
        holder = holder[step]
    if value is not _GONE:
        holder[path[-1]] = value
    elif isinstance(holder, list):
        holder.pop(path[-1])
    else:
        del holder[path[-1]]
    return result  # type: ignore[no-any-return]


@given(st.sampled_from(NAMES), st.data())
@settings(max_examples=examples(40))
def test_whatever_is_sent_was_shown(name: str, data: st.DataObject) -> None:
    """Any member at any depth, replaced, taken away, or given the value of another."""
    document = _PLANS[name]
    paths = containers(document)
    path = data.draw(st.sampled_from(paths))
    other: Any = document
    for step in data.draw(st.sampled_from(paths)):
        other = other[step]
    value = data.draw(st.sampled_from((*_OTHERS, other)))
    check_shown(changed(document, path, value), as_written(document))


def test_every_member_that_decides_a_request_is_tried_with_every_value() -> None:
    """The same without chance, for what stands around the machines' documents."""
    for document in _PLANS.values():
        before = as_written(document)
        for path in leaf_paths(document):
            if "document" not in path and path[0] not in {"skipped", "digest"}:
                for value in _OTHERS:
                    check_shown(changed(document, path, value), before)


def test_what_a_rollback_detaches_is_shown_machine_by_machine() -> None:
    """The assignment, its schedule and the machine: each decides what is deleted."""
    document: Any = copy.deepcopy(_PLANS["rollback"])
    machines = [one["id"] for one in document["changes"]]
    configuration = _ID.format("2", "Microsoft.Maintenance/maintenanceConfigurations/mc-weekly")
    document["firstDetach"] = [
        {"id": one, "kind": "vm", "configuration": configuration, "name": "weekly"} for one in machines
    ]
    before = as_written(document)
    for path in [("firstDetach", number, member) for number in (0, 1) for member in ("id", "configuration", "name")]:
        for value in (*_OTHERS, machines[0], machines[1], "other"):
            check_shown(changed(document, path, value), before)


def test_two_members_that_fit_each_other_are_no_way_in() -> None:
    """A body made to fit a made-up document is what the rules make of that document, and is shown as that."""
    for name in ("apply", "waves"):
        document, before = _PLANS[name], as_written(_PLANS[name])
        for number in range(len(document["changes"])):
            for stated in ({"patchMode": "AutomaticByPlatform"}, {}, {"patchMode": "Manual"}):
                made: Any = copy.deepcopy(document)
                change = made["changes"][number]
                system = "windowsConfiguration" if change["os"] == "Windows" else "linuxConfiguration"
                change["document"]["properties"].setdefault("osProfile", {}).setdefault(system, {})["patchSettings"] = (
                    stated
                )
                change["before"] = stated
                check_shown(made, before)
