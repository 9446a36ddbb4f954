"""Machines are found in whatever people paste, and none is found that does not stand there."""

import json
import re
import string
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.model.scope import LoggedError, LogReading, MachineName
from patchmode.rules.pasted_text.reading import read_log
from patchmode.rules.pasted_text.text import PREREQUISITE_SENTENCE

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
SENTENCE = (
    '"Patch orchestration mode is not set to AutomaticByPlatform",'
    "The prerequisites to patch your machine were not met. "
    "Please set the patchMode to AutomaticByPlatform and bypassPlatformChecksOnUserSchedule as true."
)
PREREQUISITE = LoggedError("UnsupportedResourceOperation", PREREQUISITE_SENTENCE, is_prerequisite=True)


def vm(name: str, group: str = "rg-app") -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"


def arc(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-edge/providers/Microsoft.HybridCompute/machines/{name}"


def ids(reading: LogReading) -> list[str]:
    return [str(entry.id) for entry in reading.machines]


def errors(reading: LogReading) -> dict[str, LoggedError | None]:
    return {entry.id.name: entry.error for entry in reading.machines}


@pytest.mark.parametrize(
    "text",
    [
        vm("web-01"),
        vm("web-01").upper().replace("RG-APP", "rg-app").replace("WEB", "web"),
        f'"{vm("web-01")}"',
        f"'{vm('web-01')}',",
        f"({vm('web-01')}).",
        f"[id={vm('web-01')}]",
        f"<{vm('web-01')}>;",
        f"`{vm('web-01')}`:",
        f"scope '{vm('web-01')}' or the scope is invalid",
        f"https://management.azure.com{vm('web-01')}?api-version=2024-07-01",
        f"https://management.azure.com:443{vm('web-01')}/start?api-version=2024-07-01",
        f"https://portal.azure.com/#@contoso.com/resource{vm('web-01')}/overview",
        f"https://portal.azure.com/#blade/x/resourceId/{quote(vm('web-01'), safe='')}/start",
        f"https://portal.azure.com/?id={quote(quote(vm('web-01'), safe=''), safe='')}",
        vm("web-01").replace("/", "\\/"),
        json.dumps(json.dumps({"id": vm("web-01")})).replace("/", "\\\\\\/"),
        vm("web-01").replace("/", "\\u002F"),
        f"\\u0027{vm('web-01')}\\u0027",
        f"&quot;{vm('web-01').replace('/', '&#x2F;')}&quot;",
        f"ResourceId : {vm('web-01')[:70]}\r\n             {vm('web-01')[70:]}\r\nName       : web-01",
        f"{vm('web-01')}/extensions/AzureMonitorLinuxAgent",
        f"{vm('web-01')}/providers/Microsoft.Maintenance/configurationAssignments/weekly",
        f"{vm('web-01')}/providers/Microsoft.Maintenance/applyUpdates/20301123020000",
        f"\x1b[31mError:\x1b[0m \x1b[1m{vm('web-01')}\x1b[0m",
        vm("web-01").replace("web", "we\u200bb").replace("resource", "re\u00adsource"),
        vm("web-01")[1:],
        quote(vm("web-01"), safe=""),
        f"{vm('web-01')} and {vm('WEB-01', 'RG-APP')}",
        f"{vm('web-01')}\r\nweb-02 is another line",
        f"/{'/'.join(vm('web-01').split('/')[1:])}\\nA second line",
    ],
)
def test_one_machine_is_found_in_every_dress(text: str) -> None:
    """What people paste has been through shells, browsers, JSON and chat."""
    assert [found.casefold() for found in ids(read_log(text))] == [vm("web-01").casefold()]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing here",
        f"/subscriptions/{SUBSCRIPTION}",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/disks/web-01",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0",
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines/web-01",
        vm("web-01").replace("1111-", "", 1),
        vm("web-01").replace("/rg-app", ""),
        vm("x" * 65),
        "my" + vm("web-01")[1:],
        "y" + vm("web-01")[1:],
        "virtual machine is off; the machine; VM name is missing",
    ],
)
def test_what_names_no_machine_gives_none(text: str) -> None:
    """A wrong machine is worse than none."""
    assert read_log(text).machines == ()
    assert read_log(text).names == ()


