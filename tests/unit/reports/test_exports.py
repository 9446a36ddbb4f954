"""A plan in other forms: what is sent is the plan's, whatever its names are, and what is not done is named."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.reports.exported import (
    AFTER,
    BEFORE,
    READERS,
    UPDATING,
    Read,
    exported,
    hostile_plans,
    http_requests,
    linux,
    powershell_strings,
    run_script,
    shown_after,
    unescaped,
)
from tests.unit.reports.test_hostile_text import raw_in
from tests.unit.store.plans import SUBSCRIPTION, TARGET, change, full_plan, machine_id, patch_body, plan

from patchmode.cli.commands.export import EXPORT_FORMS
from patchmode.model.left_alone import Skipped
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.plan import Detachment, Plan, ThenAttach, Unchanged, Wave
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import SubscriptionNames, Target
from patchmode.reports.exports.registry import SUFFIXES, form_of, obstacle

ONE_BY_ONE = ("az", "powershell", "powershell-update-azvm")
SCRIPTS = (*ONE_BY_ONE, "rest", "terraform", "ansible")
"""Every form that sends the plan's requests."""
FILES = (*SCRIPTS, "bicep")
CONFIGURATION = ResourceId.parse(
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Maintenance/maintenanceConfigurations/night"
)
needs_sh = pytest.mark.skipif(shutil.which("sh") is None, reason="the script is for a POSIX shell")


def words(text: str) -> str:
    """The prose of a script's comments on one line."""
    return " ".join(re.sub(r"^(#|//) ?", "", text, flags=re.MULTILINE).split())


def without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("#", "//")))


def test_every_form_has_an_ending() -> None:
    assert tuple(SUFFIXES) == EXPORT_FORMS
    of_endings = [form for form in EXPORT_FORMS if form != "powershell-update-azvm"]
    assert [form_of(f"x{ending.upper()}") for ending in dict.fromkeys(SUFFIXES.values())] == of_endings
    assert form_of("play.yaml") == "ansible"
    assert form_of("plan.json") is None


# ------------------------------------------------------------------------------------------ what is said


@pytest.mark.parametrize("form", SCRIPTS)
def test_the_first_lines_say_what_the_script_does_not_do(form: str) -> None:
    """Who runs it has no more than this file at hand."""
    head = words(exported(full_plan(), form).partition("\n\n")[0])
    assert (
        "Patch settings of 2 machines, exported from plan.json, made 2026-03-01 08:30 UTC by patchmode 0.1.0." in head
    )
    assert (
        "Target: AzureCloud (https://management.azure.com), tenant 22222222-2222-2222-2222-222222222222; "
        f"subscription {SUBSCRIPTION}." in head
    )
    assert "Nothing was read from Azure for this export." in head
    for told in (
        "- no journal of patchmode: there is no resume and no rollback;",
        "- no verification of other properties:",
        "no failure budget",
        "- no throttling:",
        "1 skipped, 1 unreadable, 1 already compliant",
        "1 machine has no etag in the plan",
    ):
        assert told in head, told
    assert ("- no waves:" in head) is (form != "terraform")
    assert ("stops at the first that fails" in head) is (form in ONE_BY_ONE)
    assert ("You send each request" in head) is (form == "rest")


@pytest.mark.parametrize("form", FILES)
def test_what_is_left_out_is_named_in_the_first_lines_and_nowhere_else(form: str) -> None:
    """Export ends with 0, so that this file alone tells whom it leaves as they are; filters are the user's own."""
    filtered = Skipped(machine_id("vm-4"), "filter-name", "no such name")
    text = exported(replace(full_plan(), skipped=(*full_plan().skipped, filtered)), form)
    head = words(text.partition("\n\n")[0])
    assert f"- {SUBSCRIPTION}/web/vm-3: skipped, client-os: Windows 11 is a client" in head
    assert "- /subscriptions/33333333-3333-3333-3333-333333333333: could not be read: 403 AuthorizationFailed" in head
    assert "2 skipped (1 by the filters of the scope), 1 unreadable, 1 already compliant." in head
    sent = without_comments(text)
    assert [name for name in ("vm-0", "vm-1", "vm-2", "vm-3", "vm-4") if name in sent] == ["vm-0", "vm-1"]
    assert "vm-4" not in text


