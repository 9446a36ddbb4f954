"""What is wrong with a declared machine: whether applying its file keeps Customer Managed Schedules.

Must not: read a language, or guess a value that is not known.
"""

from collections.abc import Iterable, Iterator

from patchmode.model.finding import Reason
from patchmode.model.iac import DeclaredMachine, IacFinding, Omission, Part, Term, TermKind, Tool
from patchmode.model.record import LEVELS
from patchmode.rules.iac.keeping import edits_of, lines_that_keep, where_to_keep
from patchmode.rules.rule import BLOCKS, REFUSES, WARNS, Rule

PLATFORM = "AutomaticByPlatform"
_AT_ITS_TIME = "Azure patches and reboots the VM at a time it chooses"
_WITHOUT_BYPASS = f"its schedule's runs fail, and if it has no schedule, {_AT_ITS_TIME}"

SETS_MODE_BACK = Rule(
    "iac-sets-mode-back",
    "Applying the file gives the VM another patch mode",
    BLOCKS,
    """
    What: A file declares a VM with another patch mode than `AutomaticByPlatform`, or leaves the patch mode out in a
        tool that then sends its default.
    Severity: Blocks (SARIF: error).
    Why: The next apply sets the VM back; the runs of its schedule then fail. A VM that the file creates has the other
        mode from the start.
    Evidence: The argument with its value, and the place of that value if it is a variable's default, a local or a
        `.tfvars` file. Of a plan: the values before and after.
    Fix: Set both arguments in the file. For Terraform `--fix` adds them where that is safe.
    Source: terraform-provider-azurerm, documentation of `patch_mode`: "Defaults to `ImageDefault`" (Linux) and
        "`AutomaticByOS`" (Windows). In its source @0102f942 the argument has no default, and the bypass flag has
        `false`. aztfmod/terraform-azurerm-caf#1577 and #2121 show the drift.
    """,
)
SETS_BYPASS_BACK = Rule(
    "iac-sets-bypass-back",
    "Applying the file takes the bypass flag from the VM",
    REFUSES,
    """
    What: A file declares a VM with the patch mode `AutomaticByPlatform` and without
        `bypassPlatformSafetyChecksOnUserSchedule`, or with `false`.
    Severity: Blocks (SARIF: error). Warns where no source says whether leaving it out takes it from an existing VM:
        ARM templates, Bicep, azapi and Pulumi.
    Why: Without the flag the runs of the VM's schedule fail, and if it has no schedule, Azure patches and reboots the
        VM at a time it chooses.
    Evidence: The flag with its value, or that it is left out.
    Fix: Set the flag to `true` beside the patch mode. Where hotpatching is on, turn it off first: Azure refuses both
        together.
    Source: Azure's documentation of the prerequisites for schedule patching (user scenarios 3 and 4);
        terraform-provider-azurerm, documentation: "Defaults to `false`".
    """,
)
REPLACES = Rule(
    "iac-replaces-machine",
    "The plan deletes the VM and creates it again",
    BLOCKS,
    """
    What: A plan of Terraform replaces a VM.
    Severity: Blocks (SARIF: error).
    Why: The VM is deleted with what is on its disks, and the new one has its settings from the file alone. A change of
        `enable_automatic_updates` (`automatic_updates_enabled`) or `provision_vm_agent` does this.
    Evidence: The actions of the plan, and the arguments that force the replacement.
    Fix: Take the change of the argument back before you apply; the two patch settings need no replacement.
    Source: Terraform's JSON output format (`actions`, `replace_paths`); terraform-provider-azurerm, documentation:
        "Changing this forces a new resource to be created"; aztfmod/terraform-azurerm-caf#531.
    """,
)
REFUSED = Rule(
    "iac-refused",
    "The settings of the VM contradict each other",
    BLOCKS,
    """
    What: A file declares a VM with settings that its tool or Azure refuses together: the bypass flag without
        `AutomaticByPlatform`, the bypass flag with hotpatching, or `AutomaticByPlatform` without the VM agent; or with
        a value that its setting does not have: a mistyped patch mode, or a text for the bypass flag.
    Severity: Blocks (SARIF: error).
    Why: The apply fails, for an existing VM as well as for a new one.
    Evidence: The two settings, or the value.
    Fix: Change the setting that is named. The VM agent can be chosen only when a VM is created.
    Source: terraform-provider-azurerm @0102f942, checks of create and update; claranet/terraform-azurerm-windows-vm#4
        for hotpatching ("Hotpatch updates require platform safety checks"), one report. The values: Azure's REST
        documentation (`WindowsVMGuestPatchMode`, `LinuxVMGuestPatchMode`), which azurerm checks, too.
    """,
)
CREATES_UNPREPARED = Rule(
    "iac-creates-unprepared",
    "A VM that the file creates is not prepared",
    WARNS,
    """
    What: A new VM of this file has not both settings: the file leaves them out, the plan creates it without them,
        changes of them are ignored (`ignore_changes`), or the tool has no arguments for them
        (`azurerm_virtual_machine`, `os_managed_disk_id`, Ansible's `azure_rm_virtualmachine`).
    Severity: Warns.
    Why: A schedule cannot patch the new VM until somebody sets both. For an existing VM no source says whether Azure
        keeps settings that a template or a module of Ansible leaves out; `ignore_changes` keeps them.
    Evidence: What is left out, ignored or missing in the tool.
    Fix: Set both in the file where the tool can; otherwise run `patchmode plan` after each creation.
    Source: Azure's documentation of the prerequisites for schedule patching; Terraform's documentation of
        `ignore_changes`; the sources of azure.azcollection 3.12.0, whose module has no argument for patch settings.
    """,
)
NOT_KNOWN = Rule(
    "iac-not-known",
    "The file alone does not say which setting the VM gets",
    WARNS,
    """
    What: A setting is a variable without a value in the files, an expression, or a value that differs between
        `.tfvars` files; or the file is a Terraform state, which records settings and does not decide them.
    Severity: Warns. With `--accept-unknown` it does not count for the exit code.
    Why: Nothing is guessed: the machine may be set back or not.
    Evidence: The expression as it is written.
    Fix: Check a plan: `terraform plan -out p && terraform show -json p > p.json && patchmode iac check p.json`. Or give
        the variable a default.
    Source: Terraform's documentation of input variables: values can come from the environment and the command line.
    """,
)
RULES = (SETS_MODE_BACK, SETS_BYPASS_BACK, REPLACES, REFUSED, CREATES_UNPREPARED, NOT_KNOWN)
"""Every rule about files that declare machines, in the order of the reference."""


