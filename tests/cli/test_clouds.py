"""AzureUSGovernment, AzureChinaCloud and a cloud by its URL, from sign-in to rollback; nothing leads to another cloud.

The hosts are Azure's own names, which resolve nowhere here: a proxy that inspects TLS leads those of one cloud to the
emulator and refuses all others, so that what was asked elsewhere fails.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from tests.cli.conftest import Program, Start
from tests.proxying import Proxy, company, proxying

SCOPE, SCHEDULE = ("-g", "rg-data-prod"), "mc-weekly"
FORMS = ("powershell", "az", "rest", "bicep", "terraform", "ansible", "markdown")


@dataclass(frozen=True)
class Place:
    """One cloud as its users name it."""

    cloud: str
    name: str
    hosts: tuple[str, ...]
    audience: str
    in_exports: Mapping[str, str]
    """Form → what stands in it of this cloud."""

    @property
    def endpoint(self) -> str:
        return f"https://{self.hosts[0]}"


PLACES = [
    Place("AzureUSGovernment", "AzureUSGovernment", ("management.usgovcloudapi.net", "login.microsoftonline.us"),
          "https://management.core.usgovcloudapi.net",
          {"az": "az cloud set --name AzureUSGovernment && az login", "terraform": 'environment = "usgovernment"',
           "powershell": "Connect-AzAccount -Environment AzureUSGovernment -Tenant",
           "ansible": "AZURE_CLOUD_ENVIRONMENT must be AzureUSGovernment.",
           "rest": "`az cloud set --name AzureUSGovernment`"}),
    Place("AzureChinaCloud", "AzureChinaCloud", ("management.chinacloudapi.cn", "login.chinacloudapi.cn"),
          "https://management.chinacloudapi.cn",
          {"az": "az cloud set --name AzureChinaCloud && az login", "terraform": 'environment = "china"',
           "powershell": "Connect-AzAccount -Environment AzureChinaCloud -Tenant",
           "ansible": "AZURE_CLOUD_ENVIRONMENT must be AzureChinaCloud.",
           "rest": "`az cloud set --name AzureChinaCloud`"}),
    Place("https://management.stamp.example", "arm-emulator", ("management.stamp.example",),
          "https://management.stamp.example/",
          {"az": "az cloud set --name NAME && az login (az cloud register adds a cloud).",
           "terraform": "Set the endpoint of https://management.stamp.example here.",
           "powershell": "Add-AzEnvironment -Name NAME -ARMEndpoint ''https://management.stamp.example''",
           "ansible": "AZURE_CLOUD_ENVIRONMENT must be the address https://management.stamp.example.",
           "rest": "`az cloud set --name NAME`"}),
]  # fmt: skip
FOREIGN = re.compile(
    r"(?<!schema\.)management\.azure\.com|login\.microsoftonline\.com|login\.windows\.net|portal\.azure\.com|"
    r"management\.core\.windows\.net|graph\.microsoft\.com|\bAzureCloud\b|AzurePublicCloud",
    re.IGNORECASE,
)
"""What is of the public cloud; the address of the schema of templates is one for all clouds."""


@contextmanager
def inside(place: Place, start: Start, folder: Path, fleet: str) -> Iterator[tuple[Program, Proxy]]:
    program = start(fleet, guards_names=False)
    port = int(program.endpoint.rpartition(":")[2])
    upstream = Path(program.environment["SSL_CERT_FILE"])
    ca, server = company(folder / "company", *place.hosts)
    proxy = Proxy({f"{host}:443": port for host in place.hosts}, upstream=upstream, server=server)
    for name in ("NO_PROXY", "no_proxy", "AZURE_AUTHORITY_HOST"):
        program.environment.pop(name, None)
    with proxying(proxy):
        program.environment |= {
            "HTTPS_PROXY": proxy.url,
            "SSL_CERT_FILE": str(ca),
            "REQUESTS_CA_BUNDLE": str(ca),
            "PATCHMODE_CLOUD": place.cloud,
        }
        yield program, proxy


def resources_asked_for(program: Program) -> set[str]:
    """The scopes of the tokens that were had."""
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    forms = [parse_qs(entry.body.decode()) for entry in entries if entry.path.endswith("/token")]
    return {scope for form in forms for scope in form["scope"]}


def told_elsewhere(program: Program, folder: Path) -> dict[str, set[str]]:
    """Where the public cloud is named: on a screen, or in a file that was written."""
    texts = {f"command {number}": done.out + done.err for number, done in enumerate(program.ran, 1)}
    for path in folder.rglob("*"):
        if path.is_file() and "company" not in path.parts:
            texts[path.name] = path.read_bytes().decode("utf-8", "replace")
    return {name: set(FOREIGN.findall(text)) for name, text in texts.items() if FOREIGN.search(text)}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.cloud)
def test_a_whole_change_in_a_cloud(start: Start, tmp_path: Path, place: Place) -> None:
    """Sign-in, audit, plan, every export, apply with a schedule, verify and rollback, on that cloud's hosts alone."""
    with inside(place, start, tmp_path, "demo") as (program, proxy):
        doctor = json.loads(program("doctor", *SCOPE, "-o", "json").out)
        assert (doctor["target"]["cloud"], doctor["target"]["endpoint"]) == (place.name, place.endpoint)
        assert program("audit", *SCOPE).code == 10
        assert program("report", *SCOPE, "--out", "audit.html").code == 10
        assert program("plan", *SCOPE, "--then-attach", SCHEDULE, "--out", "plan.json").code == 10
        for form in FORMS:
            done = program("export", "plan.json", "--as", form, "--out", f"plan.{form}")
            assert done.code == 0, done.err
        assert program("apply", "plan.json", "--yes").code == 0
        assert program("verify", "latest").code == 0
        assert program("rollback", "latest", "--yes").code == 10
        asked = {seen.removeprefix("CONNECT ").removesuffix(":443") for seen in proxy.seen}
        assert asked == set(place.hosts)
        assert resources_asked_for(program) == {f"{place.audience}/.default"}
        assert told_elsewhere(program, tmp_path) == {}
        for form, words in place.in_exports.items():
            text = (tmp_path / f"plan.{form}").read_text(encoding="utf-8")
            assert words in re.sub(r"\n# ", " ", text), form


