"""Files → report: which reader a file is for, what could not be read of it, and what is found.

Must not: read files; they are given.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import dirname, normpath
from typing import TYPE_CHECKING

from patchmode.model.iac import DeclaredMachine, IacReport, SourceFile, Term, UnreadSource
from patchmode.rules.iac.bicep import BicepFile, assigned_names, bicep_machines, read_bicep
from patchmode.rules.iac.findings import findings_of
from patchmode.rules.iac.hcl import HclFile, read_hcl
from patchmode.rules.iac.playbooks import OF_INTEREST, NoYamlError, stack_machines, yaml_machines
from patchmode.rules.iac.syntax import Language, NotReadError, first_fault, parse
from patchmode.rules.iac.templates import is_template, parameter_values, template_machines
from patchmode.rules.iac.terraform import terraform_machines
from patchmode.rules.iac.terraform_json import is_plan, is_state, plan_machines, state_machines

if TYPE_CHECKING:
    from tree_sitter import Node

HCL_ENDINGS = (".tf", ".tofu", ".tfvars")
BICEP_ENDINGS = (".bicep", ".bicepparam")
JSON_ENDINGS = (".json", ".tfstate")
YAML_ENDINGS = (".yml", ".yaml")
ENDINGS = (*HCL_ENDINGS, *BICEP_ENDINGS, *JSON_ENDINGS, *YAML_ENDINGS)
"""Of files that are looked at in a folder."""
_DECLARING = (b"azurerm_", b"azapi_resource", b"microsoft.compute/virtualmachines", b"azure-native:", b"azure:compute")
_PARAMETERS = b"deploymentparameters.json"
_NOT_ITS_LANGUAGE = "a syntax error, or a form of the language that is newer than this check"
_TOO_DEEP = "it is nested too deeply to be read"


@dataclass(slots=True)
class _Read:
    """What was read so far."""

    machines: list[DeclaredMachine] = field(default_factory=list)
    unread: list[UnreadSource] = field(default_factory=list)
    hcl: list[HclFile] = field(default_factory=list)
    tfvars: list[HclFile] = field(default_factory=list)
    bicep: list[BicepFile] = field(default_factory=list)
    templates: "list[tuple[str, Node]]" = field(default_factory=list)
    parameters: dict[str, dict[str, Term]] = field(default_factory=dict)
    """Folder → what files of parameters in it set."""

    def keep_parameters(self, path: str, values: Mapping[str, Term]) -> None:
        """Keep what a file of parameters sets."""
        self.parameters.setdefault(normpath(dirname(path) or "."), {}).update(values)

    def given(self, path: str) -> Mapping[str, Term]:
        """What files of parameters beside a file set."""
        return self.parameters.get(normpath(dirname(path) or "."), {})


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
        except NoYamlError as error:
            read.unread.append(UnreadSource(file.path, "it is not YAML", error.line))
        except NotReadError as error:
            read.unread.append(UnreadSource(file.path, _NOT_ITS_LANGUAGE, error.line))
        except RecursionError:
            read.unread.append(UnreadSource(file.path, _TOO_DEEP))
    elsewhere = _together(read)
    read.unread += unread
    machines = sorted(read.machines, key=lambda one: (one.path, one.line, one.address))
    return IacReport(
        tuple(paths), count, tuple(machines), tuple(findings_of(machines)), tuple(read.unread), tuple(elsewhere)
    )


def _together(read: _Read) -> Sequence[str]:
    """Read the machines of files that give each other values.

    Returns:
        The calls of modules that are not among them.
    """
    elsewhere: list[str] = []
    try:
        declared, calls = terraform_machines(read.hcl, read.tfvars)
        read.machines += declared
        elsewhere += calls
    except RecursionError:
        read.unread.append(UnreadSource(read.hcl[0].path, _TOO_DEEP))
    try:
        declared, calls = bicep_machines(read.bicep, read.given)
        read.machines += declared
        elsewhere += calls
    except RecursionError:
        read.unread.append(UnreadSource(read.bicep[0].path, _TOO_DEEP))
    for path, root in read.templates:
        try:
            read.machines += template_machines(path, root, read.given(path))
        except RecursionError:
            read.unread.append(UnreadSource(path, _TOO_DEEP))
    return elsewhere


def _read(file: SourceFile, read: _Read) -> None:
    name = file.path.casefold()
    if not name.endswith(ENDINGS):
        read.unread.append(UnreadSource(file.path, f"its ending is none of {', '.join(ENDINGS)}"))
    elif name.endswith(YAML_ENDINGS):
        if any(word in file.content for word in OF_INTEREST) and _is_text(file, read):
            read.machines += yaml_machines(file.path, file.content)
    elif name.endswith(JSON_ENDINGS):
        content = file.content.lower()
        if any(word in content for word in (*_DECLARING, _PARAMETERS)) and _is_text(file, read):
            _json(file, read)
    elif _is_text(file, read):
        _source(file, name, read)


def _is_text(file: SourceFile, read: _Read) -> bool:
    try:
        file.content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        read.unread.append(UnreadSource(file.path, "it is not UTF-8", line))
        return False
    return True


def _source(file: SourceFile, name: str, read: _Read) -> None:
    if name.endswith(".bicepparam"):
        read.keep_parameters(file.path, assigned_names(file.path, file.content))
        return
    if name.endswith(BICEP_ENDINGS):
        bicep = read_bicep(file.path, file.content)
        read.bicep.append(bicep)
        fault = bicep.fault
    else:
        hcl = read_hcl(file.path, file.content)
        (read.tfvars if name.endswith(".tfvars") else read.hcl).append(hcl)
        fault = hcl.fault
    if fault is not None:
        read.unread.append(UnreadSource(file.path, _NOT_ITS_LANGUAGE, fault))


def _json(file: SourceFile, read: _Read) -> None:
    if file.path.casefold().endswith(".tf.json"):
        read.unread.append(UnreadSource(file.path, "Terraform's JSON syntax is not read; check a plan as JSON"))
        return
    root = parse(Language.JSON, file.content)
    document = next((one for one in root.named_children if one.type == "object"), None)
    if (fault := first_fault(root)) is not None:
        read.unread.append(UnreadSource(file.path, _NOT_ITS_LANGUAGE, fault))
    if document is None:
        return
    read.keep_parameters(file.path, parameter_values(file.path, document))
    if is_plan(document):
        read.machines += plan_machines(file.path, document)
    elif is_state(document):
        read.machines += state_machines(file.path, document)
    elif is_template(document):
        read.templates.append((file.path, document))
    else:
        read.machines += stack_machines(file.path, document)
