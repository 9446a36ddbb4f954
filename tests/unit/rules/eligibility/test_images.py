"""Pattern matching as the policy and the documentation mean it."""

import pytest

from patchmode.model.machine import ImageReference
from patchmode.rules.eligibility import images
from patchmode.rules.eligibility.images import (
    automatic_guest_patching,
    custom_image_systems,
    hotpatch_capable,
    schedule_patching,
    schedule_patching_excluded,
)


def named(text: str) -> ImageReference:
    """`publisher/offer/sku` as a reference."""
    publisher, offer, sku = text.split("/")
    return ImageReference(publisher, offer, sku)


@pytest.mark.parametrize(
    ("image", "listed"),
    [
        ("canonical/anything/at-all", True),
        ("CANONICAL/0001-com-ubuntu-server-jammy/22_04-LTS", True),
        ("MicrosoftWindowsServer/WindowsServer/2022-datacenter", True),
        ("microsoftwindowsserver/windowsserver-hub/2016-datacenter-hub", True),
        ("microsoftwindowsserver/windowsserver-hub/2019-datacenter-hub", False),
        ("microsoftsqlserver/sql2022-ws2022/enterprise", True),
        ("microsoftsqlserver/sql2019-rhel7/enterprise", False),
        ("microsoftsqlserver/sql2019-sles15/enterprise", False),
        ("redhat/rhel/8_6", True),
        ("redhat/rhel/74-gen2", False),
        ("redhat/rhel/6.10", False),
        ("redhat/rhel-sap/7.4", False),
        ("openlogic/centos/8_5", True),
        ("openlogic/centos-hpc/7.7", False),
        ("suse/sles-12-sp5-basic/gen2", True),
        ("suse/sles-15-sp6/gen2", False),
        ("suse/sles-15-sp6*/gen2", True),
        ("almalinux/almalinux/9-gen2", True),
        ("almalinux/almalinux/9-GEN", True),
        ("almalinux/almalinux/10-gen2", False),
        ("contoso/appliance/v1", False),
        ("canonical.evil/ubuntu/22", False),
    ],
)
def test_schedule_patching(image: str, listed: bool) -> None:
    """Wildcards, exclusions, and the pattern that the policy compares with equals, so that it never matches."""
    assert schedule_patching().names(named(image)) is listed


@pytest.mark.parametrize(
    ("image", "listed"),
    [
        ("MicrosoftWindowsServer/WindowsServer/2019-Datacenter", True),
        ("microsoftwindowsserver/windowsserver/2019-datacenter-unheard-of", False),
        ("canonical/ubuntu-24_04-lts/server", True),
        ("canonical/ubuntu-24_04-lts/serve", False),
        ("microsoftwindowsserver/windows-cvm/2022-datacenter-cvm", False),
    ],
)
def test_automatic_guest_patching_is_exact(image: str, listed: bool) -> None:
    """Publisher, offer and sku must all be named."""
    assert automatic_guest_patching().names(named(image)) is listed


@pytest.mark.parametrize(
    ("image", "listed"),
    [
        ("openlogic/centos/8_5", True),
        ("openlogic/centos/7_9", False),
        ("redhat/rhel-ha/81_gen2", True),
        ("center-for-internet-security-inc/cis-windows-server/cis-windows-server-l1-azure-observability", True),
    ],
)
def test_exclusions(image: str, listed: bool) -> None:
    """What the support matrix names as unsupported."""
    assert schedule_patching_excluded().names(named(image)) is listed


def test_hotpatch_images() -> None:
    """Azure editions, and the preview offer that only the portal knows."""
    assert hotpatch_capable().names(named("MicrosoftWindowsServer/WindowsServer/2025-datacenter-azure-edition"))
    assert hotpatch_capable().names(
        named(
            "microsoftwindowsserver/microsoftserveroperatingsystems-previews/windows-server-2025-azure-edition-hotpatch"
        )
    )
    assert not hotpatch_capable().names(named("MicrosoftWindowsServer/WindowsServer/2022-datacenter"))


@pytest.mark.parametrize(
    "image",
    [
        ImageReference(),
        ImageReference(id="/images/i"),
        ImageReference("canonical"),
        ImageReference("canonical", "x"),
        ImageReference("canonical", None, "x"),
        ImageReference(None, "x", "x"),
    ],
)
def test_only_marketplace_images_are_named(image: ImageReference) -> None:
    """A gallery image is on no marketplace list."""
    assert not schedule_patching().names(image)


def test_each_list_says_where_it_comes_from() -> None:
    """A finding quotes its source."""
    for one in (schedule_patching(), schedule_patching_excluded(), automatic_guest_patching(), hotpatch_capable()):
        assert images._document()[one.key]["rows"]
        assert one.source
    assert "Windows Server 2012" in custom_image_systems()
    assert "AlmaLinux 8/9" in custom_image_systems()