def test_unusual_names_are_found_whole() -> None:
    """Groups with blanks, umlauts in whatever form, apostrophes that only a lookup can settle."""
    machine = vm("zürich-01", "rg-Größe (EU)")
    decomposed = machine.replace("ü", "u\u0308").replace("ö", "o\u0308")
    for text in (machine, f"'{machine}' failed", decomposed, quote(machine, safe="")):
        assert ids(read_log(text)) == [machine], text
    (found,) = read_log(f"{vm('o')}'hara-01 failed").machines
    assert (str(found.id), str(found.or_else)) == (vm("o"), vm("o'hara-01"))
    (found,) = read_log(json.dumps({"id": vm("o'hara-01", "rg-Größe (EU)"), "name": "o'hara-01"})).machines
    assert (str(found.id), found.or_else) == (vm("o'hara-01", "rg-Größe (EU)"), None)
    (found,) = read_log(f"'{vm('web')}'failed").machines
    assert (str(found.id), found.or_else) == (vm("web"), None)


def test_an_id_that_a_table_cut_is_not_taken_and_told() -> None:
    """What is left of the name may be another machine's."""
    reading = read_log(f"{vm('web-')}… Failed\n{vm('db')}... Failed\n{vm('app-01')} Failed")
    assert ids(reading) == [vm("app-01")]
    assert reading.cut_short == ("web", "db")


def terminal(text: str, width: int, frame: str = "") -> str:
    """A text as a terminal of that width shows it."""
    room = width - len(frame)
    return "\n".join(frame + text[start : start + room] for start in range(0, len(text), room))


@pytest.mark.parametrize("frame", ["", "│ ", "     | ", "> ", "    "])
@pytest.mark.parametrize("width", [40, 53, 60, 79, 80, 120])
def test_a_terminal_s_line_breaks_are_undone(frame: str, width: int) -> None:
    """Long ids never fit; the break falls anywhere, in the name too."""
    name = "web-frontend-production-0001"
    reading = read_log(terminal(f"Error: updating {vm(name)}", width, frame) + f"\n{frame}\n{frame}with module.x\n")
    assert ids(reading) == [vm(name)]


def test_the_line_after_an_id_is_not_its_name() -> None:
    """The most frequent list of all: an id, then something else on the next line."""
    assert ids(read_log(f"{vm('web')}\nfailed\n{arc('edge')}\n01\n")) == [vm("web"), arc("edge")]
    wrapped = vm("web-01")
    assert ids(read_log(f"{wrapped[:60]}\n{wrapped[60:]}\nfailed")) == [vm("web-01")]


def test_a_name_goes_on_until_its_quotation_mark() -> None:
    """The portal breaks long words where it likes."""
    assert ids(read_log(f'"{vm("web")}\n-01" failed')) == [vm("web-01")]
    (found,) = read_log(f'"{vm("web")[1:]}\n01" failed').machines
    assert (str(found.id), found.or_else) == (vm("web01"), None)
    assert ids(read_log(f"{vm('web-')}\n01 failed")) == [vm("web-01")]


def test_terraform_s_error_gives_the_machine_and_why() -> None:
    """As in terraform-provider-azurerm#22487, drawn by Terraform and broken at 80 columns."""
    text = f"""╷
│ Error: creating Scoped Configuration Assignment (Scope: "{vm("web-01")}"
│ Configuration Assignment Name: "weekly"): unexpected status 400 (400 Bad
│ Request) with error: UnsupportedResourceOperation: "Patch
│ orchestration mode is not set to AutomaticByPlatform",The prerequisites to
│ patch your machine were not met. Please set the patchMode to
│ AutomaticByPlatform and bypassPlatformChecksOnUserSchedule as true.
│\u0020
│   with azurerm_maintenance_assignment_virtual_machine.web,
│   on main.tf line 31, in resource "azurerm_maintenance_assignment_virtual_machine" "web":
╵
"""
    reading = read_log(text)
    assert ids(reading) == [vm("web-01")]
    assert errors(reading) == {"web-01": PREREQUISITE}
    assert reading.names == ()