def findings_of(machines: Iterable[DeclaredMachine]) -> Iterator[IacFinding]:
    """What is wrong with machines, in their order; one that several calls of a module share is told once a message."""
    seen: set[tuple[str, str, int, str, str]] = set()
    for machine in machines:
        for reason, part in _reasons(machine):
            term = None if part is None else machine.settings.get(part)
            line = machine.line if term is None or not machine.line <= term.line <= machine.end_line else term.line
            identity = (reason.rule, machine.path, line, reason.message, machine.address)
            if identity not in seen:
                seen.add(identity)
                yield _finding(machine, reason, line)


def _finding(machine: DeclaredMachine, reason: Reason, line: int) -> IacFinding:
    edits = edits_of(machine) if reason.rule in {SETS_MODE_BACK.id, SETS_BYPASS_BACK.id, REFUSED.id} else ()
    keep = () if reason.rule in {REPLACES.id, REFUSED.id, NOT_KNOWN.id} else lines_that_keep(machine)
    fix = f"{reason.fix} --fix does so." if edits and reason.rule == REFUSED.id else reason.fix
    if fix in _GENERAL and keep:
        elsewhere = [
            f"{machine.names[part]} where it is set ({term.origin})"
            for part in (Part.MODE, Part.BYPASS)
            if (term := machine.settings.get(part)) is not None
            and term.origin
            and term.is_literal
            and not (term.value is True if part is Part.BYPASS else _is_platform(term))
        ]
        fix = (
            "--fix writes what is missing of these lines:" if edits else f"The file has to say{where_to_keep(machine)}:"
        )
        fix = f"Change {' and '.join(elsewhere)}. The values that are needed:" if elsewhere else fix
    level = LEVELS[reason.severity]
    return IacFinding(reason.rule, level, machine, line, reason.message, reason.evidence, fix, keep, edits)


