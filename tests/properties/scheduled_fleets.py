"""Small fleets with schedules of every sort, as documents that an emulator loads, with the doubts that were put in.

Each machine, configuration and dynamic scope carries labels for what was deliberately made doubtful about it, so that
an `unknown` of the prediction can be held against them: without a label, nothing may stay unknown.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

from hypothesis import strategies as st

from arm_emulator.profile import Profile, allowed_answers

HERE = "11111111-1111-1111-1111-111111111111"
THERE = "22222222-2222-2222-2222-222222222222"
UNSEEN = "33333333-3333-3333-3333-333333333333"
"""A subscription that nobody sees."""
GROUPS = ((HERE, "rg-web"), (HERE, "RG-Data"), (THERE, "rg-web"))
NOWS = ("2026-03-05T10:07", "2026-07-01T00:00", "2026-10-23T23:50", "2026-12-30T05:00")
SWITCHES = {
    name: allowed_answers(get_type_hints(Profile)[name])
    for name in (
        *(
            "dynamic_scope_tag_case",
            "dynamic_scope_extra_filters",
            "recurrence_week_start",
            "recurrence_offset_month",
            "hourly_count",
        ),
        *(
            "unnamed_updates",
            "schedule_on_flexible_member",
            "platform_mode_configuration",
            "idle_schedule_counts_as_attached",
        ),
        *(
            "autopatch_unlisted_image",
            "autopatch_run_id",
            "run_error_shape",
            "late_change",
            "assessment_retention_days",
            "failed_patch_extension",
        ),
    )
}
"""The switches that bear on who is patched, and how it is told, with every answer."""

DOUBTS = frozenset(
    {
        "flexible member",
        "unknown patch mode",
        "image on no list",
        "two lists contradict each other",
        "no image",
        "idle schedule",
        "tag case",
        "unknown filter member",
        "unknown system",
        "platform mode",
        "unnamed updates",
        "unreadable recurrence",
        "unknown time zone",
        "no duration",
        "two readings",
        "unseen configuration",
        "same trigger",
        "failed patch extension",
        "edition not known",
    }
)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Documents, the moment at which they are looked at, the cloud's answers, and the labels."""

    resources: tuple[dict[str, Any], ...]
    now: datetime
    profile: Profile
    machines: dict[str, frozenset[str]]
    """Machine id in lower case → its doubts."""
    configurations: dict[str, frozenset[str]]
    """Configuration id in lower case, existing or not → its doubts."""
    scopes: dict[str, frozenset[str]]
    """Name of a dynamic scope → its doubts."""


