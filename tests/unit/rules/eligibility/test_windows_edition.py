"""Client, server or not known: real names of images and systems, and what may never turn a server into a client.

Names come from Microsoft's list of images for scheduled patching (its source stands in `image_support.json`), from
recorded machines (publisher, offer, sku and `osName`), and from public templates that deploy Visual Studio's images.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rules.builders import arc_document, machine_from, vm
from tests.unit.rules.memberships import attached

from patchmode.model.machine import ImageReference, Machine, Surroundings
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import OperatingSystem, Orchestration, PatchSettings, WantedSettings
from patchmode.rules.eligibility.judgement import first_block, reasons_for
from patchmode.rules.eligibility.windows_edition import Edition, edition_of
from patchmode.rules.schedules.forecast import predict

CLIENT, SERVER, NOT_KNOWN = Edition.CLIENT, Edition.SERVER, Edition.NOT_KNOWN
CMS = WantedSettings(Orchestration.CUSTOMER_MANAGED_SCHEDULES)
SHARED = Path(__file__).resolve().parents[5] / "shared"


def made_from(names: str, **facts: Any) -> Machine:
    """A Windows machine of `publisher/offer/sku`; an empty text names no image."""
    publisher, offer, sku = names.split("/") if names else (None, None, None)
    return replace(vm("Windows"), image=ImageReference(publisher, offer, sku), **facts)


@pytest.mark.parametrize(
    ("names", "edition"),
    [
        # recorded
        ("MicrosoftWindowsDesktop/Windows-10/win10-21h2-entn-g2", CLIENT),
        ("microsoftwindowsdesktop/windows-10/win10-22h2-avd-g2", CLIENT),
        ("MicrosoftWindowsServer/WindowsServer/2012-R2-Datacenter", SERVER),
        ("MicrosoftWindowsServer/WindowsServer/2022-datacenter-azure-edition", SERVER),
        ("MicrosoftWindowsServer/WindowsServer/2008-R2-SP1", SERVER),
        ("MicrosoftSQLServer/SQL2017-WS2016/Enterprise", SERVER),
        ("microsoftsqlserver/sql2022-ws2022/enterprise-gen2", SERVER),
        # multi-session and cloud PCs
        ("MicrosoftWindowsDesktop/office-365/win11-23h2-avd-m365", CLIENT),
        ("MicrosoftWindowsDesktop/windows-ent-cpc/win11-22h2-ent-cpc-m365", CLIENT),
        # developer images of other publishers
        ("MicrosoftVisualStudio/visualstudio2022/vs-2022-comm-latest-win11-n-gen2", CLIENT),
        ("microsoftvisualstudio/visualstudio2022/vs-2022-ent-latest-win10-n-gen2", CLIENT),
        ("microsoftvisualstudio/visualstudio2019/vs-2019-pro-general-win10-m365-gen2", CLIENT),
        ("microsoftvisualstudio/windowsplustools/base-win11-gen2", CLIENT),
        ("MicrosoftVisualStudio/Windows/10-Enterprise-N", CLIENT),
        ("contoso/windows-10-hardened/v1", CLIENT),
        ("contoso/desktops/Windows_11_Pro", CLIENT),
        ("contoso/desktops/win10pro", CLIENT),
        ("contoso/windows-8-1-kiosk/one", NOT_KNOWN),
        # servers that merely hold a year or `win`
        ("microsoftvisualstudio/visualstudio2022/vs-2022-comm-latest-ws2022", SERVER),
        ("microsoftvisualstudio/visualstudio2019latest/vs-2019-ent-latest-ws2019", SERVER),
        ("contoso/images/2022-datacenter", SERVER),
        ("contoso/images/win2019", SERVER),
        ("contoso/images/win-2016", SERVER),
        ("contoso/images/win12r2", SERVER),
        ("contoso/images/windows-server-2012", SERVER),
        ("microsoft-dsvm/dsvm-win-2019/server-2019", SERVER),
        ("microsoft-dsvm/dsvm-win-2022/winserver-2022", SERVER),
        ("microsoftazuresiterecovery/process-server/windows-2012-r2-datacenter", SERVER),
        ("microsoft-ads/windows-data-science-vm/standard-data-science-vm", SERVER),
        ("center-for-internet-security-inc/cis-windows-server-2022-l2/cis-windows-server-2022-l2-gen2", SERVER),
        ("center-for-internet-security-inc/cis-windows-server-2019-v1-0-0-l2/cis-ws2019-l2", SERVER),
        ("microsoftdynamicsax/dynamics/anything", SERVER),
        # names that decide nothing
        ("contoso/images/golden-2024", NOT_KNOWN),
        ("contoso/product-for-windows-10-2-1/standard", NOT_KNOWN),
        ("contoso/product/windows-11-4", NOT_KNOWN),
        ("contoso/darwin11/twin10x", NOT_KNOWN),
        ("contoso/windows-server-2019/upgraded-from-win10", NOT_KNOWN),
        ("contoso/win100/windows1022", NOT_KNOWN),
        ("", NOT_KNOWN),
    ],
)
def test_names_of_images(names: str, edition: Edition) -> None:
    """An image's names tell where nothing better does."""
    assert edition_of(made_from(names)).edition is edition