_GENERAL = frozenset(
    {SETS_MODE_BACK.machine_advice, SETS_BYPASS_BACK.machine_advice, CREATES_UNPREPARED.machine_advice}
)


Verdicts = Iterator[tuple[Reason, Part | None]]
"""Each with the setting that it is about; None: the machine."""


def _reasons(machine: DeclaredMachine) -> Verdicts:
    if machine.action == "replace":
        why = ", ".join(machine.replaced_for)
        for_what = f" because of {why}" if why else ""
        yield REPLACES.blocks(f"The plan deletes this VM and creates it again{for_what}.", f"replace: {why}"), None
    match machine.omission:
        case Omission.NOT_SAID:
            yield from _recorded(machine)
        case Omission.CANNOT | Omission.NOT_MANAGED:
            yield from _out_of_reach(machine)
        case _:
            yield from _declared(machine)


def _recorded(machine: DeclaredMachine) -> Verdicts:
    mode, bypass = machine.settings.get(Part.MODE), machine.settings.get(Part.BYPASS)
    if _is_platform(mode) and bypass is not None and bypass.value is True:
        return
    told = f"{_shown(machine, Part.MODE)}, {_shown(machine, Part.BYPASS)}"
    message = f"When this state was written the VM was not prepared: {told}. The configuration decides what is applied."
    yield NOT_KNOWN.warns(message, told, "Check the configuration, or a plan as JSON."), Part.MODE


def _out_of_reach(machine: DeclaredMachine) -> Verdicts:
    if machine.omission is Omission.NOT_MANAGED:
        told = "With os_managed_disk_id the resource has no patch settings"
        fix = "Set both with an azapi_update_resource, or with `patchmode plan` after the creation."
        existing = "they are not changed on a VM that exists."
    else:
        told = f"{machine.kind} has no arguments for patch settings"
        fix = "Use a resource that has them, or run `patchmode plan` after each creation."
        existing = "for a VM that exists no source says whether a change by this tool keeps them."
    yield CREATES_UNPREPARED.warns(f"{told}: a new VM is not prepared; {existing}", told, fix), None


def _declared(machine: DeclaredMachine) -> Verdicts:
    mode, bypass = machine.settings.get(Part.MODE), machine.settings.get(Part.BYPASS)
    odd = list(_no_such_values(machine, mode, bypass))
    if odd:
        yield from odd
    elif mode is None or (mode.is_literal and not _is_platform(mode)):
        yield from _wrong_mode(machine, mode, bypass)
    elif bypass is None or (bypass.is_literal and bypass.value is not True):
        yield from _no_bypass(machine, mode, bypass)
    else:
        unknown = [part for part in (Part.MODE, Part.BYPASS) if machine.settings[part].kind is not TermKind.LITERAL]
        for part in unknown:
            term = machine.settings[part]
            told = f"{machine.names[part]} = {term.text}"
            message = f"{told}: its value is not known here, {term.origin or 'it is an expression'}."
            yield NOT_KNOWN.warns(message, told, _ASK.get(machine.tool)), part
        if not unknown:
            yield from _contradictions(machine)


_MODES = ("Manual", "AutomaticByOS", "ImageDefault", PLATFORM)
"""Of either system. Source: Azure's REST documentation, `LinuxVMGuestPatchMode` and `WindowsVMGuestPatchMode`."""