_DEVELOPERS = {"publisher": "MicrosoftVisualStudio", "offer": "visualstudio2022"}
_IMAGES: dict[str, tuple[tuple[dict[str, Any] | None, str], ...]] = {
    "Windows": (
        ({"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2"}, ""),
        ({"publisher": "microsoftwindowsserver", "offer": "windowsserver", "sku": "2019-DATACENTER"}, ""),
        ({"publisher": "MicrosoftWindowsDesktop", "offer": "windows-11", "sku": "win11-23h2-pro"}, ""),
        (_DEVELOPERS | {"sku": "vs-2022-comm-latest-win11-n-gen2"}, ""),
    ),
    "Linux": (
        ({"publisher": "Canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts-gen2"}, ""),
        ({"publisher": "RedHat", "offer": "RHEL-HA", "sku": "81_gen2"}, "two lists contradict each other"),
        ({"publisher": "OpenLogic", "offer": "CentOS-HPC", "sku": "7_9-gen2"}, ""),
        ({"publisher": "paloaltonetworks", "offer": "vmseries-flex", "sku": "byol"}, ""),
    ),
}
_LISTED_FOR_SCHEDULES_ONLY = {
    "Windows": {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "contoso-special"},
    "Linux": {"publisher": "Canonical", "offer": "contoso-special", "sku": "one"},
}
_UNNAMED: tuple[dict[str, Any], ...] = (
    {"windowsParameters": {"classificationsToInclude": ["Critical"]}},
    {"linuxParameters": {"classificationsToInclude": ["Security"]}},
    {"linuxParameters": {"classificationsToInclude": [], "packageNameMasksToInclude": []}},
    {"linuxParameters": {"classificationsToInclude": ["Other"], "packageNameMasksToExclude": ["*"]}},
)
"""installPatches that name nothing for one system, or for both."""
_UNLISTED = {"publisher": "contoso-networks", "offer": "next-firewall", "sku": "byol"}
_CUSTOM = {"id": f"/subscriptions/{HERE}/resourceGroups/rg-web/providers/Microsoft.Compute/images/golden"}
_OFF = ("deallocated", "stopped", "deallocating", "stopping")
_SYSTEMS = {
    "Windows": ("Windows Server 2022 Datacenter", "Windows 11 Enterprise multi-session", "Windows 10 Enterprise N"),
    "Linux": ("ubuntu", "sles", "freebsd"),
}
"""What a guest may report that it runs."""
_PATCH_EXTENSIONS = {
    "Windows": ("Microsoft.CPlat.Core", "WindowsPatchExtension"),
    "Linux": ("Microsoft.CPlat.Core", "LinuxPatchExtension"),
}
_ARC_EXTENSIONS = (
    ("Microsoft.SoftwareUpdateManagement", "LinuxOsUpdateExtension"),
    ("Microsoft.SoftwareUpdateManagement", "WindowsOsUpdateExtension"),
    ("Microsoft.CPlat.Core", "LinuxPatchExtension"),
)
"""The last carries out assessments only."""
_ZONES = (
    *("UTC", "W. Europe Standard Time", "Pacific Standard Time", "India Standard Time", "AUS Eastern Standard Time"),
    "Lord Howe Standard Time",
)
_COMING = (
    *(
        "Day",
        "1Day",
        "3Days",
        "Week",
        "2Weeks",
        "Week Saturday,Sunday",
        "week tuesday",
        "Month day1,day15",
        "Month day31",
    ),
    *(
        "Month Second Tuesday Offset-3",
        "month last friday",
        "2Months Third Sunday",
        "1Month First,Third Monday,Tuesday",
        "6Days",
    ),
)


