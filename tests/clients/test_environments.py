"""What `make clients` installs is pinned, and a client that cannot be installed is named with the reason."""

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.clients import environments
from tests.clients.conftest import STEPS, Tried, table
from tests.clients.environments import AZ, CLIENTS, CUSTODIAN, NODE, Client


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_every_client_is_pinned_with_hashes_and_without_addresses(client: Client) -> None:
    """So that another machine installs the same, from its own registries."""
    for path in client.sources():
        text = path.read_text("utf-8")
        if path.suffix == ".txt":
            named = re.findall(r"^(?! |#)\S.*$", text, re.MULTILINE)
            assert named
            assert all(re.match(r"[\w.\[\],-]+==\S+", line) and line.endswith("\\") for line in named), path
            assert "://" not in text


def test_the_lock_of_npm_has_hashes_and_no_addresses() -> None:
    """`npm ci` installs exactly this; the package.json names the same versions."""
    assert NODE.npm is not None
    lock = json.loads((NODE.npm / "package-lock.json").read_text("utf-8"))
    wanted = json.loads((NODE.npm / "package.json").read_text("utf-8"))["dependencies"]
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert all(one["integrity"].startswith("sha512-") and "resolved" not in one for one in packages.values())
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_page_of_differences_names_the_pinned_version(client: Client) -> None:
    """What a client taught is told of a version; whoever installs another looks at the table again."""
    pinned = r"^{name}==(\S+)" if client.npm is None else r'^\s*"{name}": "([^"]+)"'
    source = client.sources()[0] if client.npm is None else client.npm / "package.json"
    found = re.search(pinned.format(name=re.escape(client.package)), source.read_text("utf-8"), re.MULTILINE)
    assert found is not None
    name = {"azure-cli": "az"}.get(client.package, client.package)
    page = (environments.ROOT / "docs/reference/emulator-differences.md").read_text("utf-8")
    assert f"{name} {found[1]}" in page


@dataclass(frozen=True, slots=True)
class _Fake(Client):
    script: str = ""

    def sources(self) -> tuple[Path, ...]:
        return (Path(__file__),)

    def commands(self) -> Iterable[list[str]]:
        yield [sys.executable, "-c", f"import sys; from pathlib import Path; {self.script}"]


def test_a_client_that_cannot_be_installed_keeps_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line with the error, not pip's last advice; the next run tries again."""
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    broken = _Fake(
        "x", "X", "x", script="sys.exit('ERROR: No matching distribution found for x==1\\nnotice: a new pip')"
    )
    assert broken.why_not() == "not installed: run `make clients`"
    told = "cannot be installed here: ERROR: No matching distribution found for x==1"
    assert (broken.install(), broken.why_not()) == (told, told)
    whole = _Fake("x", "X", "x", script=f"Path({str(tmp_path / 'x')!r}).mkdir()")
    assert (whole.install(), whole.why_not()) == ("", "")
    # What is there is not installed again: the command would fail now.
    assert whole.install() == ""


def test_an_unknown_client_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, with those that there are."""
    assert environments.main(["azz"]) == 2
    assert capsys.readouterr().err == (
        "No client is called azz; they are az, az-2.78, sdk, node, ansible, custodian.\n"
    )


def test_the_table_names_what_was_not_reached_and_what_was_skipped() -> None:
    """A client that is not there is never passed in silence."""
    seen = Tried(AZ, "2.91.0")
    for step in STEPS[:-1]:
        seen.note(step, "done")
    lines = table([seen, Tried(CUSTODIAN, why_not="cannot be installed here: no network")])
    assert lines[0] == "az 2.91.0"
    assert lines[len(STEPS)] == "  Arc             NOT REACHED"
    assert lines[-2:] == [
        "1 client tried, 1 skipped",
        "  SKIPPED Cloud Custodian: cannot be installed here: no network",
    ]
    assert table([]) == []
