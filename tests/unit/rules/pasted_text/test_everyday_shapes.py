"""Every shape in which people meet machines and their errors in a day: which machines are read from it, and why."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from patchmode.model.scope import LogReading
from patchmode.rules.pasted_text.reading import read_log

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"
SENTENCE = (
    '"Patch orchestration mode is not set to AutomaticByPlatform",The prerequisites to patch your machine were not met.'
    " Please set the patchMode to AutomaticByPlatform and bypassPlatformChecksOnUserSchedule as true."
)
CODE = "UnsupportedResourceOperation"
PREREQUISITE = f"{CODE}!"
"""As `told` writes it."""
PLAIN = "!"
"""The prerequisite's sentence without a code."""


def vm(name: str, group: str = "rg-app", subscription: str = SUBSCRIPTION) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"


def arc(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-edge/providers/Microsoft.HybridCompute/machines/{name}"


SCHEDULE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Maintenance/maintenanceConfigurations/mc"
)


def deployment(name: str, group: str = "rg-app") -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Resources/deployments/{name}"


def told(reading: LogReading) -> dict[str, str]:
    """Machine → code of its error, with `!` where it is the prerequisite's; `ok`: it did not fail; empty: nothing."""
    found = {}
    for entry in reading.machines:
        found[str(entry.id)] = _end(entry)
    for name in reading.names:
        parts = [name.machine.subscription, name.machine.resource_group, name.machine.name]
        found["|".join(parts).lstrip("|")] = _end(name)
    return found


def _end(entry: Any) -> str:
    if entry.has_succeeded:
        return "ok"
    error = entry.error
    return "" if error is None else f"{error.code}{'!' if error.is_prerequisite else ''}" or "failed"


@dataclass(frozen=True)
class Shape:
    """A text, and the machines that it names."""

    text: str
    machines: dict[str, str] = field(default_factory=dict)
    also: Callable[[LogReading], object] = lambda _: True


def body(**keys: str) -> str:
    """The error's body with the keys as they are given."""
    error = {keys.get("code", "code"): CODE, keys.get("message", "message"): SENTENCE}
    return json.dumps({keys.get("error", "error"): error})


def wrapped(times: int) -> str:
    """JSON inside JSON, so often."""
    text = body()
    for _ in range(times):
        text = json.dumps({"error": {"code": "DeploymentFailed", "message": text}})
    return text


AT = f"PUT {vm('web-01')}/providers/Microsoft.Maintenance/configurationAssignments/weekly\n"
WEB = {vm("web-01"): PREREQUISITE}
NESTED = json.dumps(
    {
        "status": "Failed",
        "error": {
            "code": "DeploymentFailed",
            "target": deployment("main"),
            "message": "At least one resource deployment operation failed. Please list deployment operations.",
            "details": [
                {
                    "code": "ResourceDeploymentFailure",
                    "target": f"{vm('web-01')}/providers/Microsoft.Maintenance/configurationAssignments/weekly",
                    "message": "The resource write operation failed to complete successfully.",
                    "details": [
                        {
                            "code": "DeploymentFailed",
                            "message": "At least one resource deployment operation failed.",
                            "details": [{"code": "BadRequest", "message": body()}],
                        }
                    ],
                },
                {
                    "code": "ResourceDeploymentFailure",
                    "target": vm("db-01"),
                    "message": "x",
                    "details": [{"code": "Conflict", "message": "busy", "innererror": {"code": "VmIsBusy"}}],
                },
            ],
        },
    },
    indent=2,
)
ERROR = f"\n({CODE}) {SENTENCE}\nCode: {CODE}\nMessage: {SENTENCE}\n"
ASSIGN = "az maintenance assignment create --resource-group rg-app --configuration-assignment-name weekly"


