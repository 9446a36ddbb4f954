"""A plan's changes as a Terraform configuration of the provider azapi, with azurerm's attributes beside each machine.

`azapi_resource_action` sends the plan's request as it is (PATCH, If-Match), waits for the operation, and does nothing
when it is destroyed. `azapi_update_resource` is not used: it reads the machine, merges the body into it and sends all
of it back by PUT. Source: both resources' code and docs, Azure/terraform-provider-azapi @0499042f.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.plain_text import printable
from patchmode.model.plan import Plan
from patchmode.reports.exports.scripted import (
    BY_ETAG,
    ApiVersion,
    MachineRequest,
    braces,
    comments,
    is_word,
    paragraphs,
    preface,
    sections,
    with_escapes,
)

_RUNNING = (
    "Keep it in a folder of its own, with a state of its own. `terraform apply` asks, changes up to ten machines at "
    "once (-parallelism), and continues with the other machines of a wave where one fails. Then it reads each machine "
    "and compares the settings. Apply it again to continue: what was changed is in the state and is not sent again; "
    "a machine whose change failed may need a new plan (HTTP 412). `terraform destroy` sends nothing and restores "
    "nothing."
)
_WAVES = (
    "no failure budget: a wave begins once every machine of the one before was compared, and a machine that fails "
    "stops the later waves alone"
)
_HEAD = """
A machine that is in the state of another Terraform configuration (azurerm_windows_virtual_machine,
azurerm_linux_virtual_machine) is set back by the next apply there, unless its resource there holds the attributes that
are in the comment above its block here. Applied there, they are all it needs: leave its blocks here out. Do not change
automatic_updates_enabled (enable_automatic_updates) there: that recreates the machine. azurerm_virtual_machine has no
such attributes, nor have the instances of azurerm_orchestrated_virtual_machine_scale_set.

It needs Terraform 1.4 and azapi 2.3, or later. azapi_update_resource is not used, because it sends the whole machine
back by PUT. No test of patchmode runs Terraform: read `terraform plan`, and try it with one machine first.
"""
_ENVIRONMENTS = {"AzureCloud": "public", "AzureUSGovernment": "usgovernment", "AzureChinaCloud": "china"}
_ATTRIBUTES = {
    "patchMode": "patch_mode",
    "assessmentMode": "patch_assessment_mode",
    "enableHotpatching": "hotpatching_enabled",
    "bypassPlatformSafetyChecksOnUserSchedule": "bypass_platform_safety_checks_on_user_schedule_enabled",
    "rebootSetting": "reboot_setting",
}
"""Member of the patch settings → azurerm's attribute. Source: both resources' pages, and the provider's #22349."""


def terraform_file(plan: Plan, source: str, api_version: ApiVersion) -> Iterator[str]:
    """The configuration, in pieces.

    Args:
        plan: with at least one change.
        source: the plan file's name.
        api_version: of each kind of machine.
    """
    head = preface(plan, source, precondition=BY_ETAG, running=_RUNNING, it="this configuration", waves=_WAVES)
    yield from (f"{line}\n" for line in comments((*head, *paragraphs(_HEAD))))
    yield from _providers(plan)
    number, before = 0, ""
    compared: list[str] = []
    for place, section in enumerate(sections(plan, api_version)):
        if section.title:
            yield f"\n# {section.title}\n"
        if compared:
            before = f"terraform_data.section_{place}"
            needed = "".join(f"    {one},\n" for one in compared)
            yield f'\nresource "terraform_data" "section_{place}" {{\n  depends_on = [\n{needed}  ]\n}}\n'
        compared = []
        for request in section.requests:
            number += 1
            compared.append(f"data.azapi_resource.machine_{number}")
            yield _machine(request, number, f"{number} of {len(plan.changes)} {request.name}", before)


