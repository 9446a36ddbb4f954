"""Files → report: which reader a file is for, what could not be read of it, and what is found.

Must not: read files; they are given.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from patchmode.model.iac import DeclaredMachine, IacReport, SourceFile, UnreadSource
from patchmode.rules.iac.findings import findings_of
from patchmode.rules.iac.hcl import HclFile, read_hcl
from patchmode.rules.iac.syntax import Language, NotReadError, first_fault, parse
from patchmode.rules.iac.terraform import terraform_machines
from patchmode.rules.iac.terraform_json import is_plan, is_state, plan_machines, state_machines

HCL_ENDINGS = (".tf", ".tofu", ".tfvars")
JSON_ENDINGS = (".json", ".tfstate")
ENDINGS = (*HCL_ENDINGS, *JSON_ENDINGS)
"""Of files that are looked at in a folder."""
_OF_INTEREST = (b"azurerm_", b"azapi_resource", b"microsoft.compute/virtualmachines")
"""A JSON file without any of them, in any case, declares no machine."""


@dataclass(slots=True)
class _Read:
    """What was read so far."""

    machines: list[DeclaredMachine] = field(default_factory=list)
    unread: list[UnreadSource] = field(default_factory=list)
    hcl: list[HclFile] = field(default_factory=list)
    tfvars: list[HclFile] = field(default_factory=list)


def report_of(paths: Sequence[str], files: Iterable[SourceFile], unread: Iterable[UnreadSource]) -> IacReport:
    """What the files declare, and what is wrong with it.

    Args:
        paths: as they were named.
        files: whatever has one of `ENDINGS`, or was named; each is read once, in this order.
        unread: what could not be opened; looked at when all files have been given.

    Raises:
        UsageError: a parser is not installed.
    """
    read = _Read()
    count = 0
    for file in files:
        count += 1
        try:
            _read(file, read)
        except NotReadError as error:
            read.unread.append(UnreadSource(file.path, _NOT_ITS_LANGUAGE, error.line))
        except RecursionError:
            read.unread.append(UnreadSource(file.path, "it is nested too deeply to be read"))
    elsewhere: Sequence[str] = ()
    try:
        declared, elsewhere = terraform_machines(read.hcl, read.tfvars)
        read.machines += declared
    except RecursionError:
        read.unread.append(UnreadSource(read.hcl[0].path, "its values refer to each other too deeply to be read"))
    read.unread += unread
    machines = sorted(read.machines, key=lambda one: (one.path, one.line, one.address))
    return IacReport(
        tuple(paths), count, tuple(machines), tuple(findings_of(machines)), tuple(read.unread), tuple(elsewhere)
    )


_NOT_ITS_LANGUAGE = "this is not the language that its ending says, or a newer form of it"


def _read(file: SourceFile, read: _Read) -> None:
    name = file.path.casefold()
    if not name.endswith(ENDINGS):
        read.unread.append(UnreadSource(file.path, f"its ending is none of {', '.join(ENDINGS)}"))
        return
    if not _is_text(file, read):
        return
    if name.endswith(HCL_ENDINGS):
        found = read_hcl(file.path, file.content)
        if found.fault is not None:
            read.unread.append(UnreadSource(file.path, _NOT_ITS_LANGUAGE, found.fault))
        (read.tfvars if name.endswith(".tfvars") else read.hcl).append(found)
    elif any(word in file.content.lower() for word in _OF_INTEREST):
        read.machines += _json(file, read)


def _is_text(file: SourceFile, read: _Read) -> bool:
    try:
        file.content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        read.unread.append(UnreadSource(file.path, "it is not UTF-8", line))
        return False
    return True


def _json(file: SourceFile, read: _Read) -> Iterator[DeclaredMachine]:
    if file.path.casefold().endswith(".tf.json"):
        read.unread.append(UnreadSource(file.path, "Terraform's JSON syntax is not read; check a plan as JSON"))
        return
    root = parse(Language.JSON, file.content)
    if (fault := first_fault(root)) is not None:
        read.unread.append(UnreadSource(file.path, _NOT_ITS_LANGUAGE, fault))
    document = next((one for one in root.named_children if one.type == "object"), None)
    if document is None:
        return
    if is_plan(document):
        yield from plan_machines(file.path, document)
    elif is_state(document):
        yield from state_machines(file.path, document)