class _Dice:
    """Choices, the first of each the plainest."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def of(self, *choices: Any) -> Any:
        return self._draw(st.sampled_from(choices))

    def once_in(self, times: int) -> bool:
        # No range of integers: hypothesis prefers its ends, and what is rare here must stay rare.
        return bool(self._draw(st.sampled_from(range(times))) == times - 1)

    def number(self, least: int, most: int) -> int:
        return self._draw(st.sampled_from(range(least, most + 1)))


# ------------------------------------------------------------------------------------------------ machines


def _settings(dice: _Dice, system: str) -> tuple[dict[str, Any] | None, str]:
    """`patchSettings` and what they amount to: `user`, `azure`, `other` or `unknown`."""
    others = ("AutomaticByOS", "Manual", "manual") if system == "Windows" else ("ImageDefault", "IMAGEDEFAULT")
    platform = ("AutomaticByPlatform", "AutomaticByPlatform", "automaticbyplatform", "AutomaticByPlatform")
    mode = dice.of(*platform, *platform, *platform, *others, *others, "Future", None)
    settings: dict[str, Any] = {} if mode is None else {"patchMode": mode}
    bypass = dice.of(True, True, True, False, None) if mode in platform else dice.of(None, None, True, False)
    if bypass is not None or dice.once_in(4):
        block = {} if bypass is None else {"bypassPlatformSafetyChecksOnUserSchedule": bypass}
        settings["automaticByPlatformSettings"] = block | dice.of({}, {"rebootSetting": "Never"})
    if dice.once_in(4):
        settings["assessmentMode"] = "AutomaticByPlatform"
    if mode in platform:
        return settings, "user" if bypass else "azure"
    if mode in others:
        return settings, "other"
    return dice.of(settings, settings or None), "unknown"


def _image(dice: _Dice, system: str, kind: str) -> tuple[dict[str, Any] | None, set[str]]:
    """An image, and what is doubtful about it for machines of that kind of settings."""
    plain = _IMAGES[system][0][0]
    image, doubt = dice.of(*[(plain, "")] * 9, *_IMAGES[system], *_further_images(system, kind))
    if image is not None and image.get("offer") == "CentOS-HPC" and kind == "azure":
        doubt = "image on no list"
    return image, {doubt} - {""}


def _further_images(system: str, kind: str) -> tuple[tuple[dict[str, Any] | None, str], ...]:
    return (
        (_CUSTOM, ""),
        (_UNLISTED, "image on no list"),
        (_LISTED_FOR_SCHEDULES_ONLY[system], "image on no list" if kind == "azure" else ""),
        (None, "no image" if kind == "azure" else ""),
    )


def _virtual_machine(dice: _Dice, base: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    system = dice.of("Windows", "Linux")
    settings, kind = _settings(dice, system)
    image, doubts = _image(dice, system, kind)
    guest: dict[str, Any] = {"provisionVMAgent": not dice.once_in(12)}
    if settings is not None:
        guest["patchSettings"] = settings
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "storageProfile": {"osDisk": {"osType": system}, **({"imageReference": image} if image else {})},
        "osProfile": {f"{system.lower()}Configuration": guest, "allowExtensionOperations": not dice.once_in(12)},
    }
    if dice.once_in(15):
        del properties["osProfile"]
        kind = "unknown"
    elif dice.once_in(15):
        del properties["storageProfile"]["osDisk"]["osType"]
    doubts |= {"edition not known"} if system == "Windows" and image in (_CUSTOM, _UNLISTED, None) else set()
    if kind == "unknown":
        doubts.add("unknown patch mode")
    if kind == "azure":
        doubts.add("azure managed")
    if system == "Windows" and dice.once_in(15):
        properties["licenseType"] = "Windows_Client"
    if dice.once_in(10):
        properties["virtualMachineScaleSet"] = {"id": f"/subscriptions/{HERE}/…/virtualMachineScaleSets/flex"}
        doubts.add("flexible member")
    view = _some_view(dice, system)
    if view is not None:
        properties["instanceView"] = view
    document = {**base, "type": "Microsoft.Compute/virtualMachines", "properties": properties}
    if system == "Linux" and image is _CUSTOM and dice.once_in(3):
        document["plan"] = {"publisher": "fortinet", "product": "fortinet_fortigate-vm_v5", "name": "fortinet_fg-vm"}
    return document, doubts | _with_extension(dice, document, system)


def _with_extension(dice: _Dice, document: dict[str, Any], system: str) -> set[str]:
    """Give a machine a patch extension, or none; what is doubtful about it then."""
    if not dice.once_in(10):
        return set()
    extension, is_failed = _extension(dice, document["id"], *_PATCH_EXTENSIONS[system])
    document["resources"] = [extension]
    return {"failed patch extension"} if is_failed else set()


def _some_view(dice: _Dice, system: str) -> dict[str, Any] | None:
    """An instance view that says something, or none."""
    if dice.once_in(5):
        return _view(dice.of(*_OFF), "")
    if dice.once_in(10):
        return _view("running", dice.of("Not Ready", "not ready"))
    if dice.once_in(8):
        return {"osName": dice.of(*_SYSTEMS[system]), **_view("running", "")}
    return None


def _extension(dice: _Dice, machine: str, publisher: str, kind: str) -> tuple[dict[str, Any], bool]:
    """A patch extension in some state, as a resource, and whether that state is a failure."""
    state = dice.of("Failed", "Succeeded", "Canceled", "failed", "Updating")
    resource = {
        "id": f"{machine}/extensions/{kind}",
        "name": kind,
        "type": f"{'/'.join(machine.split('/')[-3:-1])}/extensions",
        "properties": {"publisher": dice.of(publisher, publisher.lower()), "type": kind, "provisioningState": state},
    }
    return resource, state.lower() in {"failed", "canceled"}


def _view(power: str, agent: str) -> dict[str, Any]:
    view: dict[str, Any] = {
        "statuses": [
            {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"},
            {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"},
        ]
    }
    if agent:
        status = {"code": "ProvisioningState/Unavailable", "level": "Warning", "displayStatus": agent}
        view["vmAgent"] = {"vmAgentVersion": "Unknown", "statuses": [status]}
    return view


def _arc_server(dice: _Dice, base: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    system = dice.of("linux", "windows", "Windows")
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "status": dice.of("Connected", "Connected", "Connected", "Disconnected", "Expired"),
        "osType": system,
        "osProfile": {"computerName": "server"},
    }
    if dice.once_in(12):
        del properties["osType"]
    elif system != "linux":
        properties["osSku"] = dice.of(
            *["Windows Server 2019 Datacenter"] * 5, "Windows 11 Enterprise", "windows 10 pro"
        )
    return {**base, "type": "Microsoft.HybridCompute/machines", "properties": properties}, set()


def _machine(dice: _Dice, number: int) -> tuple[list[dict[str, Any]], frozenset[str]]:
    """A machine's document and what the last assessment found, where one is kept."""
    is_arc = dice.once_in(5)
    subscription, group = dice.of(*GROUPS)
    provider = "Microsoft.HybridCompute/machines" if is_arc else "Microsoft.Compute/virtualMachines"
    name = dice.of(f"vm-{number}", f"VM-{number}")
    base = {
        "id": f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{name}",
        "name": name,
        "location": dice.of("westeurope", "westeurope", "northeurope"),
        "tags": dice.of(
            {}, {"env": "prod"}, {"env": "prod", "ring": "1"}, {"Env": "prod"}, {"env": "Prod"}, {"ring": "2"}
        ),
        "zones": dice.of(None, ["1"], ["2"]),
    }
    document, doubts = (_arc_server if is_arc else _virtual_machine)(
        dice, {k: v for k, v in base.items() if v is not None}
    )
    documents = [document]
    if is_arc and dice.once_in(6):
        publisher, kind = dice.of(*_ARC_EXTENSIONS)
        extension, is_failed = _extension(dice, document["id"], publisher, kind)
        documents.append(extension)
        doubts |= {"failed patch extension"} if is_failed and kind.endswith("OsUpdateExtension") else set()
    if not is_arc and dice.once_in(6):
        state = dice.of("Unsupported", "Supported", "Unknown", "unsupported")
        readiness = {"vmGuestPatchReadiness": {"detectedVMGuestPatchSupportState": state}}
        documents.append(
            {
                "id": f"{document['id']}/patchAssessmentResults/latest",
                "type": "Microsoft.Compute/virtualMachines/patchAssessmentResults",
                "properties": {"status": "Succeeded", "configurationStatus": readiness},
            }
        )
    return documents, frozenset(doubts)