def _providers(plan: Plan) -> Iterator[str]:
    yield (
        '\nterraform {\n  required_version = ">= 1.4"\n  required_providers {\n    azapi = {\n'
        '      source  = "Azure/azapi"\n      version = ">= 2.3"\n    }\n  }\n}\n'
    )
    environment = _ENVIRONMENTS.get(plan.target.cloud)
    named = (
        f"# Set the endpoint of {printable(plan.target.endpoint)} here."
        if environment is None
        else f"environment = {quoted(environment)}"
    )
    yield f'\nprovider "azapi" {{\n  tenant_id   = {quoted(plan.target.tenant_id)}\n  {named}\n}}\n'


def _machine(request: MachineRequest, number: int, place: str, before: str) -> str:
    change = request.change
    named = f"  type        = {quoted(request.resource_type)}\n  resource_id = {quoted(str(change.id))}\n"
    guarded = "" if request.etag is None else f'  headers = {{\n    "If-Match" = {quoted(request.etag)}\n  }}\n'
    waits = f"  depends_on = [{before}]\n" if before else ""
    body = braces(change.body, quoted, between=" = ", indent=2)
    shown = ["properties.provisioningState", *request.expected]
    exported = "".join(f"    {quoted(path)},\n" for path in shown)
    conditions = "".join(f"        {_condition(path, value)},\n" for path, value in _expected(request))
    message = quoted(f"{place}: not as planned.")
    return (
        f"\n# {place}\n# {request.told}\n{_azurerm(request)}"
        f'resource "azapi_resource_action" "machine_{number}" {{\n{named}  method      = "PATCH"\n{guarded}'
        f"  body = {body}\n{waits}}}\n\n"
        f'data "azapi_resource" "machine_{number}" {{\n{named}  response_export_values = [\n{exported}  ]\n'
        f"  depends_on = [azapi_resource_action.machine_{number}]\n\n"
        f"  lifecycle {{\n    postcondition {{\n      condition = alltrue([\n{conditions}      ])\n"
        f"      error_message = {message}\n    }}\n  }}\n}}\n"
    )


def _expected(request: MachineRequest) -> Iterator[tuple[str, str | bool]]:
    yield "properties.provisioningState", "Succeeded"
    yield from request.expected.items()


def _condition(path: str, value: str | bool) -> str:
    absent = "false" if value is False else "null"
    steps = "".join(f".{one}" if is_word(one) else f"[{quoted(one)}]" for one in path.split("."))
    shown = quoted(value) if isinstance(value, str) else str(value).lower()
    return f"try(self.output{steps}, {absent}) == {shown}"


def _azurerm(request: MachineRequest) -> str:
    """The attributes with which azurerm keeps the settings, as comments; they can be pasted without the marks."""
    if request.change.kind is MachineKind.ARC:
        return "# azurerm has no attributes for an Arc server's patch settings.\n"
    system = "windows" if request.change.os is OperatingSystem.WINDOWS else "linux"
    attributes = dict(_attributes(request.change.after))
    width = max(map(len, attributes), default=0)
    lines = [f'resource "azurerm_{system}_virtual_machine" "NAME" {{']
    lines += [f"  {name:{width}} = {value}" for name, value in attributes.items()]
    return "".join(f"# {line}\n" for line in (*lines, "}"))


def _attributes(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What azurerm takes; it refuses both members of automaticByPlatformSettings beside another patch mode."""
    nested = settings.get("automaticByPlatformSettings")
    platform = nested if settings.get("patchMode") == "AutomaticByPlatform" and isinstance(nested, Mapping) else {}
    known = {**settings, **platform}
    for name, attribute in _ATTRIBUTES.items():
        value = known.get(name)
        if isinstance(value, str | bool):
            yield attribute, quoted(value) if isinstance(value, str) else str(value).lower()


def quoted(text: str) -> str:
    r"""A text as a string of HCL in which nothing is replaced.

    `${` and `%{` begin a template; written as `\u0024{` the sign is read as one after templates were looked for.
    Source: the HCL native syntax specification, hashicorp/hcl.
    """
    known = {'"': r"\"", "\\": r"\\", "$": r"\u0024", "%": r"\u0025"}
    return f'"{with_escapes(text, known)}"'