def _no_such_values(machine: DeclaredMachine, mode: Term | None, bypass: Term | None) -> Verdicts:
    """Values that their setting does not have: nothing is set to them, since they are refused."""
    text = mode.value if mode is not None and mode.is_literal and isinstance(mode.value, str) else PLATFORM
    if text.casefold() not in map(str.casefold, _MODES):
        told, name = _shown(machine, Part.MODE), machine.names[Part.MODE]
        # Of Azure no source says that it refuses it.
        refused = " The next apply is refused by azurerm." if machine.omission is Omission.DEFAULT else ""
        message = f"{told}: no patch mode has this name.{refused}"
        yield REFUSED.blocks(message, told, f"Set {name} to {PLATFORM}."), Part.MODE
    if bypass is None or not bypass.is_literal or not isinstance(bypass.value, str):
        return
    told, name = _shown(machine, Part.BYPASS), machine.names[Part.BYPASS]
    fix = f"Set {name} to true, without quotes."
    if machine.omission is Omission.DEFAULT:
        message = f"{told}: it takes true or false. The next {_apply(machine)} is refused."
        yield REFUSED.blocks(message, told, fix), Part.BYPASS
    else:
        yield NOT_KNOWN.warns(f"{told}: a text, and no source says how Azure reads it.", told, fix), Part.BYPASS


_ASK = {
    Tool.ARM: "`az deployment group what-if` shows the values of a deployment.",
    Tool.BICEP: "`az deployment group what-if` shows the values of a deployment.",
    Tool.ANSIBLE: "Write the value into the task, or use `patchmode explain MACHINE` after the run.",
    Tool.PULUMI: "`pulumi preview --diff` shows the values of an update.",
}


def _wrong_mode(machine: DeclaredMachine, mode: Term | None, bypass: Term | None) -> Verdicts:
    told = _shown(machine, Part.MODE)
    has_flag = bypass is not None and bypass.value is True and Part.MODE not in machine.ignored
    if has_flag and machine.omission is Omission.DEFAULT:
        both = f"{told}, {_shown(machine, Part.BYPASS)}"
        fix = f"Set {machine.names[Part.MODE]} to {PLATFORM}."
        # Where azurerm has no default for the mode, it refuses new machines only.
        of_which = "" if mode is not None else ", at least when the VM is created"
        part = Part.MODE if mode is not None else Part.BYPASS
        yield REFUSED.blocks(f"{both}: the bypass flag needs {PLATFORM}{of_which}.", both, fix), part
    elif machine.action in {"create", "replace"}:
        yield CREATES_UNPREPARED.warns(f"The plan creates this VM with {told}.", told), Part.MODE
    elif Part.MODE in machine.ignored:
        yield from _ignored(machine, told, bypass)
    elif mode is not None:
        yield SETS_MODE_BACK.blocks(_set_back(machine, told), told), Part.MODE
    elif machine.omission is Omission.DEFAULT:
        default = "AutomaticByOS" if machine.os == "windows" else "ImageDefault"
        message = (
            f"{told}. The next {_apply(machine)} sets the VM back: versions of the provider in which it has a default "
            f"set {default}; later ones keep the mode and set the bypass flag to false, so that {_WITHOUT_BYPASS}."
        )
        yield SETS_MODE_BACK.blocks(message, told), None
    else:
        message = (
            f"{told}: a new VM is not prepared. For a VM that exists no source says whether Azure keeps what this file "
            "leaves out."
        )
        yield CREATES_UNPREPARED.warns(message, told), None


def _ignored(machine: DeclaredMachine, told: str, bypass: Term | None) -> Verdicts:
    message = f"{told}, and its changes are ignored: an existing VM keeps its mode, a new one is not prepared."
    yield CREATES_UNPREPARED.warns(message, f"{told}, ignore_changes"), Part.MODE
    if Part.BYPASS not in machine.ignored and (bypass is None or bypass.value is False):
        flag = _shown(machine, Part.BYPASS)
        message = f"{flag}, and its changes are not ignored as those of the mode are: the next apply sets it to false."
        yield SETS_BYPASS_BACK.blocks(f"{message} Then {_WITHOUT_BYPASS}.", flag), Part.BYPASS