def test_terraform_s_ids_in_words_are_ids() -> None:
    """azurerm writes `(Subscription: … Resource Group Name: … Virtual Machine Name: …)` in its errors."""
    text = (
        f'Error: updating Virtual Machine (Subscription: "{SUBSCRIPTION}"\n│ Resource Group Name: "rg-app"\n'
        '│ Virtual Machine Name: "web-01"): performing Update: unexpected status 409 with error: Conflict: x\n'
        f'Machine (Subscription: \\"{SUBSCRIPTION}\\"\\n'
        'Resource Group Name: \\"rg-edge\\"\\nMachine Name: \\"edge-1\\")'
    )
    reading = read_log(text)
    assert ids(reading) == [vm("web-01"), arc("edge-1")]
    assert errors(reading)["web-01"] == LoggedError("Conflict")
    assert reading.names == ()


def event(machine: str, *, failed: bool, message: str = SENTENCE) -> dict[str, object]:
    """One entry of `az monitor activity-log list`, as far as it matters."""
    body = json.dumps({"error": {"code": "UnsupportedResourceOperation", "message": message}})
    return {
        "authorization": {
            "action": "Microsoft.Maintenance/configurationAssignments/write",
            "scope": f"{machine}/providers/Microsoft.Maintenance/configurationAssignments/weekly",
        },
        "eventName": {"value": "EndRequest", "localizedValue": "End request"},
        "id": f"{machine}/events/1/ticks/2",
        "properties": {"statusCode": "BadRequest", "statusMessage": body} if failed else {"statusCode": "Created"},
        "resourceId": machine.lower(),
        "status": {"value": "Failed" if failed else "Succeeded"},
    }


@pytest.mark.parametrize("form", ["list", "value", "lines", "single", "indented", "coloured", "warned"])
def test_an_activity_log_gives_every_machine_and_the_errors_of_those_that_failed(form: str) -> None:
    """A log that also has machines that succeeded must not blame them."""
    events = [event(vm("ok-1"), failed=False), event(vm("bad-1"), failed=True), event(arc("ok-2"), failed=False)]
    text = {
        "list": json.dumps(events),
        "value": json.dumps({"value": events}),
        "lines": "\n".join(map(json.dumps, events)),
        "single": json.dumps(events[1]),
        "coloured": json.dumps(events, indent=2).replace('"id"', '\x1b[94m"id"\x1b[39;49;00m'),
        "warned": f"WARNING: the log of [now] is long\n{json.dumps(events, indent=2)}\n",
        "indented": "\ufeff" + json.dumps(events, indent=2).replace("\n", "\r\n"),
    }[form]
    expected: dict[str, LoggedError | None] = {"ok-1": None, "bad-1": PREREQUISITE, "ok-2": None}
    if form == "single":
        expected = {"bad-1": PREREQUISITE}
    assert errors(read_log(text)) == expected


def test_a_deployment_s_error_gives_each_machine_its_own_detail() -> None:
    """ARM nests: the outermost code says only that something failed."""
    text = json.dumps(
        {
            "code": "DeploymentFailed",
            "message": "At least one resource deployment operation failed.",
            "details": [
                {"code": "Conflict", "message": "busy", "target": vm("a")},
                {"code": "UnsupportedResourceOperation", "message": SENTENCE, "target": vm("b")},
                {"target": vm("c")},
            ],
        }
    )
    assert errors(read_log(text)) == {
        "a": LoggedError("Conflict", "busy"),
        "b": PREREQUISITE,
        "c": LoggedError("DeploymentFailed", "At least one resource deployment operation failed."),
    }


