"""A plan's changes as a PowerShell script of `Invoke-AzRestMethod`, which needs the module Az.Accounts alone.

Nothing of the machine but its patch settings is sent, so that a VM without osProfile is no special case, and no other
property is written back. The cmdlet has no parameter for headers, so there is no If-Match: the script compares the
machine's etag with the plan's before it sends. Source: the syntax of Invoke-AzRestMethod, Az 13.1, learn.microsoft.com.
"""

from collections.abc import Iterator
from itertools import chain

from patchmode.model.plan import Plan
from patchmode.reports.exports.scripted import ApiVersion, MachineRequest, comments, preface, sections

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

# ETag may be empty: the plan has none.
function Set-Machine([string] $Name, [string] $Path, [string] $Body, [string] $ETag, $Expected) {
    $script:Number++
    $place = [string] $script:Number + ' of ' + $Total + ' ' + $Name
    $machine = Read-Machine $Path
    $end = 'already has the settings, nothing was sent'
    if (@(Get-Difference $machine $Expected).Count) {
        if ($ETag -and $machine.etag -cne $ETag) {
            throw ($place + ': was changed since the plan. Nothing was sent to it.')
        }
        $answer = Invoke-AzRestMethod -Method PATCH -Path $Path -Payload $Body
        if ($answer.StatusCode -notin 200, 201, 202) {
            throw ($place + ': PATCH: HTTP ' + $answer.StatusCode + ' ' + $answer.Content)
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
if (-not $context) { throw 'Not signed in: run Connect-AzAccount first. Nothing was sent.' }
if ($context.Environment.ResourceManagerUrl.TrimEnd('/') -ne $Endpoint -or $context.Tenant.Id -ne $Tenant) {
    throw 'Signed in to another cloud or tenant than the plan is for. Nothing was sent.'
}
"""


def powershell_script(plan: Plan, source: str, api_version: ApiVersion) -> Iterator[str]:
    """The script, in pieces, all of it ASCII: Windows PowerShell 5.1 reads a file without a mark as its own code page.

    Args:
        plan: with at least one change.
        source: the plan file's name.
        api_version: of each kind of machine.
    """
    return map(_ascii, _pieces(plan, source, api_version))


def _pieces(plan: Plan, source: str, api_version: ApiVersion) -> Iterator[str]:
    head = chain(preface(plan, source, is_by_hand=False, precondition=_PRECONDITION), (_NEEDS,))
    yield from (f"{line}\n" for line in comments(head))
    yield _FUNCTIONS
    yield f"\n$Total = {len(plan.changes)}\n$Endpoint = {quoted(plan.target.endpoint)}\n"
    yield f"$Tenant = {quoted(plan.target.tenant_id)}\n{_GUARD}"
    for section in sections(plan, api_version):
        if section.title:
            yield f"\n# {section.title}\nWrite-Output {quoted(section.title)}\n"
        yield from map(_call, section.requests)
    end = "All machines of the plan have its settings."
    yield f"\nWrite-Output {quoted(end if plan.then_attach is None else f'{end} Its schedule was not attached.')}\n"


def _call(request: MachineRequest) -> str:
    expected = "; ".join(f"{quoted(path)} = {_literal(value)}" for path, value in request.expected.items())
    words = map(quoted, (request.name, request.path, request.body, request.etag or ""))
    call = " `\n    ".join((*words, f"([ordered] @{{ {expected} }})"))
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