def _no_bypass(machine: DeclaredMachine, mode: Term, bypass: Term | None) -> Verdicts:
    told = f"{_shown(machine, Part.MODE)}, {_shown(machine, Part.BYPASS)}"
    hotpatch = machine.settings.get(Part.HOTPATCH)
    fix = None
    part = Part.MODE if bypass is None else Part.BYPASS
    if hotpatch is not None and hotpatch.value is True:
        fix = f"Set {machine.names[Part.HOTPATCH]} to false first: Azure refuses the bypass flag with hotpatching."
    if machine.action in {"create", "replace"}:
        yield (
            CREATES_UNPREPARED.warns(f"The plan creates this VM with {told}: {_WITHOUT_BYPASS}.", told, fix),
            Part.BYPASS,
        )
    elif Part.BYPASS in machine.ignored:
        message = (
            f"{told}, and changes of the flag are ignored: an existing VM keeps it, of a new one {_WITHOUT_BYPASS}."
        )
        yield CREATES_UNPREPARED.warns(message, told, fix), part
    elif machine.omission is Omission.UNCONFIRMED and bypass is None:
        message = (
            f"{told}: of a new VM {_WITHOUT_BYPASS}. For a VM that exists no source says whether Azure keeps the flag."
        )
        yield SETS_BYPASS_BACK.warns(message, told, fix), part
    else:
        known = "" if mode.is_literal else f" Where the mode is {PLATFORM},"
        told_so = _set_back(machine, told, f"The next {_apply(machine)} sets the flag to false.")
        message = f"{told_so}{known or ' Then'} {_WITHOUT_BYPASS}."
        yield SETS_BYPASS_BACK.blocks(message, told, fix), part


def _set_back(machine: DeclaredMachine, told: str, otherwise: str = "") -> str:
    changed = [
        f"{machine.names[part]} {_value(before)} -> {_value(machine.settings.get(part))}"
        for part, before in machine.before.items()
        if part in {Part.MODE, Part.BYPASS} and _value(before) != _value(machine.settings.get(part))
    ]
    if changed:
        return f"This plan changes {', '.join(changed)}."
    if machine.tool is Tool.TERRAFORM_PLAN:
        return f"{told}: the plan changes nothing, since the VM is so now. Once prepared, the next apply sets it back."
    return f"{told}. {otherwise or f'The next {_apply(machine)} sets the VM back to it.'}"


_APPLIES = {
    Tool.ARM: "deployment",
    Tool.BICEP: "deployment",
    Tool.ANSIBLE: "run of the playbook",
    Tool.PULUMI: "update",
}


def _apply(machine: DeclaredMachine) -> str:
    """What its tool calls it when files take effect."""
    return _APPLIES.get(machine.tool, "apply")


def _contradictions(machine: DeclaredMachine) -> Verdicts:
    hotpatch, agent = machine.settings.get(Part.HOTPATCH), machine.settings.get(Part.AGENT)
    if hotpatch is not None and hotpatch.value is True:
        told = f"{_shown(machine, Part.BYPASS)}, {_shown(machine, Part.HOTPATCH)}"
        fix = f"Set {machine.names[Part.HOTPATCH]} to false, or take the VM out of the schedule."
        yield REFUSED.blocks(f"{told}: Azure refuses both together.", told, fix), Part.HOTPATCH
    if agent is not None and agent.value is False:
        told = f"{_shown(machine, Part.MODE)}, {_shown(machine, Part.AGENT)}"
        yield REFUSED.blocks(f"{told}: {PLATFORM} needs the VM agent.", told), Part.AGENT


def _is_platform(term: Term | None) -> bool:
    return term is not None and str(term.value).casefold() == PLATFORM.casefold()


def _value(term: Term | None) -> str:
    if term is None or (term.is_literal and term.value is None):
        return "not set"
    if not term.is_literal:
        return term.text or "not known"
    return f'"{term.value}"' if isinstance(term.value, str) else str(term.value).lower()


def _shown(machine: DeclaredMachine, part: Part) -> str:
    """`patch_mode = "Manual" (default of var.mode, variables.tf:3)`."""
    term = machine.settings.get(part)
    name = machine.names.get(part, part.value)
    if term is None:
        return f"{name} is not set"
    origin = f" ({term.origin})" if term.origin and term.is_literal else ""
    return f"{name} = {_value(term)}{origin}"
