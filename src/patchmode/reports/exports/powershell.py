"""A plan's changes as a PowerShell script, in two manners.

`Invoke-AzRestMethod` needs the module Az.Accounts alone. Nothing of the machine but its patch settings is sent, so that
a VM without osProfile is no special case, and no other property is written back. The cmdlet has no parameter for
headers, so there is no If-Match: the script compares the machine's etag with the plan's before it sends.

`Update-AzVM` is what Microsoft's own pages show, for teams whose rules allow only cmdlets. It sends the whole machine
back (PUT). Set-AzVMOperatingSystem is not called, as it asks for a computer name and overwrites the time zone: the
patch settings of the machine that Get-AzVM read are changed in place.

Sources: the syntax of Invoke-AzRestMethod (Az 13.1) and of Update-AzVM with -IfMatch, learn.microsoft.com; the source
of Set-AzVMOperatingSystem, Azure/azure-powershell @0fb2ecb5.
"""

from collections.abc import Iterator
from itertools import chain

from patchmode.model.machine import MachineKind
from patchmode.model.plan import Plan
from patchmode.reports.exports.scripted import (
    NAMED_CLOUDS,
    ApiVersion,
    MachineRequest,
    cloud_in_tools,
    comments,
    paragraphs,
    preface,
    sections,
)

_PRECONDITION = (
    "A machine whose etag is not the plan's is not changed, also if only a tag was changed: make a new plan for it. "
    "Invoke-AzRestMethod cannot send If-Match, so a change made between that comparison and the PATCH is not noticed."
)
_NEEDS = (
    "It needs the module Az.Accounts, and Connect-AzAccount before it. No test of patchmode runs PowerShell: try it "
    "with one machine first."
)
_FUNCTIONS = r"""
$ErrorActionPreference = 'Stop'
Set-StrictMode -Off    # a member that a machine does not have is $null
$Number = 0
$WaitSeconds = 15    # between two reads of a machine whose change has not ended
$Rounds = 80         # so many reads, then the script stops

function Read-Machine([string] $Path) {
    $answer = Invoke-AzRestMethod -Method GET -Path $Path
    if ($answer.StatusCode -ne 200) { throw ('GET: HTTP ' + $answer.StatusCode + ' ' + $answer.Content) }
    $answer.Content | ConvertFrom-Json
}

# The members that are not as planned, a text each. A value that is to be false may be absent.
function Get-Difference($Machine, $Expected) {
    foreach ($path in $Expected.Keys) {
        $value = $Machine
        foreach ($step in $path.Split('.')) { $value = $value.$step }
        $wanted = $Expected[$path]
        $same = if ($wanted -is [bool]) {
            ($value -is [bool] -and $value -eq $wanted) -or ($null -eq $value -and -not $wanted)
        } else { $value -is [string] -and $value -ceq $wanted }
        if (-not $same) { $path + ' is ' + (ConvertTo-Json $value -Compress) }
    }
}

# Sends the settings alone.
function Send-Patch([string] $Path, [string] $Body) {
    $answer = Invoke-AzRestMethod -Method PATCH -Path $Path -Payload $Body
    if ($answer.StatusCode -notin 200, 201, 202) { throw ('PATCH: HTTP ' + $answer.StatusCode + ' ' + $answer.Content) }
}

# ETag may be empty: the plan has none. Cmdlet is what Update-AzVM needs; $null: the settings alone are sent.
function Set-Machine([string] $Name, [string] $Path, [string] $Body, [string] $ETag, $Expected, $Cmdlet) {
    $script:Number++
    $place = [string] $script:Number + ' of ' + $Total + ' ' + $Name
    $machine = Read-Machine $Path
    $end = 'already has the settings, nothing was sent'
    if (@(Get-Difference $machine $Expected).Count) {
        if ($ETag -and $machine.etag -cne $ETag) {
            throw ($place + ': was changed since the plan. Nothing was sent to it.')
        }
        try {
            if ($Cmdlet -and (Test-Block $machine $Body)) { Update-Machine $machine $Body $Cmdlet }
            else { Send-Patch $Path $Body }
        } catch {
            throw ($place + ': ' + $_ + ' Unless the answer is a refusal the change may have been applied: run the ' +
                'script again, it reads the machine first.')
        }
        $end = 'changed, and compared'
        $machine = Read-Machine $Path
    }
    $round = 0
    while ($machine.properties.provisioningState -notin 'Succeeded', 'Failed', 'Canceled') {
        $round++
        if ($round -ge $Rounds) { throw ($place + ': the change has not ended yet.') }
        Start-Sleep -Seconds $WaitSeconds
        $machine = Read-Machine $Path
    }
    $found = @(Get-Difference $machine $Expected)
    if ($machine.properties.provisioningState -cne 'Succeeded') {
        $found += 'provisioningState is ' + $machine.properties.provisioningState
    }
    if ($found.Count) { throw ($place + ': not as planned: ' + ($found -join '; ')) }
    Write-Output ($place + ': ' + $end)
}
"""
_GUARD = """
$context = Get-AzContext
if (-not $context) { throw 'Not signed in. Nothing was sent. Run: SIGN-IN' }
if ($context.Environment.ResourceManagerUrl.TrimEnd('/') -ne $Endpoint -or $context.Tenant.Id -ne $Tenant) {
    throw 'Signed in to another cloud or tenant than the plan is for. Nothing was sent. Run: SIGN-IN'
}
"""


