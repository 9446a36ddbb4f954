"""Whether a machine runs a desktop edition of Windows: client, server or not known, from everything the service tells.

What the guest itself reports comes first, then what the machine is licensed as, then the names of its image. A name
that says both, or reads like a version number (`windows-10-2-1`), decides nothing: a server must never be left out for
a year or a number in the name of its image.

Must not: say what a client means for patching; `owner_checks` does.

Sources: recorded instance views (`osName` is `Windows 10 Enterprise N`, `Windows Server 2016 Datacenter`; it is there
only while the agent reports); azure-mgmt-compute, `licenseType` (`Windows_Client` and `Windows_Server` are its values
for Windows); the image names of Microsoft's own list (`windowsserver`, `vs-…-ws2022`, `dsvm-win-2019`) and of recorded
machines (`win10-21h2-entn-g2`); public templates for the clients of Visual Studio (`vs-2022-comm-latest-win11-n-gen2`).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

from patchmode.model.finding import Reason
from patchmode.model.machine import ImageReference, Machine
from patchmode.model.patch_settings import OperatingSystem, WantedSettings
from patchmode.rules.eligibility.images import schedule_patching
from patchmode.rules.rule import WARNS, Rule
from patchmode.rules.settings.transitions import needs_platform


class Edition(StrEnum):
    """What sort of system a machine runs."""

    CLIENT = "client"
    """A desktop edition of Windows, multi-session ones included."""
    SERVER = "server"
    """Windows Server, or no Windows at all."""
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class ToldEdition:
    """An edition and the leaf that decided it; for `NOT_KNOWN` the leaves that were looked at in vain."""

    edition: Edition
    evidence: str


def edition_of(machine: Machine) -> ToldEdition:
    """Whether the machine runs a Windows client.

    Args:
        machine: from any source. Resource Graph and an instance view tell the running system, a document alone does
            not: it decides by licence and image then.
    """
    for tell in _TELLERS:
        found = tell(machine)
        if found is not None:
            return found
    return ToldEdition(Edition.NOT_KNOWN, _looked_at(machine))


# ------------------------------------------------------------------------------------------------ the running system

_RUNS_CLIENT = re.compile(r"(?:microsoft )?windows (?:7|8|8\.1|10|11)\b", re.IGNORECASE)
_BUILDS = {
    **dict.fromkeys(("19043", "19044", "19045", "22000", "22621", "22631"), Edition.CLIENT),
    **dict.fromkeys(("20348", "25398"), Edition.SERVER),
}
"""Builds that were released as one of the two only. Source: Microsoft's release information of Windows 10, Windows 11
and Windows Server; most builds (14393, 17763, 26100) were both. A recorded Windows 10 has 10.0.19044."""
_BUILD = re.compile(r"\b10\.0\.(\d{5})\b")


def _by_running_system(machine: Machine) -> ToldEdition | None:
    around = machine.surroundings
    for leaf, name in (("instanceView.osName", around.os_name), ("osSku", machine.os_edition)):
        edition = _edition_named(name or "")
        if edition is not None:
            return ToldEdition(edition, f"{leaf} = {name}")
    build = _BUILD.search(around.os_version or "")
    edition = _BUILDS.get(build[1]) if build else None
    return None if edition is None else ToldEdition(edition, f"instanceView.osVersion = {around.os_version}")


def _edition_named(system: str) -> Edition | None:
    if "server" in system.lower():
        return Edition.SERVER
    return Edition.CLIENT if _RUNS_CLIENT.match(system.strip()) else None


def _by_system_type(machine: Machine) -> ToldEdition | None:
    return ToldEdition(Edition.SERVER, "osType = Linux") if machine.os is OperatingSystem.LINUX else None


# ------------------------------------------------------------------------------------------------ licence and image


def _by_client_licence(machine: Machine) -> ToldEdition | None:
    return _by_licence(machine, "windows_client", Edition.CLIENT)


def _by_server_licence(machine: Machine) -> ToldEdition | None:
    return _by_licence(machine, "windows_server", Edition.SERVER)


def _by_licence(machine: Machine, value: str, edition: Edition) -> ToldEdition | None:
    licence = machine.license_type or ""
    return ToldEdition(edition, f"licenseType = {licence}") if licence.lower() == value else None


_PUBLISHERS = {"microsoftwindowsdesktop": Edition.CLIENT, "microsoftwindowsserver": Edition.SERVER}


def _by_publisher(machine: Machine) -> ToldEdition | None:
    publisher = machine.image.publisher or ""
    edition = _PUBLISHERS.get(publisher.lower())
    return None if edition is None else ToldEdition(edition, f"{_IMAGE}.publisher = {publisher}")


_IMAGE = "storageProfile.imageReference"
_WINDOWS = frozenset({"win", "windows"})
_CLIENT_NUMBERS = frozenset({"7", "8", "81", "10", "11"})
_CLIENT_WORD = re.compile(r"win(?:dows)?(?:7|8|81|10|11)(?!\d|r2)[a-z0-9]*")
_SERVER_WORD = re.compile(
    r"server\d*|(?:win|windows)server[a-z0-9]*|datacenter[a-z0-9]*"
    r"|(?:ws|win|windows)(?:20\d\d|08|12|16|19|22|25)(?:r2)?"
)
_YEAR = re.compile(r"20\d\d(?:r2)?")


def _by_names(machine: Machine) -> ToldEdition | None:
    return _told_by_names(machine.image)


@lru_cache(maxsize=4096)  # fleets are made from few images
def _told_by_names(image: ImageReference) -> ToldEdition | None:
    """What offer and sku say together; nothing where they say both."""
    told = list(_named(image))
    editions = {entry.edition for entry in told}
    return told[0] if len(editions) == 1 else None


def _named(image: ImageReference) -> Iterator[ToldEdition]:
    """What each of an image's names says, the sku first: it is the more exact."""
    offer, sku = image.offer or "", image.sku or ""
    # Of an offer that is just called Windows, the sku begins with the number.
    words = {"sku": _words(f"windows-{sku}" if offer.lower() == "windows" else sku), "offer": _words(offer)}
    for leaf, name in (("sku", sku), ("offer", offer)):
        evidence = f"{_IMAGE}.{leaf} = {name}"
        if _says_client(words[leaf]):
            yield ToldEdition(Edition.CLIENT, evidence)
        if _says_server(words[leaf]):
            yield ToldEdition(Edition.SERVER, evidence)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def _says_client(words: Sequence[str]) -> bool:
    if any(_CLIENT_WORD.fullmatch(word) for word in words):
        return True
    followers = [*words[2:], ""]
    # `windows-10-2-1` is the version of some product for Windows.
    return any(
        first in _WINDOWS and second in _CLIENT_NUMBERS and not third.isdecimal()
        for (first, second), third in zip(pairwise(words), followers, strict=False)
    )