@pytest.mark.parametrize("form", SCRIPTS)
def test_a_script_says_that_it_attaches_nothing(form: str) -> None:
    attaching = plan(
        then_attach=ThenAttach(CONFIGURATION, "night"),
        unchanged=(Unchanged(machine_id("vm-9"), MachineKind.VM, Outcome(OutcomeKind.SCHEDULED, "x")),),
    )
    text = words(exported(attaching, form))
    assert f"The plan also attaches the schedule {CONFIGURATION} to 2 machines; this" in text
    assert "does not. Until then a machine without another schedule is patched by nobody. Attach it" in text
    assert ("Its schedule was not attached." in text) is (form in ONE_BY_ONE)


@pytest.mark.parametrize("form", SCRIPTS)
def test_waves_are_sections_in_their_order(form: str) -> None:
    """A wave that only attaches the schedule has nothing to send, and the others keep their numbers."""
    waves = (Wave("ring=0", 1, 0), Wave("ring=1", 0, 1), Wave("ring=2", 2, 0))
    made = plan(change("vm-0"), change("vm-1"), change("vm-2"), waves=waves)
    text = exported(made, form)
    order = ["Wave 1 of 3: ring=0 (1 machine)", "vm-0", "Wave 3 of 3: ring=2 (2 machines)", "vm-1", "vm-2"]
    places = [text.index(one) for one in order]
    assert places == sorted(places)
    assert "Wave 2" not in text


@pytest.mark.parametrize("form", SCRIPTS)
def test_what_cannot_be_undone_and_who_is_patched_by_nobody_is_said(form: str) -> None:
    parked = Outcome(OutcomeKind.PARKED, "no schedule")
    text = words(exported(plan(replace(change(), reversible=False, outcome_after=parked)), form))
    assert "1 change cannot be undone, by patchmode or by hand" in text
    assert "Afterwards 1 machine is patched by nobody until a schedule is attached." in text
    assert 'AutomaticByPlatform"; cannot be undone' in text or "true; cannot be undone" in text


@pytest.mark.parametrize(
    ("made", "form", "why"),
    [
        (replace(plan(), changes=()), "az", "it changes nothing"),
        (replace(plan(), changes=()), "markdown", "it changes nothing"),
        (
            replace(plan(), first_detach=(Detachment(machine_id("vm-0"), MachineKind.VM, CONFIGURATION, "night"),)),
            "rest",
            "it detaches 1 schedule before it changes the settings, and a script does only the second",
        ),
        (
            replace(
                plan(),
                changes=(),
                then_attach=ThenAttach(CONFIGURATION, "night"),
                unchanged=(Unchanged(machine_id("vm-9"), MachineKind.VM, Outcome(OutcomeKind.PARKED, "x")),),
            ),
            "powershell",
            "it only attaches a schedule, and a script changes settings only",
        ),
        (
            plan(*(linux(f"vm-{number}") for number in range(801))),
            "bicep",
            "a loop of Bicep has at most 800 machines of one system, and it changes 801",
        ),
    ],
)
def test_a_plan_that_a_form_cannot_hold_is_not_exported(made: Plan, form: str, why: str) -> None:
    """A script that does half of a plan would be taken for the plan."""
    assert obstacle(made, form) == why
    if made.has_work:
        assert obstacle(made, "markdown") is None


# ------------------------------------------------------------------------------------------ az


@needs_sh
@given(made=hostile_plans("az"))
@settings(max_examples=examples(15))
def test_az_is_called_with_the_plans_requests(tmp_path_factory: pytest.TempPathFactory, made: Plan) -> None:
    """Whatever stands in a name, az gets it as one word, and nothing else is run."""
    reads = [text for one in made.changes for text in ("Succeeded\nother\nfalse\nother\n", shown_after(one))]
    ran = run_script(exported(made, "az"), tmp_path_factory.getbasetemp() / "az", reads)
    assert (ran.code, ran.err) == (0, "")
    assert [set(call[:1]) for call in ran.calls] == [{"cloud"}, {"account"}, *[{"rest"}] * (3 * len(made.changes))]
    for one, call in zip(made.changes, ran.sent(), strict=True):
        assert unquote(call[4]) == f"{TARGET.endpoint}{one.id}?api-version=2024-07-01"
        guarded = [] if one.etag is None else ["--headers", f"If-Match={one.etag}"]
        assert call[:4] + call[5:] == ["rest", "--method", "patch", "--url", *guarded, "--body", call[-3], "-o", "none"]
        assert json.loads(call[-3]) == one.body