def test_the_other_commands_name_no_other_cloud(start: Start, tmp_path: Path) -> None:
    """Those that a whole change does not take: what they print and write, with their next steps."""
    with inside(PLACES[0], start, tmp_path, "demo") as (program, _):
        for words in (
            ("explain", "api-01"),
            ("audit", "--all", "-o", "json"),
            ("audit", "-g", "no-such-group"),
            ("schedule", "list"),
            ("schedule", "check"),
            ("schedule", "failures"),
            ("policy", "audit", *SCOPE),
            ("doctor", "--role-json"),
            ("report", *SCOPE, "--out", "audit.md"),
            ("report", *SCOPE, "--out", "audit.sarif"),
            ("report", *SCOPE, "--out", "audit.prom"),
            ("apply", *SCOPE, "--yes"),
            ("evidence", "pack", "latest", "--out", "evidence"),
            ("runs", "show", "latest"),
        ):
            assert program(*words).code in {0, 3, 10, 11}, words
        wrong = program("audit", *SCOPE, AZURE_CLIENT_SECRET="no")
        assert "AADSTS7000215" in wrong.err
        assert told_elsewhere(program, tmp_path) == {}


def test_a_token_of_one_cloud_is_none_in_another(start: Start, tmp_path: Path) -> None:
    """The emulator keeps its clouds apart as Azure does: by host, by authority and by audience."""
    with inside(PLACES[0], start, tmp_path, "small") as (program, proxy):
        other = program("--cloud", "AzureChinaCloud", "audit", "--all")
        assert other.code == 1
        assert "no credential gave a token for AzureChinaCloud (https://login.chinacloudapi.cn)" in other.err
        assert "answered 502" in other.err
        assert set(proxy.seen) == {"CONNECT login.chinacloudapi.cn:443"}
