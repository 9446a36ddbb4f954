"""Appliances and other systems are told apart from servers that merely no list names."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.rules.builders import arc_document, machine_from, vm
from tests.unit.rules.memberships import attached, configuration

from patchmode.model.finding import Severity
from patchmode.model.left_alone import Skipped
from patchmode.model.machine import ImageReference, Machine, Surroundings
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration, PatchSettings, WantedSettings
from patchmode.model.schedule import RunForecast
from patchmode.rules.eligibility.images import appliance_evidence
from patchmode.rules.eligibility.judgement import judge, reasons_for
from patchmode.rules.eligibility.owner_checks import out_of_reach
from patchmode.rules.schedules.attaching import attach_obstacle
from patchmode.rules.schedules.forecast import forecast, predict
from patchmode.rules.settings.planning import plan_machine

CMS = WantedSettings(Orchestration.CUSTOMER_MANAGED_SCHEDULES)
PREPARED = PatchSettings(patch_mode="AutomaticByPlatform", bypass=True)


def reference(names: str) -> ImageReference:
    return ImageReference(*names.split("/"))


def made_from(names: str, **facts: Any) -> Machine:
    return replace(vm("Linux", {"patchMode": "ImageDefault"}), image=reference(names), **facts)


@pytest.mark.parametrize(
    "names",
    [
        "paloaltonetworks/vmseries-flex/byol",
        "PaloAltoNetworks/VMSeries-Flex/bundle2",
        "fortinet/fortinet_fortigate-vm_v5/fortinet_fg-vm",
        "checkpoint/check-point-cg-r8120/sg-byol",
        "barracudanetworks/barracuda-ng-firewall/byol",
        "cisco/cisco-csr-1000v/17_3_3-byol",
        "f5-networks/f5-big-ip-best/f5-bigip-virtual-edition-25m-best-hourly",
        "juniper-networks/vsrx-next-generation-firewall/vsrx-byol-azure-image",
        "netgate/netgate-pfsense-azure-fw-vpn-router/netgate-pfsense-azure-243",
        "sophos/sophos-xg/byol",
        "sonicwall-inc/sonicwall-nsz-azure/snwl-nsv-scx",
        "MicrosoftOSTC/FreeBSD/12_1",
        "thefreebsdfoundation/freebsd-14_1/14_1-release-amd64-gen2-zfs",
        "contoso/hardened-freebsd/14",
    ],
)
def test_names_of_appliances(names: str) -> None:
    """By the image, and by the plan of a machine whose disk was restored and names no image."""
    assert appliance_evidence(made_from(names)) == f"image {names}"
    restored = replace(vm("Linux", os_profile=False, image={}), plan=reference(names))
    assert appliance_evidence(restored) == f"plan {names}"


@pytest.mark.parametrize(
    "names",
    [
        "contoso-networks/next-firewall/byol",  # unlisted, and nobody knows what it is
        "contoso/appliance/v1",
        "Canonical/ubuntu-26_04-lts/server",  # newer than every list
        "cisco/some-linux-server/v1",  # a vendor's server
        "aviatrix-systems/aviatrix-companion-gateway-v9/aviatrix-companion-gateway-v9",  # on Microsoft's own list
        "MicrosoftWindowsServer/WindowsServer/2022-datacenter-g2",
        "contoso/libreebsdish/v1",
    ],
)
def test_other_images_are_none(names: str) -> None:
    """A server is never taken for an appliance because its vendor sells some, or because no list has it yet."""
    assert appliance_evidence(made_from(names)) is None
    assert "appliance" not in {reason.rule for reason in reasons_for(made_from(names), CMS)}


def test_what_runs_is_told_by_the_guest() -> None:
    """A gallery image of FreeBSD names nothing; its agent does."""
    gallery = vm("Linux", image={"id": "/gallery/images/one"})
    assert appliance_evidence(gallery) is None
    reported = replace(gallery, surroundings=Surroundings(os_name="FreeBSD"))
    assert appliance_evidence(reported) == "instanceView.osName = FreeBSD"
    assert appliance_evidence(machine_from(arc_document(), surroundings=Surroundings(os_name="freebsd"))) is None


def test_it_is_skipped_in_words_of_its_own() -> None:
    """The soft warning of an unlisted image does not stand beside it; going back to the guest's own means may."""
    machine = made_from("paloaltonetworks/vmseries-flex/byol")
    reasons = reasons_for(machine, CMS)
    assert [(reason.rule, reason.severity) for reason in reasons] == [("appliance", Severity.BLOCKS)]
    assert "patched by nobody" in reasons[0].message
    assert reasons[0].evidence == "image paloaltonetworks/vmseries-flex/byol"
    planned = plan_machine(machine, CMS)
    assert isinstance(planned, Skipped)
    assert planned.rule == "appliance"
    back = reasons_for(machine, WantedSettings(Orchestration.IMAGE_DEFAULT))
    assert [(reason.rule, reason.severity) for reason in back] == [("appliance", Severity.NOTES)]
    unlisted = reasons_for(made_from("contoso-networks/next-firewall/byol"), CMS)
    assert [(reason.rule, reason.severity) for reason in unlisted] == [("image-not-in-schedule-list", Severity.WARNS)]


@pytest.mark.parametrize(
    "facts",
    [
        {"image": ImageReference("paloaltonetworks", "vmseries-flex", "byol")},
        {"license_type": "Windows_Client"},
        {"surroundings": Surroundings(os_name="Windows 11 Pro")},
        {"tags": {"aks-managed-poolName": "p"}},
        {"tags": {"Vendor": "Databricks"}},
    ],
)
def test_what_is_prepared_and_never_patched_does_not_pass_for_ready(facts: dict[str, Any]) -> None:
    """Every workload out of reach: skipped with its rule, so that verify names it. Other wishes are judged as ever."""
    settings = {
        "patchMode": "AutomaticByPlatform",
        "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
    }
    machine = replace(vm("Windows", settings), **facts)
    workload = out_of_reach(machine)
    assert workload is not None
    planned = plan_machine(machine, CMS)
    assert isinstance(planned, Skipped)
    assert planned.rule == workload.rule.id
    assert not judge(machine, CMS).is_as_wanted
    by_os = replace(vm("Windows", {"patchMode": "AutomaticByOS"}), **facts)
    assert judge(by_os, WantedSettings(Orchestration.AUTOMATIC_BY_OS)).is_as_wanted


def test_its_outcome_is_true_whatever_its_settings_say() -> None:
    """Prepared and scheduled, nothing patches it, and no schedule may be attached to it."""
    machine = made_from("fortinet/fortinet_fortigate-vm_v5/fortinet_fg-vm")
    outcome = predict(PREPARED, machine, attached())
    assert outcome.kind is OutcomeKind.INELIGIBLE
    assert "appliances" in outcome.reason
    found = forecast(PREPARED, machine, attached().hits[0])
    assert (found.result, found.rule) == (RunForecast.FAILS, "appliance")
    refused = attach_obstacle(machine, configuration())
    assert refused is not None
    assert refused.rule == "appliance"