BODIES = {
    "lower case": Shape(AT + body(), WEB),
    "Error Code Message": Shape(AT + body(error="Error", code="Code", message="Message"), WEB),
    "ERROR CODE MESSAGE": Shape(AT + body(error="ERROR", code="CODE", message="MESSAGE"), WEB),
    "errorCode": Shape(AT + body(code="errorCode", message="errorMessage"), WEB),
    "ErrorCode": Shape(AT + body(code="ErrorCode", message="ErrorMessage"), WEB),
    "error_code": Shape(AT + body(code="error_code", message="error_message"), WEB),
    "no braces": Shape(AT + f'"Code": "{CODE}",\n"Message": {json.dumps(SENTENCE)}', WEB),
    "errorCode, no braces": Shape(AT + f'"errorCode": "{CODE}",\n"message": {json.dumps(SENTENCE)}', WEB),
    "escaped once": Shape(AT + wrapped(1), WEB),
    "escaped three times": Shape(AT + wrapped(3), WEB),
    "escaped, in a sentence": Shape(f"ERROR: Deployment failed for {vm('web-01')}: {wrapped(2)} (see the log)", WEB),
    "an id in escaped JSON": Shape(
        "Message: " + json.dumps(json.dumps({"error": {"code": CODE, "message": SENTENCE, "target": vm("web-01")}})),
        WEB,
    ),
    "an id in JSON and the error outside": Shape(json.dumps({"id": vm("web-01")}) + ERROR, WEB),
    "nested deployment errors": Shape(NESTED, {vm("web-01"): PREREQUISITE, vm("db-01"): "VmIsBusy"}),
    "nested deployment errors behind az's word": Shape(
        f"ERROR: {NESTED}\n", {vm("web-01"): PREREQUISITE, vm("db-01"): "VmIsBusy"}
    ),
    "nested deployment errors on one line": Shape(
        "ERROR: " + json.dumps(json.loads(NESTED)), {vm("web-01"): PREREQUISITE, vm("db-01"): "VmIsBusy"}
    ),
}

AZ = {
    "maintenance": Shape(
        f"$ {ASSIGN} --resource-name web-01 --resource-type virtualMachines --provider-name Microsoft.Compute{ERROR}",
        {"rg-app|web-01": PREREQUISITE},
    ),
    "maintenance with =": Shape(
        f'{ASSIGN} --resource-name="web-01" --resource-type=virtualMachines --provider-name=Microsoft.Compute{ERROR}',
        {"rg-app|web-01": PREREQUISITE},
    ),
    "maintenance, subscription's id": Shape(
        f"{ASSIGN} --resource-name web-01 --resource-type VirtualMachines --provider-name Microsoft.Compute "
        f"--subscription {SUBSCRIPTION}{ERROR}",
        {vm("web-01"): PREREQUISITE},
    ),
    "maintenance of an Arc server": Shape(
        "az maintenance assignment create -g rg-edge --resource-name edge-1 --resource-type machines "
        f"--provider-name Microsoft.HybridCompute --subscription {SUBSCRIPTION}{ERROR}",
        {arc("edge-1"): PREREQUISITE},
    ),
    "vm -g -n": Shape(f"az vm update -g rg-app -n web-01 --set x=y{ERROR}", {"rg-app|web-01": PREREQUISITE}),
    "vm --name": Shape(f"az vm start --name web-01 --resource-group 'rg-app'{ERROR}", {"rg-app|web-01": PREREQUISITE}),
    "vm, subscription's name": Shape(
        f'az vm update -n web-01 -g rg-app --subscription "Contoso Production"{ERROR}',
        {"Contoso Production|rg-app|web-01": PREREQUISITE},
    ),
    "vm extension": Shape(
        f"az vm extension set --vm-name web-01 -g rg-app -n AzureMonitorLinuxAgent{ERROR}",
        {"rg-app|web-01": PREREQUISITE},
    ),
    "vm run-command": Shape(
        f"az vm run-command invoke -n web-01 -g rg-app --command-id RunShellScript{ERROR}",
        {"rg-app|web-01": PREREQUISITE},
    ),
    "continued lines": Shape(
        "user@host:~$ az vm update \\\n  --resource-group rg-app \\\n  --name web-01 \\\n  --set x=y" + ERROR,
        {"rg-app|web-01": PREREQUISITE},
    ),
    "connectedmachine": Shape(
        f"az connectedmachine show -n edge-1 -g rg-edge{ERROR}", {"rg-edge|edge-1": PREREQUISITE}
    ),
    "resource": Shape(
        f"az resource update -g rg-app -n web-01 --resource-type Microsoft.Compute/virtualMachines --set a=b{ERROR}",
        {"rg-app|web-01": PREREQUISITE},
    ),
    "account set": Shape(
        f'az account set --subscription "Contoso Production"\naz vm start -g rg-app -n web-01{ERROR}',
        {"Contoso Production|rg-app|web-01": PREREQUISITE},
    ),
    "account set -s, and another named": Shape(
        f"az account set -s {OTHER}\naz vm start -g rg-app -n web-01\n"
        f"az vm start -g rg-app -n web-02 --subscription {SUBSCRIPTION}\n",
        {vm("web-01", subscription=OTHER): "", vm("web-02"): ""},
    ),
    "--ids": Shape(f"az vm update --ids {vm('web-01')} --set x=y{ERROR}", WEB),
    "no machine": Shape(
        "az vm image list -n x -g rg\naz vmss update -n set -g rg\naz vm list -g rg\naz group show -n rg\n"
        "az maintenance configuration create --resource-name mc -g rg\naz vm show -n $VM -g $RG\n"
        "az vm show -n <name> -g <group>\naz vm availability-set create -n set -g rg\n"
    ),
    "several": Shape(
        f"az vm start -g rg-app -n web-01{ERROR}\naz vm start -g rg-app -n web-02\n",
        {"rg-app|web-01": PREREQUISITE, "rg-app|web-02": ""},
    ),
}