def test_a_line_s_error_is_that_of_its_machine_only() -> None:
    """A log of one line a machine."""
    text = (
        f"{vm('a')} Failed: (UnsupportedResourceOperation) {SENTENCE}\n{vm('b')} Succeeded\n{vm('c')} (Conflict) busy\n"
    )
    assert errors(read_log(text)) == {"a": PREREQUISITE, "b": None, "c": LoggedError("Conflict")}


def test_powershell_s_error_stands_with_the_one_machine_it_speaks_of() -> None:
    """The id may stand paragraphs away."""
    text = (
        f"New-AzConfigurationAssignment: {SENTENCE}\r\nErrorCode: UnsupportedResourceOperation\r\n\r\n"
        f"Target : {vm('web-01')}\r\n"
    )
    reading = read_log(text)
    assert errors(reading)["web-01"] == LoggedError("", PREREQUISITE_SENTENCE, is_prerequisite=True)
    assert [str(entry) for entry in reading.prerequisite] == [vm("web-01")]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Failed to update virtual machine 'web-01'. Error: …", ("web-01",)),
        ('Failed to start Virtual Machine "Web.01" and VM ‘db_1’', ("Web.01", "db_1")),
        ("VM 'web-01' has not reported status; VM 'WEB-01' again", ("web-01",)),
        ('{"vmName": "web-01"}', ("web-01",)),
        ("Restart-AzVM -VMName web-01 ; az vm update --vm-name db-1 -g rg", ("web-01", "db-1")),
        ("VM name: web-01\nState: off", ("web-01",)),
        ("The VM in resource group rg-app is off; machine state of resource group rg-app", ()),
        ("VM web-01 has not reported status", ()),
        (
            "The Resource 'Microsoft.Compute/virtualMachines/web-01' under resource group 'rg' was not found.",
            ("web-01",),
        ),
        (f"VM 'web-01' at {vm('web-01')}", ()),
        ("not authorized to perform action 'Microsoft.Compute/virtualMachines/write' over scope", ()),
        ("az disk create --vm-name --new -g rg", ()),
    ],
)
def test_names_without_ids_are_listed(text: str, names: tuple[str, ...]) -> None:
    """A toast of the portal names nothing else."""
    assert tuple(entry.machine.name for entry in read_log(text).names) == names


@pytest.mark.parametrize(
    "text",
    [
        "Patch installation failed on VM web-06 in resource group rg-app",
        "Patch installation failed on virtual machine web-06 in the resource group 'rg-app'.",
        "machine web-06 (resource group: rg-app) failed",
        "VM web-06, resource group rg-app, failed.",
    ],
)
def test_a_name_without_quotation_marks_is_one_where_its_group_follows(text: str) -> None:
    assert [entry.machine for entry in read_log(text).names] == [MachineName("web-06", "rg-app")]


_NAME = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,30}[A-Za-z0-9])?", fullmatch=True)
_NOISE = st.text(string.ascii_letters + string.digits + " \n\t:;,'\"[]{}()<>|│=#&?!…äß日%\\/", max_size=60)
_AFTER = st.sampled_from(
    ["\n", " ", '"', "'", "]", ")", ",", ";", "\t", ": ", ".\n", "/extensions/x ", "?api-version=1 ", "\r\n"]
)


@given(st.lists(st.tuples(_NOISE, _NAME, st.booleans(), _AFTER), max_size=8), _NOISE)
def test_ids_in_noise_are_found_exactly(parts: list[tuple[str, str, bool, str]], end: str) -> None:
    """Never one that is not there, never one missed."""
    text, expected = "", dict[str, None]()
    for noise, name, is_arc, after in parts:
        machine = arc(name) if is_arc else vm(name)
        expected.setdefault(machine.casefold())
        text += f"{noise} {machine}{after}"
    assert [found.casefold() for found in ids(read_log(text + end))] == list(expected)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    """Whatever is pasted, the answer is a reading."""
    assert read_log(text).machines == ()