@pytest.mark.parametrize(
    ("system", "edition"),
    [
        ("Windows 10 Enterprise N", CLIENT),
        ("Windows 10 Enterprise for Virtual Desktops", CLIENT),
        ("Microsoft Windows 11 Enterprise multi-session", CLIENT),
        ("windows 11 pro", CLIENT),
        ("Windows 8.1 Pro", CLIENT),
        ("Windows Server 2008 R2 Datacenter", SERVER),
        ("Windows Server 2012 Datacenter", SERVER),
        ("Windows Server 2022 Datacenter Azure Edition", SERVER),
        ("Microsoft Hyper-V Server 2019", SERVER),
        ("Windows", NOT_KNOWN),
        ("Windows 100", NOT_KNOWN),
    ],
)
def test_the_running_system_decides_where_no_image_is_named(system: str, edition: Edition) -> None:
    """Gallery images and specialised disks: instance views of both kinds of system are recorded."""
    told = edition_of(made_from("", surroundings=Surroundings(os_name=system)))
    assert told.edition is edition
    assert f"instanceView.osName = {system}" in told.evidence
    arc = edition_of(made_from("", os_edition=system))
    assert (arc.edition, f"osSku = {system}" in arc.evidence) == (edition, True)


@pytest.mark.parametrize(
    ("version", "edition"),
    [
        ("10.0.19044.2486", CLIENT),
        ("10.0.22631.3880", CLIENT),
        ("10.0.20348.2655", SERVER),
        ("10.0.17763", NOT_KNOWN),
        ("Microsoft Windows NT 10.0.14393.0", NOT_KNOWN),
        ("10.0.26100.1", NOT_KNOWN),
    ],
)
def test_builds_that_only_one_of_the_two_has(version: str, edition: Edition) -> None:
    """Most builds were released as both, and then tell nothing."""
    assert edition_of(made_from("", surroundings=Surroundings(os_version=version))).edition is edition


@pytest.mark.parametrize(
    ("machine", "edition", "evidence"),
    [
        (
            made_from("MicrosoftWindowsServer/WindowsServer/2022-datacenter", license_type="Windows_Client"),
            CLIENT,
            "licenseType = Windows_Client",
        ),
        (made_from("", license_type="windows_client"), CLIENT, "licenseType = windows_client"),
        (made_from("", license_type="Windows_Server"), SERVER, "licenseType = Windows_Server"),
        (made_from("contoso/win11/a", license_type="Windows_Server"), CLIENT, "imageReference.offer = win11"),
        (
            made_from("", license_type="Windows_Client", surroundings=Surroundings(os_name="Windows Server 2019")),
            SERVER,
            "instanceView.osName = Windows Server 2019",
        ),
        (
            made_from(
                "MicrosoftWindowsServer/WindowsServer/2022-datacenter",
                surroundings=Surroundings(os_name="Windows 11 Pro"),
            ),
            CLIENT,
            "instanceView.osName = Windows 11 Pro",
        ),
        (replace(vm("Linux"), license_type="Windows_Client"), SERVER, "osType = Linux"),
        (replace(vm("Linux"), os_edition="Windows 11 Pro"), CLIENT, "osSku = Windows 11 Pro"),
        (
            replace(made_from(""), image=ImageReference(id="/gallery/images/one")),
            NOT_KNOWN,
            "licenseType = (absent), storageProfile.imageReference.id = /gallery/images/one",
        ),
    ],
)
def test_which_evidence_wins(machine: Machine, edition: Edition, evidence: str) -> None:
    """What runs comes before what is paid for, and that before what a name says; the deciding leaf is told."""
    told = edition_of(machine)
    assert told.edition is edition
    assert evidence in told.evidence


def test_what_follows_for_the_wish() -> None:
    """A client is blocked, a server is not mentioned, and where nothing tells a finding says so without blocking."""

    def verdict(machine: Machine, wanted: WantedSettings = CMS) -> tuple[str | None, set[str]]:
        reasons = reasons_for(machine, wanted)
        block = first_block(reasons)
        told = {reason.rule for reason in reasons} & {"client-os", "edition-not-known"}
        return (block.rule if block else None), told

    assert verdict(made_from("", surroundings=Surroundings(os_name="Windows 11 Pro"))) == ("client-os", {"client-os"})
    assert verdict(made_from("", surroundings=Surroundings(os_name="Windows Server 2022"))) == (None, set())
    assert verdict(made_from("")) == (None, {"edition-not-known"})
    assert verdict(made_from(""), WantedSettings(Orchestration.AUTOMATIC_BY_OS)) == (None, set())
    assert verdict(replace(made_from(""), os=None))[0] == "unknown-os"
    assert verdict(replace(made_from(""), os=OperatingSystem.LINUX)) == (None, set())


