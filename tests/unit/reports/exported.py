"""Plans with hostile names, a fake `az` that a script is run with, and readers of what is exported."""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from tests.unit.store.plans import BOTH_FIELDS, SUBSCRIPTION, TARGET, change, patch_body, plan

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

HOSTILE = "a'\"$`\\\u2019\u2028{}<>|;&()*!~#é \u202e-_."
"""Letters that a shell, PowerShell, Markdown or an editor looks at."""
_names = st.text(HOSTILE, min_size=1, max_size=12).map(lambda text: f"x{text}x")
_groups = st.text(sorted(set(HOSTILE) - set("\\#&")), min_size=1, max_size=12).map(lambda text: f"g{text}g")
_vms = st.text(sorted(set(HOSTILE) - {"#"}), min_size=1, max_size=12).map(lambda text: f"v{text}v")
_values = st.text(HOSTILE, min_size=1, max_size=12).map(lambda text: f"m{text}m")
_etags = st.none() | st.text("!#$%&'()*+`|~\\aW", max_size=8).map(lambda text: f'"{text}"')


@st.composite
def hostile_plans(draw: st.DrawFn) -> Plan:
    """Plans of up to two machines whose names, regions and values are not what anybody writes."""
    made: list[Change] = []
    for number in range(draw(st.integers(1, 2))):
        system = draw(st.sampled_from(OperatingSystem))
        group, name = draw(_groups), draw(_vms)
        place = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines"
        platform = {"bypassPlatformSafetyChecksOnUserSchedule": draw(st.booleans()), "rebootSetting": draw(_values)}
        settings = {"patchMode": draw(_values), "automaticByPlatformSettings": platform}
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
    return plan(*made, digest="d" * 64)


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


def powershell_strings(text: str) -> list[str]:
    """The strings in apostrophes of a piece of PowerShell without comments: two of them within one are one."""
    found, at = [], 0
    while (start := text.find("'", at)) >= 0:
        end, value = start + 1, ""
        while text[end] != "'" or text[end + 1 : end + 2] == "'":
            step = 2 if text[end] == "'" else 1
            value += text[end]
            end += step
        found.append(value)
        at = end + 1
    return found