POWERSHELL = {
    "assignment": Shape(
        "PS C:\\> New-AzConfigurationAssignment -ResourceGroupName rg-app -Location westeurope -ResourceName web-01 "
        "-ResourceType VirtualMachines -ProviderName Microsoft.Compute -ConfigurationAssignmentName weekly\n"
        f"New-AzConfigurationAssignment: {SENTENCE}\nErrorCode: {CODE}\n",
        {"rg-app|web-01": PLAIN},
    ),
    "-Name": Shape(
        f'Update-AzVM -ResourceGroupName "rg-app" -Name "web-01"\nUpdate-AzVM : {SENTENCE}', {"rg-app|web-01": PLAIN}
    ),
    "-VMName": Shape(
        f"Set-AzVMExtension -VMName web-01 -ResourceGroupName rg-app -Name Monitor\n{SENTENCE}",
        {"rg-app|web-01": PLAIN},
    ),
    "-Name: with a colon": Shape(
        f"Get-AzVM -Name:web-01 -ResourceGroupName:rg-app\n{SENTENCE}", {"rg-app|web-01": PLAIN}
    ),
    "continued lines": Shape(
        f"Restart-AzVM `\n  -ResourceGroupName rg-app `\n  -Name web-01\n{SENTENCE}", {"rg-app|web-01": PLAIN}
    ),
    "Set-AzContext": Shape(
        f"Set-AzContext -Subscription {SUBSCRIPTION}\nStart-AzVM -ResourceGroupName rg-app -Name web-01\n{SENTENCE}",
        {vm("web-01"): PLAIN},
    ),
    "Set-AzContext by place, and a name": Shape(
        f"Set-AzContext 'Contoso Production'\nStart-AzVM -ResourceGroupName rg-app -Name web-01\n{SENTENCE}",
        {"Contoso Production|rg-app|web-01": PLAIN},
    ),
    "-SubscriptionId": Shape(
        f"Get-AzConnectedMachine -Name edge-1 -ResourceGroupName rg-edge -SubscriptionId {SUBSCRIPTION}\n{SENTENCE}",
        {arc("edge-1"): PLAIN},
    ),
    "where the error happened": Shape(
        f"Update-AzVM : {SENTENCE}\nErrorCode: {CODE}\nAt line:1 char:1\n"
        "+ Update-AzVM -ResourceGroupName rg-app -Name web-01\n+ ~~~~~~~~~~\n",
        {"rg-app|web-01": PLAIN},
    ),
    "no machine": Shape(
        'Set-AzVMOperatingSystem -VM $vm -Windows\nGet-AzVM -ResourceGroupName "<group>" -Name "<name>"\n'
        "Update-AzVmss -VMScaleSetName set -ResourceGroupName rg\nNew-AzMaintenanceConfiguration -Name mc\n"
    ),
}