def _says_server(words: Sequence[str]) -> bool:
    years = (first in _WINDOWS and _YEAR.fullmatch(second) is not None for first, second in pairwise(words))
    return any(_SERVER_WORD.fullmatch(word) for word in words) or any(years)


def _by_list(machine: Machine) -> ToldEdition | None:
    """Every Windows image of the policy's list is a server."""
    image = machine.image
    if not schedule_patching().names(image):
        return None
    return ToldEdition(Edition.SERVER, schedule_patching().evidence(image))


def _looked_at(machine: Machine) -> str:
    around, image = machine.surroundings, machine.image
    names = "/".join(name or "(absent)" for name in (image.publisher, image.offer, image.sku))
    made_from = f"{_IMAGE}.id = {image.id}" if image.id and not image.is_marketplace else f"image {names}"
    running = f"osSku = {machine.os_edition or '(absent)'}" if machine.os_edition else ""
    told = (f"instanceView.osName = {around.os_name or '(absent)'}", running)
    licence = f"licenseType = {machine.license_type or '(absent)'}"
    return ", ".join(part for part in (*told, licence, made_from) if part)


_TELLERS: tuple[Callable[[Machine], ToldEdition | None], ...] = (
    _by_running_system,
    _by_system_type,
    _by_client_licence,
    _by_publisher,
    _by_names,
    _by_server_licence,
    _by_list,
)
"""The first that has something to say decides."""


# ------------------------------------------------------------------------------------------------ the check


def check_edition(machine: Machine, wanted: WantedSettings) -> Iterator[Reason]:
    """A Windows of which nothing tells whether it is a client; it stays eligible.

    A server that is left out stays unpatched unseen; a client that is prepared costs one change without effect.
    """
    told = edition_of(machine)
    if machine.os is OperatingSystem.WINDOWS and told.edition is Edition.NOT_KNOWN and needs_platform(wanted):
        yield EDITION_NOT_KNOWN.warns(
            "Nothing that was read shows whether the machine runs Windows Server or a Windows client, which Azure "
            "Update Manager does not support. It stays eligible.",
            told.evidence,
        )


EDITION_NOT_KNOWN = Rule(
    "edition-not-known",
    "nothing shows whether it runs Windows Server or a Windows client",
    WARNS,
    """
    What: Nothing that was read shows whether the machine runs Windows Server or a Windows client.
    Severity: Warns; where a schedule would patch the machine, the outcome is `unknown`. It is eligible nevertheless: a
    server that is left out would not be patched and nobody would see it; a client that is prepared is one change
    without effect.
    Why: Update Manager does not support Windows clients. A machine from a gallery image or an attached disk names no
    image that would show it, and the name of its system is there only while its agent reports.
    Evidence: `instanceView.osName`, `licenseType` and the image as read. Resource Graph shows the running system; where
    that query is refused, and only the providers' lists can be read, it is not known.
    Fix: Start it, or repair its VM agent, and audit again: a running system reports its name. Exclude it if it is a
    client.
    Source: Recorded instance views: `osName` is there only where the agent reports.
    """,
    check=check_edition,
)