@pytest.mark.parametrize(
    ("machine", "kind"),
    [
        (made_from(""), OutcomeKind.UNKNOWN),
        (made_from("", surroundings=Surroundings(os_name="Windows Server 2022")), OutcomeKind.SCHEDULED),
        (made_from("", surroundings=Surroundings(os_name="Windows 11 Pro")), OutcomeKind.INELIGIBLE),
        (made_from("", surroundings=Surroundings(power_state="deallocated")), OutcomeKind.SCHEDULE_FAILS),
        (replace(made_from(""), os=OperatingSystem.LINUX), OutcomeKind.SCHEDULED),
        (machine_from(arc_document("Windows")), OutcomeKind.UNKNOWN),
        (machine_from(arc_document("Windows"), os_edition="Windows Server 2019 Datacenter"), OutcomeKind.SCHEDULED),
    ],
)
def test_what_follows_for_the_outcome(machine: Machine, kind: OutcomeKind) -> None:
    """A schedule patches a server and never a client, so that without knowing which the outcome is not known."""
    outcome = predict(PatchSettings(patch_mode="AutomaticByPlatform", bypass=True), machine, attached())
    assert outcome.kind is kind
    assert ("nothing that was read shows" in outcome.reason) == (kind is OutcomeKind.UNKNOWN)


_WORDS = st.sampled_from(
    [
        "win",
        "windows",
        "10",
        "11",
        "2",
        "server",
        "datacenter",
        "core",
        "g2",
        "azure",
        "win10",
        "ws2019",
        "r2",
        "vs",
        "n",
    ]
)
_NAMES = st.lists(_WORDS, min_size=1, max_size=5).map("-".join)
_YEARS = st.integers(2003, 2030).map(str)


@given(offer=_NAMES, sku=_NAMES, year=_YEARS, glue=st.sampled_from(["-", "", "_"]), at=st.integers(0, 40))
def test_a_year_never_makes_a_client(offer: str, sku: str, year: str, glue: str, at: int) -> None:
    """Wherever a year is put between the words of a sku: what was no client before is none after."""
    before = edition_of(made_from(f"contoso/{offer}/{sku}")).edition
    places = [0, *(found.end() for found in re.finditer("-", sku)), len(sku)]
    place = places[at % len(places)]
    dated = f"{sku[:place]}{glue if place else ''}{year}{glue if place < len(sku) else ''}{sku[place:]}"
    after = edition_of(made_from(f"contoso/{offer}/{dated}")).edition
    assert before is CLIENT or after is not CLIENT, dated


def _recorded() -> Iterator[tuple[dict[str, Any], str]]:
    """Every recorded machine whose instance view names its system, with that name."""
    for path in sorted((SHARED / "recordings").glob("vm_get*/*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))["response"]["body"]
        properties = body.get("properties") if isinstance(body, dict) else None
        name = ((properties or {}).get("instanceView") or {}).get("osName")
        if properties and name:
            yield properties, name


@pytest.mark.skipif(not (SHARED / "recordings").is_dir(), reason="the recorded exchanges are not part of this checkout")
def test_recorded_names_and_systems_agree() -> None:
    """Where the image names something, it never contradicts what the recorded guest said that it runs."""
    compared = 0
    for properties, name in _recorded():
        if properties["storageProfile"]["osDisk"].get("osType") != "Windows":
            continue
        image = properties["storageProfile"].get("imageReference") or {}
        by_image = edition_of(made_from("/".join(image.get(key) or "" for key in ("publisher", "offer", "sku"))))
        running = edition_of(made_from("", surroundings=Surroundings(os_name=name)))
        assert running.edition is not NOT_KNOWN, name
        assert by_image.edition in (running.edition, NOT_KNOWN), (image, name)
        compared += 1
    assert compared >= 20


@pytest.mark.skipif(not SHARED.is_dir(), reason="the facts about Azure's images are not part of this checkout")
def test_no_windows_image_of_the_published_lists_is_a_client() -> None:
    """Every name of the two lists of images that Azure patches, wildcards filled in."""
    lists = json.loads((SHARED / "azure-image-support.json").read_text(encoding="utf-8"))
    rows = [*lists["automatic_guest_patching"]["windows"], *lists["hotpatch_capable"]["rows"]]
    publishers = set(lists["windows_publishers_used_by_policy_when_osType_is_empty"])
    rows += [row for row in lists["schedule_patching_marketplace"]["rows"] if row["publisher"] in publishers]
    names = [
        f"{row['publisher']}/{offer}/{sku}".replace("*", "x")
        for row in rows
        for offer in row["offer"]
        for sku in row["sku"]
    ]
    assert len(names) >= 40
    assert [name for name in names if edition_of(made_from(name)).edition is not SERVER] == []
