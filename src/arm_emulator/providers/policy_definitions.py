"""Update Manager's built-in policy definitions that change patch settings, in the form in which Azure publishes them.

The rules are made from the emulator's own list of images (`compute/images.json`), clause for clause as the published
definitions have them; the templates that they deploy are left out, since nothing deploys them here.

Source: Azure/azure-policy, "built-in-policies/policyDefinitions/Azure Update Manager": CustomerManagedSchedules_DINE
(list of images: 1.3.0), CRP_AutoAssessmentMode_Modify (clauses: 4.8.0; its own list of images is shorter and is not
held here), ScheduledPatching_DINE (clauses: 3.12.0).
"""

from functools import lru_cache
from typing import Any

from arm_emulator.providers.compute.images import scheduled_rows
from arm_emulator.state import Document

Json = dict[str, Any]
PREREQUISITE = "9905ca54-1471-49c6-8291-7582c04cd4d4"
PERIODIC_ASSESSMENT = "59efceea-0c96-497e-a4a1-4eb2290dac15"
RECURRING_UPDATES = "ba0df93e-e4ac-479a-aac2-134bbae39a1a"
_ROLE = "/providers/microsoft.authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"
_VM = "Microsoft.Compute/virtualMachines"
_ARC = "Microsoft.HybridCompute/machines"
_ASSIGNED = "Microsoft.Maintenance/configurationAssignments"
EXCEPT: dict[tuple[str, str], tuple[tuple[str, str, object], ...]] = {
    ("microsoftsqlserver", "*"): (
        ("Offer", "notLike", "sql2019-sles*"),
        ("Offer", "notIn", ["sql2019-rhel7", "sql2017-rhel7"]),
    ),
    ("openlogic", "*"): (("Offer", "notEquals", "centos-hpc"),),
    ("redhat", "rhel"): (("Sku", "notEquals", "74-gen2"),),
    ("redhat", "rhel-ha"): (("Sku", "notEquals", "81_gen2"),),
    ("redhat", "rhel-sap"): (("Sku", "notIn", ["7.4", "7.5", "7.7"]),),
    ("redhat", "rhel-sap-ha"): (("Sku", "notEquals", "7.5"),),
    ("center-for-internet-security-inc", "cis-windows-server"): (
        ("Sku", "notLike", "cis-windows-server-l*-azure-observability"),
    ),
}
"""Publisher and first offer of a row → what it leaves out."""
COMPARED_WHOLE = frozenset({"sles-15-sp6*", "arcgis-enterprise*"})
"""Patterns of offers that the published definition compares with `equals`, so that their wildcard matches nothing."""
_OS_TYPE = f"{_VM}/storageProfile.osDisk.osType"


@lru_cache(maxsize=1)
def built_in_policies() -> dict[str, Document]:
    """Name of the definition → its document."""
    made = (_prerequisite(), _periodic_assessment(), _recurring_updates())
    return {one["name"]: one for one in made}


def _document(name: str, title: str, version: str, parameters: Json, rule: Json) -> Document:
    return {
        "properties": {
            "displayName": title,
            "policyType": "BuiltIn",
            "mode": "Indexed",
            "metadata": {"version": version, "category": "Azure Update Manager"},
            "version": version,
            "parameters": parameters,
            "policyRule": rule,
            "versions": [version],
        },
        "id": f"/providers/Microsoft.Authorization/policyDefinitions/{name}",
        "type": "Microsoft.Authorization/policyDefinitions",
        "name": name,
    }


def _prerequisite() -> Document:
    rule = {
        "if": {
            "allOf": [
                _equals("type", _VM),
                _any(_is_empty("operatingSystemTypes"), _all(_systems())),
                *_narrowed(),
                _any(_images()),
            ]
        },
        "then": {
            "effect": "[parameters('effect')]",
            "details": {
                "roleDefinitionIds": [_ROLE],
                "type": _VM,
                "name": "[field('name')]",
                "evaluationDelay": "AfterProvisioningSuccess",
                "existenceCondition": _any(_is_set("windows"), _is_set("linux")),
            },
        },
    }
    title = "Set prerequisite for Scheduling recurring updates on Azure virtual machines."
    return _document(PREREQUISITE, title, "1.3.0", _parameters(), rule)


