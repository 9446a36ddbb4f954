"""Machines of every sort that Azure can show, and every wish that a user can have."""

from itertools import product
from typing import Any, NamedTuple

from hypothesis import reject
from hypothesis import strategies as st
from tests.unit.rules.builders import SUBSCRIPTION, UBUNTU_2204, WINDOWS_2022, arc_document, machine_from, vm_document

from patchmode.model.machine import Lock, Machine, Surroundings
from patchmode.model.patch_settings import Orchestration, RebootSetting, WantedSettings
from patchmode.model.plan import Change
from patchmode.rules.settings.planning import plan_machine

SETTABLE = (
    Orchestration.CUSTOMER_MANAGED_SCHEDULES,
    Orchestration.AZURE_MANAGED,
    Orchestration.AUTOMATIC_BY_OS,
    Orchestration.MANUAL,
    Orchestration.IMAGE_DEFAULT,
)
_ABSENT: Any = object()
_IMAGES: tuple[dict[str, Any], ...] = (
    WINDOWS_2022,
    UBUNTU_2204,
    {"publisher": "MicrosoftWindowsDesktop", "offer": "windows-11", "sku": "win11-23h2-pro"},
    {"publisher": "OpenLogic", "offer": "CentOS-HPC", "sku": "7.7"},
    {"publisher": "Contoso", "offer": "appliance", "sku": "v1"},
    {
        "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/images/i",
    },
    {},
)


def _members(**choices: tuple[Any, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """An object of which each member is one of its choices, or absent where the choice is `_ABSENT`."""
    drawn = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in choices.items()})
    return drawn.map(lambda members: {key: value for key, value in members.items() if value is not _ABSENT})


_platform = _members(
    bypassPlatformSafetyChecksOnUserSchedule=(_ABSENT, False, True),
    rebootSetting=(_ABSENT, "IfRequired", "Never", "Always", "Unknown"),
)


@st.composite
def patch_settings(draw: st.DrawFn, system: str) -> dict[str, Any] | None:
    """`patchSettings` that the service may hold: hotpatching only where it is allowed, values in any casing."""
    modes = ("AutomaticByOS", "Manual") if system == "Windows" else ("ImageDefault",)
    settings = draw(
        _members(
            patchMode=(_ABSENT, "AutomaticByPlatform", "AutomaticByPlatform", "automaticbyplatform", "Future", *modes),
            assessmentMode=(_ABSENT, "ImageDefault", "AutomaticByPlatform", "IMAGEDEFAULT"),
        )
    )
    if draw(st.booleans()):
        settings["automaticByPlatformSettings"] = draw(_platform)
    bypass = settings.get("automaticByPlatformSettings", {}).get("bypassPlatformSafetyChecksOnUserSchedule")
    if system == "Windows" and draw(st.booleans()):
        allowed = settings.get("patchMode", "").lower() == "automaticbyplatform" and not bypass
        settings["enableHotpatching"] = allowed and draw(st.booleans())
    stated: dict[str, Any] | None = draw(st.sampled_from((settings, settings, settings, None)))
    return stated


@st.composite
def documents(draw: st.DrawFn, images: tuple[dict[str, Any], ...] = _IMAGES) -> dict[str, Any]:
    """Documents of virtual machines and Arc servers, with and without osProfile, patch settings, etag and tags."""
    system = draw(st.sampled_from(("Windows", "Linux")))
    settings = draw(patch_settings(system))
    if draw(st.integers(0, 5)) == 0:
        assessment = {key: value for key, value in (settings or {}).items() if key == "assessmentMode"}
        return arc_document(system, draw(st.sampled_from((None, assessment))))
    mode = (settings or {}).get("patchMode", "")
    fitting = {"AutomaticByOS": True, "Manual": False}.get(mode)
    updates = draw(st.sampled_from((True, False, None))) if fitting is None else fitting
    document = vm_document(
        system,
        settings,
        automatic_updates=updates,
        os_profile=draw(st.integers(0, 5)) > 0,
        image=draw(st.sampled_from(images)),
    )
    document["tags"] = draw(st.dictionaries(st.sampled_from(("env", "a.b", "Vendor")), st.text(max_size=4), max_size=3))
    if draw(st.booleans()):
        del document["etag"]
    return document


@st.composite
def surroundings(draw: st.DrawFn) -> Surroundings:
    """What stands around a machine; mostly nothing that blocks."""
    lock = Lock("/subscriptions/x", "keep", draw(st.sampled_from(("ReadOnly", "CanNotDelete"))))
    return Surroundings(
        power_state=draw(st.sampled_from((None, "running", "deallocated"))),
        agent_status=draw(st.sampled_from((None, "Ready", "Not Ready"))),
        detected_support=draw(st.sampled_from((None, None, "Supported", "Unsupported"))),
        locks=draw(st.sampled_from(((), (), (), (lock,)))),
        group_managed_by=draw(st.sampled_from((None, None, None, "/subscriptions/x/…/applications/app"))),
    )


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Machines of every sort."""
    changes: dict[str, Any] = {"surroundings": draw(surroundings())}
    if draw(st.integers(0, 9)) == 0:
        changes |= draw(
            st.sampled_from(
                (
                    {"os": None},
                    {"provision_vm_agent": False},
                    {"allow_extension_operations": False},
                    {"provisioning_state": "Updating"},
                    {"scale_set_id": "/subscriptions/x/…/virtualMachineScaleSets/set"},
                )
            )
        )
    return machine_from(draw(documents()), **changes)


def wishes(orchestrations: tuple[Orchestration | None, ...] = (None, *SETTABLE)) -> st.SearchStrategy[WantedSettings]:
    """Every wish that the command line can express."""
    return st.builds(
        WantedSettings,
        orchestration=st.sampled_from(orchestrations),
        periodic_assessment=st.sampled_from((None, None, True, False)),
        reboot=st.sampled_from((None, None, RebootSetting.NEVER, RebootSetting.IF_REQUIRED)),
        hotpatch_off=st.booleans(),
        include_scale_set_members=st.booleans(),
    )


class Planned(NamedTuple):
    """A machine, a wish, and the change that the plan makes of them."""

    machine: Machine
    wanted: WantedSettings
    change: Change


_WISHES = tuple(
    WantedSettings(orchestration, assessment, reboot, hotpatch_off)
    for orchestration, assessment, reboot, hotpatch_off in product(
        (None, *SETTABLE), (None, True, False), (None, RebootSetting.NEVER), (False, True)
    )
)


@st.composite
def planned_changes(draw: st.DrawFn) -> Planned:
    """Machines that nothing stands against, with a wish that leads to a change; drawn so that few are thrown away."""
    quiet = Surroundings(power_state=draw(st.sampled_from((None, "running", "deallocated"))))
    machine = machine_from(draw(documents((WINDOWS_2022, UBUNTU_2204, {}))), surroundings=quiet)
    start = draw(st.integers(0, len(_WISHES) - 1))
    for wanted in (*_WISHES[start:], *_WISHES[:start]):
        change = plan_machine(machine, wanted)
        if isinstance(change, Change):
            return Planned(machine, wanted, change)
    return reject()


def leaf_paths(document: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of a document's leaves; an empty object or array is a leaf."""
    if isinstance(document, dict) and document:
        return [leaf for key, value in document.items() for leaf in leaf_paths(value, (*path, key))]
    if isinstance(document, list) and document:
        return [leaf for index, value in enumerate(document) for leaf in leaf_paths(value, (*path, index))]
    return [path]