PORTAL = {
    "machines": Shape(
        "NAME,SUBSCRIPTION,RESOURCE GROUP,LOCATION,STATUS,OPERATING SYSTEM\n"
        "web-01,Contoso Production,rg-app,West Europe,Running,Windows\n"
        '"web-02","Contoso Production","rg-app","West Europe","Stopped (deallocated)","Linux"\n',
        {"Contoso Production|rg-app|web-01": "", "Contoso Production|rg-app|web-02": ""},
    ),
    "machines in German, in another order": Shape(
        "\ufeffsep=;\r\nRessourcengruppe;Abonnement;Name;Typ\r\n"
        "rg-app;Contoso Produktion;web-01;Virtueller Computer\r\n"
        "rg-app;Contoso Produktion;disk-1;Datenträger\r\n",
        {"Contoso Produktion|rg-app|web-01": ""},
        lambda reading: len(reading.not_understood) == 1,
    ),
    "machines in French": Shape(
        "Nom,Groupe de ressources,Abonnement\nweb-01,rg-app,Prod\n", {"Prod|rg-app|web-01": ""}
    ),
    "machines in Spanish": Shape(
        "Suscripción;Nombre;Grupo de recursos\nProd;web-01;rg-app\n", {"Prod|rg-app|web-01": ""}
    ),
    "machines in Japanese": Shape(
        "名前,リソース グループ,サブスクリプション\nweb-01,rg-app,Prod\n", {"Prod|rg-app|web-01": ""}
    ),
    "machines in Chinese": Shape("名称,资源组,订阅\nweb-01,rg-app,Prod\n", {"Prod|rg-app|web-01": ""}),
    "history": Shape(
        "Machine name,Operation status,Update type,Resource group,Subscription ID,Error code,Error message\n"
        f'web-01,Failed,Scheduled,rg-app,{SUBSCRIPTION},{CODE},"{SENTENCE.replace(chr(34), chr(34) * 2)}"\n'
        f"web-02,Failed,Scheduled,rg-app,{SUBSCRIPTION},VMNotRunning,The machine was off.\n"
        f"web-03,Succeeded,Scheduled,rg-app,{SUBSCRIPTION},,\n"
        f"web-04,Failed,Scheduled,rg-app,{SUBSCRIPTION},,\n"
        f"web-05,In progress,Scheduled,rg-app,{SUBSCRIPTION},,\n",
        {
            f"{SUBSCRIPTION}|rg-app|web-01": PREREQUISITE,
            f"{SUBSCRIPTION}|rg-app|web-02": "VMNotRunning",
            f"{SUBSCRIPTION}|rg-app|web-03": "ok",
            f"{SUBSCRIPTION}|rg-app|web-04": "failed",
            f"{SUBSCRIPTION}|rg-app|web-05": "",
        },
    ),
    "a deployment": Shape(
        json.dumps({"code": "DeploymentFailed", "target": deployment("main"), "message": "x", "details": []}),
        {},
        lambda reading: reading.deployments == (deployment("main"),),
    ),
    "a deployment's address": Shape(
        f"https://portal.azure.com/#view/HubsExtension/DeploymentDetailsBlade/~/overview/id/"
        f"{deployment('main').replace('/', '%2F')}",
        {},
        lambda reading: reading.deployments == (deployment("main"),),
    ),
    "a subscription's deployment": Shape(
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Resources/deployments/main.",
        {},
        lambda reading: (
            reading.deployments == (f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Resources/deployments/main",)
        ),
    ),
}

ROW = {"name": "web-01", "resourceGroup": "rg-app", "subscriptionId": SUBSCRIPTION}
GRAPH = {
    "CSV with ids": Shape(
        f"id,name,type\n{vm('web-01')},web-01,microsoft.compute/virtualmachines\n"
        f"{vm('x').replace('virtualMachines', 'disks')},x,microsoft.compute/disks\n",
        {vm("web-01"): ""},
    ),
    "CSV without ids": Shape(
        f'"subscriptionId","resourceGroup","name","type"\n"{SUBSCRIPTION}","rg-app","web-01",'
        '"microsoft.compute/virtualmachines"\n',
        {vm("web-01"): ""},
    ),
    "JSON with ids": Shape(
        json.dumps([{"id": vm("web-01")}, {"id": arc("edge-1")}]), {vm("web-01"): "", arc("edge-1"): ""}
    ),
    "JSON without ids": Shape(
        json.dumps({"count": 1, "data": [{**ROW, "type": "microsoft.compute/virtualmachines"}], "skip_token": None}),
        {vm("web-01"): ""},
    ),
    "JSON without ids and types": Shape(json.dumps([ROW]), {f"{SUBSCRIPTION}|rg-app|web-01": ""}),
    "JSON of something else": Shape(json.dumps([{**ROW, "type": "microsoft.compute/disks"}])),
    "JSON in columns and rows": Shape(
        json.dumps(
            {
                "data": {
                    "columns": [{"name": "name", "type": "string"}, {"name": "resourceGroup", "type": "string"}],
                    "rows": [["web-01", "rg-app"], ["web-02", "rg-app"]],
                }
            }
        ),
        {"rg-app|web-01": "", "rg-app|web-02": ""},
    ),
    "maintenance resources": Shape(
        json.dumps(
            [
                {
                    "properties": {
                        "resourceId": vm("web-01"),
                        "status": "Failed",
                        "errorMessage": SENTENCE,
                        "errorCode": CODE,
                    }
                },
                {"properties": {"resourceId": vm("web-02"), "status": "Succeeded"}},
            ]
        ),
        {vm("web-01"): PREREQUISITE, vm("web-02"): "ok"},
    ),
}

OTHERS = {
    "azurerm 2.x": Shape(
        'Error: Error creating/updating Virtual Machine "web-01" (Resource Group "rg-app"): '
        "compute.VirtualMachinesClient#CreateOrUpdate: Failure sending request: StatusCode=409 -- Original Error: "
        'Code="Conflict" Message="busy"',
        {"rg-app|web-01": "Conflict"},
    ),
    "azurerm 2.x with Name /": Shape(
        'Error: updating Linux Virtual Machine: (Name "web-01" / Resource Group "rg-app"): '
        "maintenance.ConfigurationAssignmentsClient#CreateOrUpdate: Failure responding to request: StatusCode=400 -- "
        f'Original Error: autorest/azure: Service returned an error. Status=400 Code="{CODE}" '
        f"Message={json.dumps(SENTENCE)}",
        {"rg-app|web-01": PREREQUISITE},
    ),
    "azurerm 2.x with an id": Shape(
        f'Error: Error creating Maintenance Assignment (virtual machine ID "{vm("web-01")}"): '
        f'maintenance.ConfigurationAssignmentsClient#CreateOrUpdate: Code="{CODE}" Message={json.dumps(SENTENCE)}',
        WEB,
    ),
    "Azure's sentence with a group": Shape(
        "The Resource 'Microsoft.Compute/virtualMachines/web-01' under resource group 'rg-app' was not found.",
        {"rg-app|web-01": ""},
    ),
    "doubled slashes": Shape(vm("web-01").replace("/", "//") + ERROR, WEB),
    "some doubled slashes": Shape(
        f"https://management.azure.com/{vm('web-01').replace('/providers', '//providers')}?x=1{ERROR}", WEB
    ),
    "resourcegroup": Shape(vm("web-01").replace("resourceGroups", "resourcegroup") + ERROR, WEB),
    "a Flexible member under its scale set": Shape(
        vm("web_01ab").replace("/virtualMachines/", "/virtualMachineScaleSets/web/virtualMachines/") + ERROR,
        {vm("web_01ab"): PREREQUISITE},
    ),
    "a Flexible member in JSON": Shape(
        json.dumps(
            {"id": vm("web_01ab").replace("/virtualMachines/", "/virtualMachineScaleSets/web/virtualMachines/")}
        ),
        {vm("web_01ab"): ""},
    ),
    "a Uniform instance": Shape(
        vm("0").replace("/virtualMachines/", "/virtualMachineScaleSets/web/virtualMachines/") + ERROR
    ),
    "names": Shape("web-01\nweb-02\n\n# a comment\nDB01\n", {"web-01": "", "web-02": "", "DB01": ""}),
    "names behind commas": Shape("web-01, web-02; db_01", {"web-01": "", "web-02": "", "db_01": ""}),
    "names with bullets and groups": Shape(
        "- rg-app/web-01\n* web-02\n3. web-03\n", {"rg-app|web-01": "", "web-02": "", "web-03": ""}
    ),
    "names in JSON": Shape('[\n  "web-01",\n  "rg-app/web-02"\n]', {"web-01": "", "rg-app|web-02": ""}),
    "ids in JSON": Shape(json.dumps([vm("web-01"), vm("web-02")]), {vm("web-01"): "", vm("web-02"): ""}),
    "names under a heading": Shape("Name\nweb-01\n", {"web-01": ""}),
    "az's table": Shape(
        "$ az vm list -o table\nName    ResourceGroup    Location\n------  ---------------  ----------\n"
        "web-01  rg-app           westeurope\nweb-02  RG-APP           westeurope\n\n$ ",
        {"rg-app|web-01": "", "RG-APP|web-02": ""},
    ),
    "PowerShell's table": Shape(
        "\r\nResourceGroupName Name     Location\r\n----------------- ----     --------\r\n"
        "RG-APP            web-01   westeurope\r\nRG-APP            web-lon… westeurope\r\n",
        {"RG-APP|web-01": ""},
        lambda reading: reading.cut_short == ("web-lon",),
    ),
    "a table of patchmode": Shape(
        "$ patchmode audit -g rg-app\nSUBSCRIPTION        GROUP   MACHINE  OS       OUTCOME\n"
        "Contoso Production  rg-app  web-01   Windows  schedule-fails\n"
        "Contoso Production  rg-app  web-02   Linux    scheduled\nOUTCOME: schedule-fails = patched by nobody.\n\n",
        {"Contoso Production|rg-app|web-01": "", "Contoso Production|rg-app|web-02": ""},
    ),
    "a Markdown table": Shape(
        "| name | resource group |\n|---|---|\n| web-01 | rg-app |\n",
        {"rg-app|web-01": ""},
        lambda reading: reading.not_understood == (),
    ),
    "a table with unknown headings": Shape("Gerät,Kiste\nweb-01,rg-app\n"),
    "the seed's error": Shape(
        f'> Error\n> "code": "{CODE}",\n> "message": {json.dumps(SENTENCE)}\n{{: .prompt-warning }}\n',
        {},
        lambda reading: reading.is_prerequisite,
    ),
    "a schedule": Shape(
        f"{ERROR} maintenance configuration {SCHEDULE}",
        {},
        lambda reading: reading.is_prerequisite and [entry.name for entry in reading.schedules] == ["mc"],
    ),
    "lines that tell who succeeded": Shape(
        f"{vm('web-01')} Failed ({CODE}) {SENTENCE}\n{vm('web-02')} Succeeded\n{vm('web-03')} (Conflict) busy\n",
        {vm("web-01"): PREREQUISITE, vm("web-02"): "ok", vm("web-03"): "Conflict"},
    ),
}
KINDS = {"body": BODIES, "az": AZ, "powershell": POWERSHELL, "portal": PORTAL, "graph": GRAPH, "other": OTHERS}
SHAPES = [pytest.param(shape, id=f"{kind}: {name}") for kind, shapes in KINDS.items() for name, shape in shapes.items()]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_everyday_shape_is_read(shape: Shape) -> None:
    """Each machine, whether it failed and why, and no other machine."""
    reading = read_log(shape.text)
    assert told(reading) == shape.machines
    assert shape.also(reading)


@pytest.mark.parametrize("shape", SHAPES)
def test_line_ends_and_colours_change_nothing(shape: Shape) -> None:
    """A file of Windows, and what a terminal coloured."""
    reading = read_log("\x1b[31m" + shape.text.replace("\r\n", "\n").replace("\n", "\r\n") + "\x1b[0m")
    assert told(reading) == shape.machines