TWO = plan(linux("vm-0"), linux("vm-1"))


@needs_sh
@pytest.mark.parametrize(
    ("reads", "how", "code", "sent", "told"),
    [
        ([BEFORE, AFTER, BEFORE, AFTER], {}, 0, 2, "2 of 2 web/vm-1: changed, and compared"),
        ([AFTER, BEFORE, AFTER], {}, 0, 1, "1 of 2 web/vm-0: already has the settings, nothing was sent"),
        ([BEFORE, UPDATING, UPDATING, AFTER, AFTER], {}, 0, 1, "2 of 2 web/vm-1: already has the settings"),
        ([BEFORE.replace("\n", "\r\n"), AFTER.replace("\n", "\r\n"), AFTER], {}, 0, 1, "1 of 2 web/vm-0: changed"),
        ([UPDATING, AFTER, AFTER], {}, 0, 0, "already has the settings"),
        ([BEFORE, UPDATING, UPDATING, UPDATING], {}, 1, 1, "web/vm-0: the change has not ended yet"),
        ([BEFORE, "Failed\nAutomaticByPlatform\ntrue\n"], {}, 1, 1, "web/vm-0: not as planned. The machine shows:"),
        ([BEFORE, "Succeeded\nAutomaticByPlatform\nfalse\n"], {}, 1, 1, "web/vm-0: not as planned."),
        ([BEFORE, "Succeeded\nNone\nfalse\n"], {}, 1, 1, "web/vm-0: not as planned."),
        ([BEFORE, ""], {}, 1, 1, "web/vm-0: the change has not ended yet"),
        ([], {}, 1, 0, "web/vm-0: could not be read; nothing was sent to it."),
        ([BEFORE], {}, 1, 1, "web/vm-0: the change was accepted, and the machine could not be read afterwards."),
        ([BEFORE], {"refuses": True}, 1, 1, "Precondition Failed, the machine was changed since the plan"),
        ([], {"tenant": "33333333-3333-3333-3333-333333333333"}, 1, 0, "not signed in to the plan's tenant"),
        ([], {"endpoint": "https://management.chinacloudapi.cn"}, 1, 0, "the plan is for another cloud"),
    ],
)
def test_the_script_stops_at_the_first_machine_that_fails(
    tmp_path: Path, reads: list[str], how: dict[str, Any], code: int, sent: int, told: str
) -> None:
    """Nothing is sent after a fault, and a second run sends nothing to what has the settings."""
    if reads == [BEFORE, ""]:
        reads = [BEFORE, "", "", ""]
    ran = run_script(exported(TWO, "az"), tmp_path / "az", reads, **how)
    assert (ran.code, len(ran.sent())) == (code, sent), ran
    assert told in ran.out + ran.err
    assert ("All machines of the plan have its settings." in ran.out) is (code == 0)
    assert ("Nothing was sent" in ran.err) is (code == 1)


def test_az_compares_a_boolean_itself() -> None:
    """As text `true` and `"true"` would be one, and an absent member would not be false."""
    text = exported(plan(linux("vm-0")), "az")
    block = "properties.osProfile.linuxConfiguration.patchSettings"
    assert (
        f"'[properties.provisioningState, {block}.patchMode, {block}.automaticByPlatformSettings."
        "bypassPlatformSafetyChecksOnUserSchedule == `true`]' \\\n  AutomaticByPlatform true\n" in text
    )


# ------------------------------------------------------------------------------------------ the others


@given(made=hostile_plans())
@settings(max_examples=examples(30))
def test_rest_holds_the_plans_requests(made: Plan) -> None:
    """Each PATCH is followed by the GET that it is compared by; no text of a name begins a line or a variable."""
    text = exported(made, "rest")
    asked = [*http_requests(text)]
    assert [one.method for one in asked] == ["PATCH", "GET"] * len(made.changes)
    sent = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert re.findall(r"\{\{.*?\}\}", sent) == ["{{token}}"] * len(asked)
    for one, patch, get in zip(made.changes, asked[::2], asked[1::2], strict=True):
        assert unquote(patch.url) == f"{TARGET.endpoint}{one.id}?api-version=2024-07-01"
        assert get.url == patch.url
        assert patch.headers.get("If-Match") == one.etag
        assert json.loads(patch.body) == one.body
        assert get.body == ""


