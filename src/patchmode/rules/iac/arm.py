"""A machine's document as Azure Resource Manager takes it, wherever it is written: ARM templates, Bicep, azapi, Pulumi.

Must not: know a language. Source of the members: Microsoft.Compute/virtualMachines, azure-mgmt-compute 39.0.0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from patchmode.model.iac import DeclaredMachine, Omission, Part, Term, TermKind, Tool
from patchmode.rules.iac.syntax import member, text_at

MACHINE_TYPE = "microsoft.compute/virtualmachines"
IS_MACHINE = f"{MACHINE_TYPE}@"
"""What the type of a resource begins with where its api-version is part of it."""
CONFIGURATIONS = {"windows": "windowsConfiguration", "linux": "linuxConfiguration"}
_PLACES: Mapping[Part, tuple[str, ...]] = {
    Part.MODE: ("patchSettings", "patchMode"),
    Part.BYPASS: ("patchSettings", "automaticByPlatformSettings", "bypassPlatformSafetyChecksOnUserSchedule"),
    Part.HOTPATCH: ("patchSettings", "enableHotpatching"),
    Part.AGENT: ("provisionVMAgent",),
    Part.AUTOMATIC_UPDATES: ("enableAutomaticUpdates",),
}
NAMES = {part: part.value for part in Part}


def machine_os(document: Term | None) -> str:
    """`linux` or `windows`; empty: the document does not say.

    Args:
        document: has `properties`, or is what they hold (Pulumi).
    """
    properties = _properties(document)
    for system, configuration in CONFIGURATIONS.items():
        if member(properties, "osProfile", configuration) is not None and not _is_unknown(properties, "osProfile"):
            return system
    written = text_at(properties, "storageProfile", "osDisk", "osType").casefold()
    if written in CONFIGURATIONS:
        return written
    # The publisher of Windows' images, as POL-P of Azure's built-in policies reads it.
    publisher = text_at(properties, "storageProfile", "imageReference", "publisher").casefold()
    return "windows" if publisher.startswith("microsoftwindows") else ""


def arm_settings(document: Term | None) -> Mapping[Part, Term]:
    """The settings of a machine's document; what it leaves out, or sets to null, is absent.

    Args:
        document: as for `machine_os`. What is below an expression is that expression.
    """
    profile = member(_properties(document), "osProfile")
    if profile is None:
        return {}
    if profile.kind is TermKind.EXPRESSION:
        return {Part.MODE: profile, Part.BYPASS: profile}
    found: dict[Part, Term] = {}
    for configuration in CONFIGURATIONS.values():
        below = member(profile, configuration)
        for part, names in _PLACES.items() if below is not None else ():
            term = member(below, *names)
            if term is not None and (part in {Part.MODE, Part.BYPASS} or term.is_literal):
                found.setdefault(part, term)
    return found


def _properties(document: Term | None) -> Term | None:
    return member(document, "properties") or document


def _is_unknown(term: Term | None, name: str) -> bool:
    found = member(term, name)
    return found is not None and found.kind is TermKind.EXPRESSION


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a machine's document is."""

    tool: Tool
    path: str
    line: int
    end_line: int
    via: str = ""


def template_machine(origin: Origin, name: str, kind: str, document: Term | None) -> DeclaredMachine:
    """A machine whose document is sent whole.

    Args:
        origin: where it is.
        name: what it is called there.
        kind: the type, without an api-version.
        document: as for `machine_os`.
    """
    return DeclaredMachine(
        tool=origin.tool,
        address=f"{kind}/{name}",
        kind=kind,
        os=machine_os(document),
        path=origin.path,
        line=origin.line,
        end_line=origin.end_line,
        settings=arm_settings(document),
        names=NAMES,
        omission=Omission.UNCONFIRMED,
        via=origin.via,
    )