def _recurring_updates() -> Document:
    is_vm, is_arc = {"field": "type", "in": [_VM]}, {"field": "type", "in": [_ARC]}
    rule = {
        "if": {
            "allOf": [
                {"field": "type", "in": [_ARC, _VM]},
                _any(
                    _is_empty("operatingSystemTypes"),
                    _all(is_arc, {"field": f"{_ARC}/osName", "in": "[parameters('operatingSystemTypes')]"}),
                    _all(is_vm, _systems()),
                ),
                *_narrowed(),
                _any(is_arc, _all(is_vm, _images())),
            ]
        },
        "then": {
            "effect": "[parameters('effect')]",
            "details": {
                "roleDefinitionIds": [_ROLE],
                "type": _ASSIGNED,
                "evaluationDelay": "AfterProvisioningSuccess",
                "existenceCondition": _equals(
                    f"{_ASSIGNED}/maintenanceConfigurationId", "[parameters('maintenanceConfigurationResourceId')]"
                ),
            },
        },
    }
    own = {"maintenanceConfigurationResourceId": {"type": "String", "metadata": {"assignPermissions": True}}}
    title = "Schedule recurring updates using Azure Update Manager"
    return _document(RECURRING_UPDATES, title, "3.12.0", {**own, **_parameters()}, rule)


def _periodic_assessment() -> Document:
    modes = {name: f"{_VM}/osProfile.{name}Configuration.patchSettings.assessmentMode" for name in ("windows", "linux")}
    tags = "if(empty(field('tags')), 0, length(intersection(parameters('tagValues'), field('tags'))))"
    rule = {
        "if": {
            "allOf": [
                _equals("type", _VM),
                _any(_is_empty("locations"), {"field": "location", "in": "[parameters('locations')]"}),
                {
                    "field": f"[if(equals(tolower(parameters('osType')), 'windows'), '{modes['windows']}', "
                    f"'{modes['linux']}')]",
                    "notEquals": "[parameters('assessmentMode')]",
                },
                _any(
                    _is_empty("tagValues"),
                    _all(_operator("Any"), {"value": f"[greaterOrEquals({tags}, 1)]", "equals": True}),
                    _all(
                        _operator("All"),
                        {"value": f"[equals({tags}, length(parameters('tagValues')))]", "equals": True},
                    ),
                ),
                _any(*(_all(_of_system(one), _images()) for one in ("Linux", "Windows"))),
            ]
        },
        "then": {
            "effect": "modify",
            "details": {
                "roleDefinitionIds": [_ROLE],
                "conflictEffect": "audit",
                "operations": [
                    {
                        "condition": f"[equals(tolower(parameters('osType')), '{name}')]",
                        "operation": "addOrReplace",
                        "field": alias,
                        "value": "[parameters('assessmentMode')]",
                    }
                    for name, alias in modes.items()
                ],
            },
        },
    }
    parameters = {
        "assessmentMode": _parameter("String", "AutomaticByPlatform", ["ImageDefault", "AutomaticByPlatform"]),
        "osType": _parameter("String", "Windows", ["Windows", "Linux"]),
        "locations": _parameter("Array", []),
        "tagValues": _parameter("Object", {}),
        "tagOperator": _parameter("String", "Any", ["All", "Any"]),
    }
    title = "Configure periodic checking for missing system updates on azure virtual machines"
    return _document(PERIODIC_ASSESSMENT, title, "4.8.0", parameters, rule)


def _parameters() -> Json:
    return {
        "resourceGroups": _parameter("Array", []),
        "operatingSystemTypes": _parameter("Array", ["Windows", "Linux"], ["Windows", "Linux"]),
        "locations": _parameter("Array", []),
        "tagValues": _parameter("Array", []),
        "tagOperator": _parameter("String", "Any", ["All", "Any"]),
        "effect": _parameter("String", "DeployIfNotExists", ["DeployIfNotExists", "Disabled"]),
    }