@pytest.mark.parametrize("form", READERS)
@given(data=st.data())
@settings(max_examples=examples(20))
def test_every_form_holds_the_plans_requests(form: str, data: st.DataObject) -> None:
    """Whatever stands in a name or a value: the language's own grammar reads it, and finds what the plan sends."""
    made = data.draw(hostile_plans(form))
    text = exported(made, form)
    found = sorted(READERS[form](text), key=lambda one: one.machine)
    wanted = [Read(str(one.id), one.body, one.etag if form != "bicep" else None) for one in made.changes]
    assert found == sorted(wanted, key=lambda one: one.machine)


@pytest.mark.parametrize("form", EXPORT_FORMS)
@given(data=st.data())
@settings(max_examples=examples(10))
def test_no_form_holds_a_letter_that_steers_a_terminal(form: str, data: st.DataObject) -> None:
    """A script is read on a screen before it is run."""
    made = data.draw(hostile_plans(form))
    assert raw_in(exported(made, form)) == []


@pytest.mark.parametrize(
    ("form", "value", "told"),
    [
        ("az", "a\x1b", r"a\x1b"),
        ("powershell", "a\u2019", "a\u2019"),
        ("powershell-update-azvm", "a\n", r"a\n"),
    ],
)
def test_a_value_that_a_script_cannot_hold_is_refused(form: str, value: str, told: str) -> None:
    """Escaped it would be another text, and the machine never as planned."""
    made = plan(change(body=patch_body({"patchMode": value})))
    assert obstacle(made, form) == f"it sends the value {told}, which a script of that form cannot hold"
    assert obstacle(made, "terraform") is None


@pytest.mark.parametrize("form", ONE_BY_ONE[1:])
@given(data=st.data())
@settings(max_examples=examples(10))
def test_powershell_compares_what_it_sends(form: str, data: st.DataObject) -> None:
    """All of it is ASCII: the typographic apostrophe ends a string of PowerShell, too."""
    made = data.draw(hostile_plans(form))
    text = exported(made, form)
    assert text.isascii()
    for one, call in zip(made.changes, powershell_strings(text), strict=True):
        (block,) = one.body["properties"]["osProfile"].values()
        sent = block["patchSettings"]
        escaped = [
            value.encode("ascii", "backslashreplace").decode()
            for value in (sent["patchMode"], sent["automaticByPlatformSettings"]["rebootSetting"])
        ]
        known = (
            [one.id.subscription_id, one.id.resource_group, one.id.name, str(one.id)] if form != "powershell" else []
        )
        ascii_known = [value.encode("ascii", "backslashreplace").decode() for value in known]
        assert [value for value in call[4:] if not value.startswith("properties.")] == [*escaped, *ascii_known]


def test_the_readers_find_what_they_are_for() -> None:
    assert powershell_strings("Set-Machine 'a''b' `\n 'c' ([ordered] @{ 'd' = $true })\nOther 'e'\n") == [
        ["a'b", "c", "d"]
    ]
    assert unescaped(r"a\"\\\u0024{\n\U0001f600\u{202e}\'") == "a\"\\${\n\U0001f600\u202e'"


def test_powershell_as_it_is_written() -> None:
    text = exported(plan(linux("it's")), "powershell")
    block = "properties.osProfile.linuxConfiguration.patchSettings"
    assert text.endswith(
        f"""
# Linux, westeurope: patchMode "AutomaticByOS" -> "AutomaticByPlatform"; automaticByPlatformSettings.bypassPlatform\
SafetyChecksOnUserSchedule (absent) -> true
Set-Machine 'web/it''s' `
    '/subscriptions/{SUBSCRIPTION}/resourceGroups/web/providers/Microsoft.Compute/virtualMachines/it%27s\
?api-version=2024-07-01' `
    '{{"properties":{{"osProfile":{{"linuxConfiguration":{{"patchSettings":{{"patchMode":"AutomaticByPlatform",\
"automaticByPlatformSettings":{{"bypassPlatformSafetyChecksOnUserSchedule":true}}}}}}}}}}}}' `
    '"1"' `
    ([ordered] @{{ '{block}.patchMode' = 'AutomaticByPlatform'; '{block}.automaticByPlatformSettings.bypassPlatform\
SafetyChecksOnUserSchedule' = $true }})

Write-Output 'All machines of the plan have its settings.'
"""
    )