def _guard(plan: Plan) -> str:
    """Refuse another cloud or tenant; Az signs in to the public cloud unless it is told another one.

    Source: Microsoft, "Connect-AzAccount" (`-Environment`) and "Add-AzEnvironment" (`-ARMEndpoint`).
    """
    signed_in = f"Connect-AzAccount -Environment {cloud_in_tools(plan, 'NAME')} -Tenant {quoted(plan.target.tenant_id)}"
    if plan.target.cloud not in NAMED_CLOUDS:
        signed_in = f"Add-AzEnvironment -Name NAME -ARMEndpoint {quoted(plan.target.endpoint)}; {signed_in}"
    return _GUARD.replace("SIGN-IN", signed_in.replace("'", "''"))


_CMDLET_PRECONDITION = (
    "A machine whose etag is not the plan's is not changed, also if only a tag was changed: make a new plan for it. "
    "What is changed between that comparison and Update-AzVM is refused by Azure (If-Match)."
)
_CMDLET_NEEDS = """
Update-AzVM sends the whole machine back (PUT), as Get-AzVM read it, with the patch settings changed. It needs more
permissions than the change itself (images, disks, network interfaces), and Azure refuses it for some machines, for
example over osDisk.createOption (Azure/azure-powershell issue 7621). The form `powershell` of `patchmode export` sends
the settings alone: prefer it where you may.

An Arc server, and a machine without osProfile or without the configuration of its system in it, get the settings alone,
by Invoke-AzRestMethod: a user could not add them with Update-AzVM (MicrosoftDocs/azure-docs issue 118223). That cmdlet
cannot send If-Match, so a change made between the comparison and the PATCH is not noticed.

It needs the modules Az.Accounts and Az.Compute (Update-AzVM with -IfMatch), and Connect-AzAccount before it. It selects
the subscription of each machine in this PowerShell process. No test of patchmode runs PowerShell: try it with one
machine first.
"""
_CMDLET_FUNCTIONS = r"""
# Whether the machine has what the settings are changed in.
function Test-Block($Machine, [string] $Body) {
    $sent = ($Body | ConvertFrom-Json).properties.osProfile
    $system = if ($sent.windowsConfiguration) { 'windowsConfiguration' } else { 'linuxConfiguration' }
    $null -ne $Machine.properties.osProfile.$system
}

# Changes the members that the plan sends, in the machine as Get-AzVM reads it, and sends all of it.
function Update-Machine($Machine, [string] $Body, $Cmdlet) {
    Set-AzContext -Subscription $Cmdlet.Subscription -Tenant $Tenant -Scope Process | Out-Null
    $VirtualMachine = Get-AzVM -ResourceGroupName $Cmdlet.Group -Name $Cmdlet.Name
    if ($VirtualMachine.Id -ne $Cmdlet.Id) { throw 'Get-AzVM found another machine. Nothing was sent to it.' }
    $sent = ($Body | ConvertFrom-Json).properties.osProfile
    if ($sent.windowsConfiguration) {
        $settings = $sent.windowsConfiguration.patchSettings
        $block = $VirtualMachine.OSProfile.WindowsConfiguration
        $type = 'Microsoft.Azure.Management.Compute.Models.PatchSettings'
        $inner = 'Microsoft.Azure.Management.Compute.Models.WindowsVMGuestPatchAutomaticByPlatformSettings'
    } else {
        $settings = $sent.linuxConfiguration.patchSettings
        $block = $VirtualMachine.OSProfile.LinuxConfiguration
        $type = 'Microsoft.Azure.Management.Compute.Models.LinuxPatchSettings'
        $inner = 'Microsoft.Azure.Management.Compute.Models.LinuxVMGuestPatchAutomaticByPlatformSettings'
    }
    if ($null -eq $block.PatchSettings) { $block.PatchSettings = New-Object -TypeName $type }
    foreach ($one in $settings.PSObject.Properties) {
        if ($one.Name -ne 'automaticByPlatformSettings') {
            $block.PatchSettings.($one.Name) = $one.Value
            continue
        }
        if ($null -eq $block.PatchSettings.AutomaticByPlatformSettings) {
            $block.PatchSettings.AutomaticByPlatformSettings = New-Object -TypeName $inner
        }
        foreach ($two in $one.Value.PSObject.Properties) {
            $block.PatchSettings.AutomaticByPlatformSettings.($two.Name) = $two.Value
        }
    }
    $with = @{ ResourceGroupName = $Cmdlet.Group; VM = $VirtualMachine }
    if ($Machine.etag) { $with.IfMatch = $Machine.etag }
    Update-AzVM @with | Out-Null
}

if (-not (Get-Command Update-AzVM).Parameters.ContainsKey('IfMatch')) {
    throw 'Update-AzVM has no parameter IfMatch: update the module Az.Compute. Nothing was sent.'
}
"""