def _parameter(kind: str, default: object, allowed: list[str] | None = None) -> Json:
    return {"type": kind, "defaultValue": default, **({"allowedValues": allowed} if allowed else {})}


def _all(*conditions: Json) -> Json:
    return {"allOf": list(conditions)}


def _any(*conditions: Json) -> Json:
    return {"anyOf": list(conditions)}


def _equals(field: str, value: object) -> Json:
    return {"field": field, "equals": value}


def _exists(field: str, value: str) -> Json:
    return {"field": field, "exists": value}


def _is_empty(parameter: str) -> Json:
    return {"value": f"[empty(parameters('{parameter}'))]", "equals": True}


def _operator(name: str) -> Json:
    return {"value": "[parameters('tagOperator')]", "equals": name}


def _narrowed() -> list[Json]:
    """Regions, resource groups and tags, as the definitions that deploy have them."""
    matched = {
        "count": {
            "value": "[parameters('tagValues')]",
            "name": "tagKvp",
            "where": {
                "value": "[length(intersection(createObject(current('tagKvp').key, current('tagKvp').value), "
                "field('tags')))]",
                "greater": 0,
            },
        }
    }
    has_tags = {"value": "[empty(field('tags'))]", "equals": False}
    return [
        _any(_is_empty("locations"), {"field": "location", "in": "[parameters('locations')]"}),
        _any(_is_empty("resourceGroups"), {"value": "[resourceGroup().name]", "in": "[parameters('resourceGroups')]"}),
        _any(
            _is_empty("tagValues"),
            _all(has_tags, _operator("Any"), {**matched, "greater": 0}),
            _all(has_tags, _operator("All"), {**matched, "equals": "[length(parameters('tagValues'))]"}),
        ),
    ]


def _systems() -> Json:
    """The operating system of the disk is among the parameter's; a machine without one is not listed by offers here."""
    return {"field": _OS_TYPE, "in": "[parameters('operatingSystemTypes')]"}


def _of_system(system: str) -> Json:
    return _all(
        _any(
            _exists(f"{_VM}/osProfile.{system.lower()}Configuration", "true"),
            {"field": _OS_TYPE, "like": f"{system}*"},
        ),
        {"value": "[parameters('osType')]", "equals": system},
    )


def _images() -> Json:
    """Custom images, machines without a computer name, and the list of marketplace images."""
    custom = [
        {"value": "[field('Microsoft.Compute/imageId')]", "contains": "Microsoft.Compute/galleries"},
        {"value": "[field('Microsoft.Compute/imageId')]", "contains": "Microsoft.Compute/images"},
    ]
    attached = {"value": f"[field('{_VM}/storageProfile.osDisk.createOption')]", "equals": "Attach"}
    return _any(
        _all(_exists(_OS_TYPE, "true"), _any(*custom), _exists(f"{_VM}/osProfile.computerName", "true")),
        _all(
            _exists(_OS_TYPE, "true"),
            _any(*custom, attached),
            _exists(f"{_VM}/osProfile.computerName", "false"),
            {"value": "[requestContext().apiVersion]", "greaterOrEquals": "2023-07-01"},
        ),
        *(_row(*row) for row in scheduled_rows()),
    )


def _row(publisher: str, offers: list[str], skus: list[str]) -> Json:
    left_out = EXCEPT.get((publisher, offers[0]), ())
    return _all(
        _equals("Microsoft.Compute/imagePublisher", publisher),
        _any(*({"field": "Microsoft.Compute/imageOffer", _operator_of(one): one} for one in offers)),
        _any(*({"field": "Microsoft.Compute/imageSku", "like": one} for one in skus)),
        *({"field": f"Microsoft.Compute/image{part}", operator: value} for part, operator, value in left_out),
    )


def _operator_of(offer: str) -> str:
    return "equals" if offer in COMPARED_WHOLE else "like"


def _is_set(system: str) -> Json:
    settings = f"{_VM}/osProfile.{system}Configuration.patchSettings"
    return _all(
        _exists(f"{_VM}/osProfile.{system}Configuration", "true"),
        _equals(f"{settings}.automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule", True),
        _equals(f"{settings}.patchMode", "AutomaticByPlatform"),
    )