def test_names_of_subscriptions_tell_machines_apart() -> None:
    """Production and its twin have machines of one name."""
    other = SUBSCRIPTION.replace("1", "5")
    twin = replace(change(), id=ResourceId.parse(str(change().id).replace(SUBSCRIPTION, other)))
    names = SubscriptionNames.of([(SUBSCRIPTION, "Production"), (other, "Development")])
    made = replace(plan(change(), twin), target=Target("AzureCloud", TARGET.endpoint, TARGET.tenant_id, names))
    for form in EXPORT_FORMS:
        text = exported(made, form)
        assert "Production/web/vm-0" in text, form
        assert "Development/web/vm-0" in text, form
        assert "2 subscriptions: Production, Development" in words(text), form


def test_an_arc_server_is_asked_with_its_own_version() -> None:
    made = plan(replace(change(etag=None), kind=MachineKind.ARC))
    for form in FILES:
        text = exported(made, form)
        assert "2024-07-10" in text, form
        assert "2024-07-01" not in text, form


# ------------------------------------------------------------------------------------------ change request


def test_a_change_request_answers_what_a_board_asks() -> None:
    """What, why, who patches before and after, when, risk, how, back-out, which machines, which not."""
    text = exported(full_plan(), "markdown", "plan ring 1.json")
    assert re.findall(r"^#+ .*$", text, re.MULTILINE) == [
        "# Change request: patch settings of 2 machines: rollback of run 20260301T083000Z-abcdef",
        "## What",
        "## Why",
        "## Who patches the machines",
        "## When",
        "## Risk",
        "## How it is applied and verified",
        "## Back-out",
        "## Machines",
        "## Skipped",
        "## Could not be read",
    ]
    assert '| patchMode | "AutomaticByOS" | "AutomaticByPlatform" | 2 |' in text
    assert "| updated by its own operating system | 2 | 0 |" in text
    assert "Planned start: to be filled in." in text
    assert "    patchmode apply 'plan ring 1.json'\n" in text
    assert "    patchmode rollback RUN\n" in text
    assert f"| {SUBSCRIPTION}/web/vm-3 | client-os | Windows 11 is a client |" in text
    assert "403 AuthorizationFailed" in text
    assert "| updated by its own operating system | not known: runs as its schedule says | yes |" in text


def test_the_risk_of_a_change_request_counts_what_it_changes_and_nothing_else() -> None:
    """Beside a table that says 1, a risk of 2 machines is read as one that the change makes."""
    parked = Outcome(OutcomeKind.PARKED, "no schedule")
    waiting = Unchanged(machine_id("vm-waits"), MachineKind.VM, parked)
    text = exported(replace(plan(replace(change(), outcome_after=parked)), unchanged=(waiting,)), "markdown")
    assert "| patched by nobody until a schedule is attached | 0 | 1 |" in text
    assert "- Afterwards 1 machine is patched by nobody until a schedule is attached." in text


def test_a_change_request_tells_waves_schedule_and_what_cannot_be_undone() -> None:
    made = plan(
        replace(change("vm-0"), reversible=False, irreversible_because="No value was there before."),
        change("vm-1"),
        waves=(Wave("ring=0", 1, 0), Wave("ring=1", 1, 0)),
        then_attach=ThenAttach(CONFIGURATION, "night"),
    )
    text = exported(made, "markdown")
    assert "| 2 | ring=1 | 1 | 0 |" in text
    assert text.index("### Wave 1: ring=0") < text.index("| web/vm-0 |") < text.index("### Wave 2: ring=1")
    assert "maintenanceConfigurations/night is attached to 2 machines, each once its settings were verified." in text
    assert "- 1 change cannot be undone by `patchmode rollback`: No value was there before." in text
    assert "except for 1 change (see Risk)" in text
    assert "bypassPlatformSafetyChecksOnUserSchedule" in text.partition("## Why")[2].partition("##")[0]


@given(made=hostile_plans())
@settings(max_examples=examples(30))
def test_no_name_becomes_markup_of_the_change_request(made: Plan) -> None:
    """A row keeps its cells, and no line begins with what a name holds."""
    text = exported(made, "markdown")
    rows = [line for line in text.splitlines() if line.startswith("| g")]
    assert len(rows) == len(made.changes)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}
    assert not re.search(r"(?<!\\)[<>`]", "".join(rows).replace("-\\>", ""))