def powershell_script(plan: Plan, source: str, api_version: ApiVersion, *, by_cmdlet: bool = False) -> Iterator[str]:
    """The script, in pieces, all of it ASCII: Windows PowerShell 5.1 reads a file without a mark as its own code page.

    Args:
        plan: with at least one change.
        source: the plan file's name.
        api_version: of each kind of machine.
        by_cmdlet: whether machines are changed by Update-AzVM, as a whole, instead of by a request of the settings.
    """
    return map(_ascii, _pieces(plan, source, api_version, by_cmdlet=by_cmdlet))


def _pieces(plan: Plan, source: str, api_version: ApiVersion, *, by_cmdlet: bool) -> Iterator[str]:
    precondition, needs = (_CMDLET_PRECONDITION, _CMDLET_NEEDS) if by_cmdlet else (_PRECONDITION, _NEEDS)
    head = chain(preface(plan, source, precondition=precondition), paragraphs(needs))
    yield from (f"{line}\n" for line in comments(head))
    yield _FUNCTIONS
    yield f"\n$Total = {len(plan.changes)}\n$Endpoint = {quoted(plan.target.endpoint)}\n"
    yield f"$Tenant = {quoted(plan.target.tenant_id)}\n{_guard(plan)}"
    if by_cmdlet:
        yield _CMDLET_FUNCTIONS
    for section in sections(plan, api_version):
        if section.title:
            yield f"\n# {section.title}\nWrite-Output {quoted(section.title)}\n"
        for request in section.requests:
            yield _call(request, by_cmdlet=by_cmdlet)
    end = "All machines of the plan have its settings."
    yield f"\nWrite-Output {quoted(end if plan.then_attach is None else f'{end} Its schedule was not attached.')}\n"


def _call(request: MachineRequest, *, by_cmdlet: bool) -> str:
    expected = "; ".join(f"{quoted(path)} = {_literal(value)}" for path, value in request.expected.items())
    words = [quoted(one) for one in (request.name, request.path, request.body, request.etag or "")]
    words.append(f"([ordered] @{{ {expected} }})")
    if by_cmdlet and request.change.kind is not MachineKind.ARC:
        machine = request.change.id
        known = {
            "Subscription": machine.subscription_id,
            "Group": machine.resource_group,
            "Name": machine.name,
            "Id": str(machine),
        }
        words.append(f"@{{ {'; '.join(f'{key} = {quoted(value)}' for key, value in known.items())} }}")
    call = " `\n    ".join(words)
    return f"\n# {request.told}\nSet-Machine {call}\n"


def _literal(value: str | bool) -> str:
    return quoted(value) if isinstance(value, str) else f"${str(value).lower()}"


def quoted(text: str) -> str:
    """A text as a PowerShell string in which nothing is replaced.

    In apostrophes an apostrophe is written twice. Its typographic kin would end the string, too, and are escaped with
    every other letter outside ASCII. Source: about_Quoting_Rules, learn.microsoft.com.
    """
    return f"'{_ascii(text).replace(chr(39), chr(39) * 2)}'"


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