@given(_NAME, st.integers(30, 140), st.sampled_from(["", "│ ", "     | ", "  "]), _NAME)
def test_a_broken_id_is_found_at_any_width(name: str, width: int, frame: str, word: str) -> None:
    """Where the only break falls into the name, text alone cannot tell: then both readings are given."""
    text = terminal(f"updating {vm(name)}: failed", width, frame) + f"\n{frame}\n{frame}{word}"
    (found,) = read_log(text).machines
    room = width - len(frame)
    start = len("updating ") + len(vm(""))
    is_only_break_inside = start // room == 0 and start < room < start + len(name)
    if is_only_break_inside:
        assert str(found.id if name[room - start - 1] == "-" else found.or_else) == vm(name)
    else:
        assert (str(found.id), found.or_else) == (vm(name), None)


def test_a_line_that_follows_leaves_a_doubt_which_another_mention_settles() -> None:
    """Whoever can look machines up decides."""
    (found,) = read_log(f"{vm('web')}\nfailed").machines
    assert (str(found.id), str(found.or_else)) == (vm("web"), vm("webfailed"))
    (found,) = read_log(f"{vm('web')}\nfailed\n'{vm('web')}'").machines
    assert (str(found.id), found.or_else) == (vm("web"), None)


@pytest.mark.parametrize(
    "text",
    [
        " " * 1_500_000,
        "\\" * 1_500_000,
        "subscriptions/" * 100_000,
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/" + "a" * 1_500_000,
        vm("a" * 1_500_000),
        "vm " * 500_000,
        '{"code":' * 150_000,
        "\x1b[" * 500_000 + "0" * 500_000,
        "%25" * 500_000,
        "|" * 1_500_000,
        '{"' * 200_000,
        '{"a": [1,' * 50_000,
        "[[{" * 100_000,
        '["/", ' * 50_000,
        "az vm start \\\n" * 100_000,
        "az vm start -n '" * 100_000,
        "name,resource group\n" + '"' * 1_000_000,
        "--- " * 300_000,
        "--\n" * 100_000,
        "a,b\n" * 100_000,
        "(Aa" * 500_000,
        "[" * 100_000,
    ],
    ids=lambda text: text[:20],
)
def test_hostile_texts_take_no_longer_than_their_length_asks(text: str) -> None:
    """A quadratic expression would not come back from these before the run's own time limit."""
    assert read_log(text).machines == ()


def test_a_long_log_is_read_whole() -> None:
    """Megabytes of an activity log are usual."""
    text = "\n".join(
        f"2030-11-22T03:00:{number % 60:02} {vm(f'vm-{number}')} Failed (Conflict)" for number in range(9_000)
    )
    assert len(text) > 1_000_000
    assert len(read_log(text).machines) == 9_000


RECORDINGS = Path(__file__).resolve().parents[5] / "shared" / "recordings"


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded exchanges are not part of the project")
def test_recorded_exchanges_name_their_machines_and_no_others() -> None:
    """Real answers hold actions, user agents, command lines and types that look like names and codes."""
    readings = {path.name: read_log(path.read_text(encoding="utf-8")) for path in RECORDINGS.glob("*/*.json")}
    assert len(readings) > 100
    asked = re.compile(
        r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.compute/virtualmachines/[\w.-]+"
    )
    for path in RECORDINGS.glob("vm_*/*.json"):
        url = json.loads(path.read_text(encoding="utf-8"))["request"]["url"].casefold()
        for machine in asked.findall(url):
            assert machine in {found.casefold() for found in ids(readings[path.name])}, path.name
    names = {entry.machine.name for reading in readings.values() for entry in reading.names}
    assert names == {"vm-000003"}, "of an agent's error"
    codes = {entry.error.code for reading in readings.values() for entry in reading.machines if entry.error}
    assert codes == {
        "AuthorizationFailed",
        "InvalidParameter",
        "OperationNotAllowed",
        "PropertyChangeNotAllowed",
        "ResourceNotFound",
        "ServerTimeout",
        "UnsupportedOS",
    }
