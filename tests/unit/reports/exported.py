"""Plans with hostile names, a fake `az` that a script is run with, and readers of what is exported.

The readers of Terraform, Bicep and PowerShell use grammars that this project did not write (tree-sitter).
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import tree_sitter_bicep
import tree_sitter_hcl
import tree_sitter_powershell
import yaml
from hypothesis import strategies as st
from tests.unit.store.plans import BOTH_FIELDS, SUBSCRIPTION, TARGET, change, machine_id, patch_body, plan
from tree_sitter import Language, Node, Parser

from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.reports.exports.registry import pieces

_FAKE = r"""#!/bin/sh
# Writes down its words, and answers as the test says: the n-th read from the file get-n.
for one in "$@"; do printf '%s\0' "$one" >> "$FAKE/log"; done
printf '\n\0' >> "$FAKE/log"
case "$1 $3" in
  "cloud --query") printf '%s\n' "$FAKE_ENDPOINT/" ;;
  "account --subscription") printf '%s\n' "$FAKE_TENANT" ;;
  "rest get")
    n=$(($(cat "$FAKE/reads") + 1))
    printf '%s\n' "$n" > "$FAKE/reads"
    cat "$FAKE/get-$n" ;;
  "rest patch") [ ! -e "$FAKE/refuses" ] || { echo 'Precondition Failed' >&2; exit 1; } ;;