# ------------------------------------------------------------------------------------------------ schedules


def _window(dice: _Dice, now: datetime) -> tuple[dict[str, Any], set[str]]:
    start = now + timedelta(days=dice.of(-30, -3, -1, 0, 1, 12, -200, -3650))
    clock = dice.of("22:00", "02:30", "01:30", "00:00", "23:50", "10:10")
    window: dict[str, Any] = {
        "startDateTime": f"{start:%Y-%m-%d} {clock}",
        "expirationDateTime": dice.of(
            "9999-12-31 23:59", "9999-12-31 00:00", None, f"{now + timedelta(days=70):%Y-%m-%d} 12:00"
        ),
        "duration": dice.of("02:00", "03:55", "01:30", "02:00", "01:30", "00:24", "00:10"),
        "timeZone": dice.of(*_ZONES),
        "recurEvery": dice.of(*_COMING),
    }
    doubts = _spoiled(dice, window, now) if dice.once_in(3) else set()
    return {key: value for key, value in window.items() if value is not None}, doubts


def _doubly_read(dice: _Dice, now: datetime) -> dict[str, Any]:
    """A rule that can be read in two ways, with a start from which the two are likely to differ at once."""
    eve = now.replace(day=1) - timedelta(days=1)
    recurrence, days = dice.of(
        *(("8Hours", -200), ("7Hours", -200), ("12Hour", -200)),
        *(("2Weeks Sunday", -3), ("2Weeks Saturday,Sunday", -30), ("3Weeks Monday", -200), ("2Weeks Monday,Sunday", 1)),
        *((f"Month Last {eve:%A} Offset6", 0), (f"Month Last {eve:%A} Offset5", 1)),
    )
    ends = now + timedelta(days=dice.of(3, 9, 16))
    return {
        "startDateTime": f"{now + timedelta(days=days):%Y-%m-%d} {dice.of('12:30', '22:00', '00:00')}",
        "timeZone": dice.of("W. Europe Standard Time", "Pacific Standard Time", "AUS Eastern Standard Time"),
        "recurEvery": recurrence,
        "expirationDateTime": dice.of(None, None, f"{ends:%Y-%m-%d} 12:00"),
    }


