"""Virtual machines in Terraform's configuration: the resources of azurerm and azapi, as each module call has them.

Must not: judge. Sources: hashicorp/terraform-provider-azurerm, website/docs/r/linux_virtual_machine.html.markdown and
windows_virtual_machine.html.markdown (defaults), internal/services/compute/linux_virtual_machine_resource.go @0102f942
(`patch_mode` is computed there, and the bypass flag defaults to false).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from patchmode.model.iac import DeclaredMachine, Omission, Part, Term, Tool
from patchmode.rules.iac.arm import IS_MACHINE, arm_settings, machine_os
from patchmode.rules.iac.hcl import Block, HclFile, evaluated
from patchmode.rules.iac.modules import Located, Scope, modules_of, scopes, values_of
from patchmode.rules.iac.syntax import text_of

ARGUMENTS: Mapping[Part, tuple[str, ...]] = {
    Part.MODE: ("patch_mode",),
    Part.BYPASS: ("bypass_platform_safety_checks_on_user_schedule_enabled",),
    Part.HOTPATCH: ("hotpatching_enabled",),
    Part.AGENT: ("provision_vm_agent",),
    Part.AUTOMATIC_UPDATES: ("automatic_updates_enabled", "enable_automatic_updates"),
}
"""Setting → azurerm's arguments for it, today's first."""
LINUX, WINDOWS, LEGACY = "azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine", "azurerm_virtual_machine"
AZAPI = "azapi_resource"
MANAGED = {LINUX: "linux", WINDOWS: "windows"}
_NAMES = {part: names[0] for part, names in ARGUMENTS.items()}
_INSIDE = {
    "patch_mode": {Part.MODE},
    "bypass_platform_safety_checks_on_user_schedule_enabled": {Part.BYPASS},
    "all": {Part.MODE, Part.BYPASS},
    "body": {Part.MODE, Part.BYPASS},
}


def terraform_machines(
    files: Iterable[HclFile], tfvars: Iterable[HclFile]
) -> tuple[Sequence[DeclaredMachine], Sequence[str]]:
    """Every machine of a configuration, and the calls of modules that are not among the files.

    Args:
        files: `.tf` files of any number of folders.
        tfvars: values for their variables.
    """
    modules = modules_of(files)
    uses, elsewhere = scopes(modules, values_of(tfvars, modules))
    return [machine for scope in uses for machine in _machines(scope)], elsewhere


def _machines(scope: Scope) -> Iterator[DeclaredMachine]:
    for one in scope.module.blocks("resource"):
        if len(one.block.labels) != 2 or _is_none(scope, one.block):
            continue
        kind = one.block.labels[0]
        if kind in MANAGED:
            yield _managed(scope, one, MANAGED[kind])
        elif kind == LEGACY:
            yield _legacy(scope, one)
        elif kind == AZAPI and _azapi_type(scope, one.block).startswith(IS_MACHINE):
            yield _azapi(scope, one)


def _is_none(scope: Scope, block: Block) -> bool:
    """Whether `count = 0` says that there is none."""
    count = scope.attribute(block, "count")
    return count is not None and count.is_literal and str(count.value) == "0"


def _managed(scope: Scope, one: Located, system: str) -> DeclaredMachine:
    block = one.block
    settings: dict[Part, Term] = {}
    names = dict(_NAMES)
    for part, arguments in ARGUMENTS.items():
        for name in arguments:
            term = scope.attribute(block, name)
            if term is not None:
                settings[part], names[part] = term if part is Part.MODE else _as_bool(term), name
    disk = scope.attribute(block, "os_managed_disk_id")
    # Of a variable that may be null it is not known; the settings then say more.
    attached = disk is not None and (disk.is_literal or disk.text.startswith(("azurerm_", "data.", "module.")))
    return _declared(scope, one, system, settings, names, Omission.NOT_MANAGED if attached else Omission.DEFAULT)


def _as_bool(term: Term) -> Term:
    """A text as Terraform converts it for an argument that is a boolean.

    Source: Terraform's documentation of types, "Type Conversion": "true" and "false" become booleans; its library cty
    takes "1" and "0" as well.
    """
    known: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}
    flag = known.get(term.value) if term.is_literal and isinstance(term.value, str) else None
    return term if flag is None else replace(term, value=flag)


def _legacy(scope: Scope, one: Located) -> DeclaredMachine:
    windows = any(one.block.inner("os_profile_windows_config"))
    linux = any(one.block.inner("os_profile_linux_config"))
    system = "windows" if windows and not linux else "linux" if linux and not windows else ""
    return _declared(scope, one, system, {}, {}, Omission.CANNOT)


def _azapi_type(scope: Scope, block: Block) -> str:
    found = scope.attribute(block, "type")
    return found.value.casefold() if found is not None and isinstance(found.value, str) else ""


def _azapi(scope: Scope, one: Located) -> DeclaredMachine:
    body = scope.attribute(one.block, "body")
    return _declared(
        scope, one, machine_os(body), arm_settings(body), {part: part.value for part in Part}, Omission.UNCONFIRMED
    )


def _declared(
    scope: Scope,
    one: Located,
    system: str,
    settings: Mapping[Part, Term],
    names: Mapping[Part, str],
    omission: Omission,
) -> DeclaredMachine:
    block = one.block
    # An argument that is written as null is absent, and a second one would be refused.
    is_null = any(
        name in block.attributes
        for part in (Part.MODE, Part.BYPASS)
        if part not in settings
        for name in ARGUMENTS[part]
    )
    can_be_edited = omission is Omission.DEFAULT and not is_null
    return DeclaredMachine(
        tool=Tool.TERRAFORM,
        address=scope.prefix + ".".join(block.labels),
        kind=block.labels[0],
        os=system,
        path=one.path,
        line=block.line,
        end_line=block.end_line,
        settings=settings,
        names=names,
        omission=omission,
        ignored=frozenset(_ignored(block)),
        via=scope.via,
        insert_at=block.opened_at if can_be_edited else None,
        insert_indent=block.indent,
    )


def _ignored(block: Block) -> Iterator[Part]:
    """The settings that `lifecycle { ignore_changes = … }` names: those of a list of names, or all."""
    for inner in block.inner("lifecycle"):
        node = inner.attributes.get("ignore_changes")
        if node is None:
            continue
        written = evaluated(node, lambda _: None)
        names = [term.text or str(term.value) for term in written.items] or [text_of(node)]
        for name in names:
            # body.properties.osProfile… of azapi is about some of it, and is counted for all of it.
            yield from _INSIDE.get(name.strip().strip('"').partition(".")[0], ())