esac
"""
BEFORE = "Succeeded\nAutomaticByOS\nfalse\n"
AFTER = "Succeeded\nAutomaticByPlatform\ntrue\n"
UPDATING = "Updating\nAutomaticByPlatform\ntrue\n"


def api_version(kind: MachineKind) -> str:
    return "2024-07-10" if kind is MachineKind.ARC else "2024-07-01"


def exported(one: Plan, form: str, source: str = "plan.json") -> str:
    return "".join(pieces(one, form, source=source, api_version=api_version))


@dataclass
class Ran:
    """How a script ended, and every call of az."""

    code: int
    out: str
    err: str
    calls: list[list[str]] = field(default_factory=list)

    def sent(self) -> list[list[str]]:
        return [call for call in self.calls if call[:3] == ["rest", "--method", "patch"]]


def run_script(
    script: str,
    folder: Path,
    reads: Sequence[str],
    *,
    endpoint: str = TARGET.endpoint,
    tenant: str = TARGET.tenant_id,
    refuses: bool = False,
) -> Ran:
    """Run a script with the fake az alone on its way, and what it answers to each read."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / "az").write_text(_FAKE, encoding="utf-8")
    (folder / "az").chmod(0o755)
    (folder / "log").write_bytes(b"")
    (folder / "reads").write_text("0\n", encoding="utf-8")
    if refuses:
        (folder / "refuses").touch()
    for number, answer in enumerate(reads, 1):
        (folder / f"get-{number}").write_text(answer, encoding="utf-8", newline="")
    (folder / "change.sh").write_text(script, encoding="utf-8")
    around = {"FAKE": str(folder), "FAKE_ENDPOINT": endpoint, "FAKE_TENANT": tenant, "WAIT_S": "0", "ROUNDS": "3"}
    done = subprocess.run(
        ["sh", str(folder / "change.sh")],
        env={**os.environ, **around, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    words = (folder / "log").read_bytes().decode().split("\0")[:-1]
    calls: list[list[str]] = [[]]
    for word in words:
        calls[-1].append(word) if word != "\n" else calls.append([])
    return Ran(done.returncode, done.stdout, done.stderr, calls[:-1])


# -------------------------------------------------------------------------------------------- plans

HOSTILE = "a'\"$%`\\\u2019\u2028{}<>|;&()*!~#é \u202e-_.\x1b\x9b\U000e0041"
"""Letters that a shell, PowerShell, Terraform, Jinja, Markdown, a terminal or an editor looks at."""
_TEMPLATES = ("{{ x }}", "{% x %}", "{# x", "${x}", "$${x}", "%{ if x }", "$(x)", "'''", "*/", "\n", "\n\n# ", "@{x}")


def _texts(without: str = "") -> st.SearchStrategy[str]:
    """Texts of these letters and templates; an id may hold no control letter, and no letter of `without`."""
    parts = [one for one in (*HOSTILE, *_TEMPLATES) if not set(one) & set(without)]
    return st.lists(st.sampled_from(parts), min_size=1, max_size=6).map("".join)


_names = _texts().map(lambda text: f"x{text}x")
_groups = _texts("\\#%&/?\n\x1b\x9b").map(lambda text: f"g{text}g")
_vms = _texts("#/\n\x1b\x9b").map(lambda text: f"v{text}v")
_values = _texts().map(lambda text: f"m{text}m")
_plain_values = _texts("\u2019\u2028é\u202e\n\x1b\x9b\U000e0041").map(lambda text: f"m{text}m")
_etags = st.none() | st.text("!#$%&'()*+`|~\\aW", max_size=8).map(lambda text: f'"{text}"')


@st.composite
def hostile_plans(draw: st.DrawFn, form: str = "") -> Plan:
    """Plans of up to two machines whose names, regions and values are not what anybody writes.

    A script of az or PowerShell holds no value that its strings cannot.
    """
    values = _plain_values if form.startswith(("az", "powershell")) else _values
    made: list[Change] = []
    for number in range(draw(st.integers(1, 2))):
        system = draw(st.sampled_from(OperatingSystem))
        group, name = draw(_groups), draw(_vms)
        place = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines"
        platform = {"bypassPlatformSafetyChecksOnUserSchedule": draw(st.booleans()), "rebootSetting": draw(values)}
        settings = {"patchMode": draw(values), "automaticByPlatformSettings": platform}
        made.append(
            replace(
                change(),
                id=ResourceId.parse(f"{place}/{name}{number}"),
                os=system,
                location=draw(_names),
                etag=draw(_etags),
                body=patch_body(settings, system),
            )
        )
    skipped = (Skipped(machine_id("skipped"), "client-os", draw(_names)),)
    return plan(*made, digest="d" * 64, skipped=skipped, unreadable=(Unreadable(draw(_names), draw(_names)),))


def shown_after(one: Change) -> str:
    """What az prints of a machine that has the settings of `hostile_plans`."""
    (block,) = one.body["properties"]["osProfile"].values()
    sent = block["patchSettings"]
    platform = sent["automaticByPlatformSettings"]
    bypass = str(platform["bypassPlatformSafetyChecksOnUserSchedule"]).lower()
    return f"Succeeded\n{sent['patchMode']}\n{bypass}\n{platform['rebootSetting']}\n"


def linux(name: str, **members: Any) -> Change:
    """A Linux machine whose request holds both fields."""
    body = patch_body(BOTH_FIELDS, OperatingSystem.LINUX)
    return replace(change(name), os=OperatingSystem.LINUX, body=body, **members)


# -------------------------------------------------------------------------------------------- readers


@dataclass(frozen=True)
class Asked:
    """One request of a `.http` file."""

    method: str
    url: str
    headers: dict[str, str]
    body: str


def http_requests(text: str) -> Iterator[Asked]:
    """The requests of a `.http` file, as its clients divide it: at lines that begin with ###."""
    for part in re.split(r"^###.*\n", text, flags=re.MULTILINE):
        lines = [line for line in part.split("\n") if not line.startswith(("#", "@"))]
        head, _, body = "\n".join(lines).strip("\n").partition("\n\n")
        if not head:
            continue
        first, *rest = head.split("\n")
        method, url, version = first.split(" ")
        assert version == "HTTP/1.1"
        yield Asked(method, url, dict(line.split(": ", 1) for line in rest), body)


# ------------------------------------------------------------------------------------------ languages


def tree(grammar: Any, text: str) -> Node:
    """The syntax tree of a text that the grammar reads without an error."""
    root = Parser(Language(grammar.language())).parse(text.encode()).root_node
    assert not root.has_error, [one.text for one in nodes(root, "ERROR")]
    return root


def nodes(node: Node, kind: str) -> Iterator[Node]:
    if node.type == kind:
        yield node
    for child in node.children:
        yield from nodes(child, kind)


def words(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


def unescaped(text: str) -> str:
    r"""A text without the escapes of HCL, YAML and Bicep: `\n`, `\u0024`, `\U0001f600`, `\u{202e}`, `\'`."""

    def one(found: re.Match[str]) -> str:
        code = found[1].strip("uU{}")
        return chr(int(code, 16)) if len(found[1]) > 1 else {"n": "\n"}.get(found[1], found[1])

    return re.sub(r"\\(u\{[0-9a-f]+\}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)", one, text, flags=re.DOTALL)


def literal(node: Node) -> Any:
    """The value of an expression of HCL or Bicep; of one that is no literal its text. A template is no literal."""
    if node.type in {"expression", "literal_value", "collection_value"} and node.named_child_count == 1:
        return literal(node.named_children[0])
    if node.type in {"bool_lit", "boolean"}:
        return words(node) == "true"
    if node.type in {"string_lit", "string"}:
        assert not [*nodes(node, "template_interpolation"), *nodes(node, "interpolation")]
        return unescaped(words(node)[1:-1])
    if node.type in {"tuple", "array"}:
        skipped = {"tuple_start", "tuple_end", "comment"}
        return [literal(one) for one in node.named_children if one.type not in skipped]
    if node.type == "object":
        pairs = [one.named_children for one in node.named_children if one.type in {"object_elem", "object_property"}]
        return {literal(name): literal(value) for name, value in pairs}
    return words(node)


def blocks(text: str) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    """The blocks of a Terraform file: its words, and its attributes with their values."""
    found = []
    (whole,) = (one for one in tree(tree_sitter_hcl, text).named_children if one.type == "body")
    for block in whole.named_children:
        if block.type == "block":
            head = tuple(
                words(one).strip('"') for one in block.named_children if one.type in {"identifier", "string_lit"}
            )
            (body,) = (one for one in block.named_children if one.type == "body")
            pairs = [one.named_children for one in body.named_children if one.type == "attribute"]
            found.append((head, {words(name): literal(value) for name, value in pairs}))
    return found


def powershell_strings(text: str) -> list[list[str]]:
    """The strings of each call of Set-Machine; one in which something would be replaced is none of them."""
    calls = [
        one for one in nodes(tree(tree_sitter_powershell, text), "command") if words(one).startswith("Set-Machine ")
    ]
    assert not [one for call in calls for one in nodes(call, "expandable_string_literal")]
    return [
        [words(one)[1:-1].replace("''", "'") for one in nodes(call, "verbatim_string_characters")] for call in calls
    ]


class Unsafe(str):
    """A text of a playbook in which Ansible replaces nothing."""

    __slots__ = ()


class Playbooks(yaml.SafeLoader):
    """As Ansible reads YAML."""


Playbooks.add_constructor("!unsafe", lambda loader, node: Unsafe(node.value))


@dataclass(frozen=True)
class Read:
    """A change as it was read back: the machine, its body, and the precondition."""

    machine: str
    body: Mapping[str, Any]
    etag: str | None


def _from_terraform(text: str) -> Iterator[Read]:
    for head, values in blocks(text):
        if head[:2] == ("resource", "azapi_resource_action"):
            assert values["method"] == "PATCH"
            yield Read(values["resource_id"], values["body"], values.get("headers", {}).get("If-Match"))


def _from_bicep(text: str) -> Iterator[Read]:
    for one in nodes(tree(tree_sitter_bicep, text), "variable_declaration"):
        for entry in literal(one.named_children[-1]):
            yield Read(entry["id"], {"properties": {"osProfile": entry["osProfile"]}}, None)


def _from_ansible(text: str) -> Iterator[Read]:
    for play in yaml.load(text, Playbooks):
        machine = play["vars"]["machine"]
        yield Read(unquote(machine["path"]), machine["body"], machine["etag"])


def _from_powershell(text: str) -> Iterator[Read]:
    for _, path, body, etag, *_ in powershell_strings(text):
        yield Read(unquote(path.partition("?")[0]), json.loads(body), etag or None)


def _from_rest(text: str) -> Iterator[Read]:
    for one in http_requests(text):
        if one.method == "PATCH":
            machine = unquote(one.url.removeprefix(TARGET.endpoint).partition("?")[0])
            yield Read(machine, json.loads(one.body), one.headers.get("If-Match"))


READERS: Mapping[str, Callable[[str], Iterator[Read]]] = {
    "powershell": _from_powershell,
    "powershell-update-azvm": _from_powershell,
    "rest": _from_rest,
    "terraform": _from_terraform,
    "bicep": _from_bicep,
    "ansible": _from_ansible,
}
"""Of every form but az, whose script is run, and Markdown, which holds no requests."""