def _spoiled(dice: _Dice, window: dict[str, Any], now: datetime) -> set[str]:
    """Make a window one of the sorts that are not plain."""
    sorts = ("expired", "two readings", "never", "two readings", "zone", "recurrence", "duration", "ends soon")
    sort = dice.of(*sorts, "two readings")
    match sort:
        case "expired":
            window["expirationDateTime"] = f"{now - timedelta(days=dice.of(2, 300)):%Y-%m-%d} 12:00"
            return {"idle schedule"}
        case "never":
            window |= {"startDateTime": "2025-02-01 02:00", "recurEvery": dice.of("12Months day31", "24Months day29")}
            return {"idle schedule"}
        case "ends soon":
            window["expirationDateTime"] = f"{now + timedelta(days=dice.of(0, 1, 3, 9)):%Y-%m-%d} 12:00"
            return {"idle schedule"}
        case "two readings":
            window |= _doubly_read(dice, now)
            return {"two readings"}
        case "zone":
            window["timeZone"] = dice.of("Mars Standard Time", "", None)
            return {"unknown time zone"}
        case "recurrence":
            window["recurEvery"] = dice.of("Month", "Fortnight", None, "Month Fifth Sunday", "Week Mon")
            return {"unreadable recurrence"}
        case "duration":
            window["duration"] = None
            return {"no duration"}
    return set()


def _configuration(dice: _Dice, number: int, now: datetime) -> tuple[dict[str, Any], frozenset[str]]:
    subscription, group = dice.of(*GROUPS)
    name = dice.of(f"mc-{number}", f"MC-{number}")
    window, doubts = _window(dice, now)
    mode = dice.of("User", "User", "User", "User", "User", "user", "Platform")
    if mode == "Platform":
        doubts = {*doubts, "platform mode"}
    properties = {
        "maintenanceScope": dice.of(
            "InGuestPatch", "InGuestPatch", "InGuestPatch", "InGuestPatch", "inguestpatch", "Host"
        ),
        "extensionProperties": {dice.of("InGuestPatchMode", "inGuestPatchMode"): mode},
        "maintenanceWindow": window,
        "visibility": "Custom",
        "installPatches": {"rebootSetting": dice.of("IfRequired", "Never", "AlwaysReboot")},
    }
    if dice.once_in(9):
        doubts = {*doubts, "unnamed updates"}
        properties["installPatches"] |= dice.of(*_UNNAMED)
    place = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Maintenance"
    identity = {"id": f"{place}/maintenanceConfigurations/{name}", "name": name}
    return {
        **identity,
        "type": "Microsoft.Maintenance/maintenanceConfigurations",
        "location": "westeurope",
        "properties": properties,
    }, frozenset(doubts)


def _assignment(dice: _Dice, number: int, machines: list[str], configurations: list[str]) -> dict[str, Any]:
    gone = f"/subscriptions/{HERE}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/gone"
    machine = dice.of(*machines, *machines, gone)
    named = dice.of(*configurations)
    holder = dice.of(machine, machine.lower())
    return {
        "id": f"{holder}/providers/Microsoft.Maintenance/configurationAssignments/a-{number}",
        "name": f"a-{number}",
        "type": "Microsoft.Maintenance/configurationAssignments",
        "location": "westeurope",
        "properties": {"maintenanceConfigurationId": dice.of(named.lower(), named), "resourceId": machine.lower()},
    }


def _scope(
    dice: _Dice, number: int, machines: list[str], configurations: list[str]
) -> tuple[dict[str, Any], frozenset[str]]:
    subscription, group = dice.of(*GROUPS)
    place = f"/subscriptions/{subscription}" + dice.of("", f"/resourceGroups/{group}")
    tags = dice.of(
        None, None, {"env": ["prod"]}, {"env": ["prod", "test"]}, {"env": ["prod"], "ring": ["1", "2"]}, {"env": []}
    )
    wanted: dict[str, Any] = {
        "resourceTypes": dice.of(None, [], ["Microsoft.Compute/virtualMachines"], ["microsoft.hybridcompute/machines"]),
        "resourceGroups": dice.of(None, None, None, ["RG-WEB"], ["rg-data", "rg-other"]),
        "osTypes": dice.of(None, None, None, ["Windows"], ["linux"]),
        "locations": dice.of(None, None, None, ["westeurope"], ["West Europe", "northeurope"]),
        "tagSettings": None if tags is None else {"tags": tags, "filterOperator": dice.of("All", "Any", "any")},
    }
    doubts: set[str] = {"tag case"} if tags is not None else set()
    if tags is not None and not tags["env"]:
        doubts.add("unknown filter member")
    if wanted["osTypes"]:
        doubts.add("unknown system")
    if dice.once_in(6):
        further = dice.of({"availabilityZones": ["1"]}, {"resourceIds": [machines[0]]}, {"osVersions": ["22.04"]})
        wanted |= further
        doubts.add("unknown filter member")
    name = f"d-{number}"
    return {
        "id": f"{place}/providers/microsoft.maintenance/configurationassignments/{name}",
        "name": name,
        "type": "microsoft.maintenance/configurationassignments",
        "location": "global",
        "properties": {
            "maintenanceConfigurationId": dice.of(*configurations),
            "resourceId": place,
            "filter": wanted,
        },
    }, frozenset(doubts)


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Three to twelve machines, up to five configurations, and what attaches one to the other."""
    dice = _Dice(draw)
    now = datetime.fromisoformat(dice.of(*NOWS)).replace(tzinfo=UTC)
    resources: list[dict[str, Any]] = []
    machines: dict[str, frozenset[str]] = {}
    ids: list[str] = []
    for number in range(dice.number(3, 12)):
        documents, doubts = _machine(dice, number)
        resources += documents
        ids.append(documents[0]["id"])
        machines[ids[-1].lower()] = doubts
    configurations: dict[str, frozenset[str]] = {}
    named: list[str] = []
    for number in range(dice.number(1, 5)):
        document, doubts = _configuration(dice, number, now)
        if number and dice.once_in(5):  # the same trigger as the one before, and perhaps the same settings
            document["properties"]["maintenanceWindow"] = dict(resources[-1]["properties"]["maintenanceWindow"])
            doubts = configurations[named[-1].lower()] | (doubts & {"platform mode", "unnamed updates"})
            if dice.of(False, True):
                document["properties"]["maintenanceWindow"]["duration"] = dice.of("03:00", "00:20")
                doubts = (doubts - {"no duration"}) | {"same trigger"}
        resources.append(document)
        named += [document["id"], document["id"], document["id"]]
        configurations[document["id"].lower()] = doubts
    dangling = (
        f"/subscriptions/{HERE}/resourceGroups/rg-web/providers/Microsoft.Maintenance/maintenanceConfigurations/mc-gone"
    )
    unseen = dangling.replace(HERE, UNSEEN)
    configurations |= {
        dangling.lower(): frozenset({"idle schedule"}),
        unseen.lower(): frozenset({"unseen configuration"}),
    }
    named += dice.of((), (), (dangling,), (unseen,))
    resources += [_assignment(dice, number, ids, named) for number in range(dice.of(6, 0, 3, 9, 12))]
    scopes: dict[str, frozenset[str]] = {}
    for number in range(dice.number(0, 3)):
        document, doubts = _scope(dice, number, ids, named)
        resources.append(document)
        scopes[document["name"]] = doubts
    profile = Profile(**{name: dice.of(*answers) for name, answers in SWITCHES.items()})
    return Fleet(tuple(resources), now, profile, machines, configurations, scopes)
