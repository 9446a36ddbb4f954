"""What is published: the source archive holds a whole checkout, and whoever builds it again gets the same bytes."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
_OF_A_BUILD = ("SOURCE_DATE_EPOCH", "PATCHMODE_REPOSITORY")
NOT_PUBLISHED = (".ci/", ".github/")
"""What builds and releases it, and not what is built."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two builds, in folders of their own and at different times, as far as the files can tell."""
    folders = [tmp_path_factory.mktemp("dist") for _ in range(2)]
    for number, folder in enumerate(folders):
        environment = {key: value for key, value in os.environ.items() if key not in _OF_A_BUILD}
        command = [sys.executable, "-m", "hatchling", "build", "-d", folder]
        subprocess.run(
            command,
            cwd=ROOT,
            env={**environment, "TZ": f"UTC{number}"},
            check=True,
            capture_output=True,
            timeout=300,
            umask=[0o022, 0o077][number],
        )
    return folders


def metadata(folder: Path) -> Message:
    """What the wheel says of itself; the long description is its payload."""
    (found,) = folder.glob("*.whl")
    with zipfile.ZipFile(found) as held:
        (name,) = (name for name in held.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(held.read(name).decode())


def targets(description: str) -> list[str]:
    """Where the links and pictures of a description lead, as an index shows it."""
    tokens = [
        one for block in MarkdownIt("commonmark").enable("table").parse(description) for one in block.children or ()
    ]
    return [str(one.attrs.get("href") or one.attrs.get("src")) for one in tokens if one.type in {"link_open", "image"}]


def archive(folder: Path) -> tarfile.TarFile:
    (found,) = folder.glob("*.tar.gz")
    return tarfile.open(found)


def test_two_builds_have_the_same_bytes(built: list[Path]) -> None:
    """So that anybody can check that what is published was made from this source."""
    one, other = (
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} for folder in built
    )
    assert one == other
    assert sorted(Path(name).suffix for name in one) == [".gz", ".whl"]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
def test_the_source_archive_holds_a_whole_checkout(built: list[Path]) -> None:
    """And nothing else: what is not there cannot be tested by who packages it for a distribution."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    tracked = {name for name in listed.stdout.split("\0") if name and not name.startswith(NOT_PUBLISHED)}
    with archive(built[0]) as held:
        names = {name.partition("/")[2] for name in held.getnames()}
    assert tracked - names == set()
    assert names - tracked == {"PKG-INFO"}


def test_the_wheel_holds_the_two_packages_and_nothing_of_the_tests(built: list[Path]) -> None:
    """And the manual page, where man finds it; and is small: what a container of the command downloads of ours."""
    (found,) = built[0].glob("*.whl")
    with zipfile.ZipFile(found) as held:
        tops = {name.split("/")[0] for name in held.namelist()}
        data = [name.partition(".data/")[2] for name in held.namelist() if ".data/" in name]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert tops == {"patchmode", "arm_emulator", f"patchmode-{version}.dist-info", f"patchmode-{version}.data"}
    assert data == ["data/share/man/man1/patchmode.1"]
    assert found.stat().st_size < 2_000_000


def test_a_build_that_knows_no_repository_describes_itself_without_links_into_it(built: list[Path]) -> None:
    """An index shows the description where no file of the project is: they would lead nowhere."""
    held = metadata(built[0])
    assert held.get_all("Project-URL") is None
    assert held["Description-Content-Type"] == "text/markdown"
    description = str(held.get_payload())
    assert targets(description) == []
    assert "<!--" not in description
    assert "Once it is published, `pipx install patchmode` installs it." in description


def test_a_release_leads_to_the_files_of_its_tag(tmp_path: Path) -> None:
    """Pictures to the file itself, folders to their list; each is in the project."""
    environment = {**os.environ, "PATCHMODE_REPOSITORY": "https://forge.example/contoso/patchmode/"}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=300)
    held = metadata(tmp_path)
    tag = f"v{held['Version']}"
    assert held.get_all("Project-URL") == [
        "Source, https://forge.example/contoso/patchmode",
        f"Documentation, https://forge.example/contoso/patchmode/blob/{tag}/docs/README.md",
        f"Changelog, https://forge.example/contoso/patchmode/blob/{tag}/CHANGELOG.md",
        "Issues, https://forge.example/contoso/patchmode/issues",
    ]
    found = targets(str(held.get_payload()))
    assert f"https://forge.example/contoso/patchmode/raw/{tag}/docs/images/terminal-audit.svg" in found
    assert f"https://forge.example/contoso/patchmode/blob/{tag}/docs/reference/cli.md#scope" in found
    for target in found:
        led = re.fullmatch(rf"https://forge\.example/contoso/patchmode/(?:raw|tree|blob)/{tag}/([^#]+)(?:#.*)?", target)
        assert led, target
        assert (ROOT / led[1]).exists(), target


@pytest.mark.skipif(not (ROOT / ".github").exists(), reason="the source archive has no workflows")
def test_the_workflow_of_a_release_says_which_repository_it_is_of() -> None:
    """At the step that builds what is published."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yaml").read_text(encoding="utf-8"))
    (step,) = (step for step in workflow["jobs"]["build"]["steps"] if step.get("run") == "make release")
    assert step["env"] == {"PATCHMODE_REPOSITORY": "${{ github.server_url }}/${{ github.repository }}"}


def test_a_repository_is_named_by_its_https_address(tmp_path: Path) -> None:
    """A release with links that lead elsewhere cannot be taken back."""
    command = [sys.executable, "-m", "hatchling", "metadata"]
    environment = {**os.environ, "PATCHMODE_REPOSITORY": "contoso/patchmode"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "PATCHMODE_REPOSITORY must be https://HOST/OWNER/NAME, not 'contoso/patchmode'" in done.stderr


def test_every_file_that_an_installation_downloads_has_its_hash() -> None:
    """In each list of requirements; npm's lock has its own."""
    for path in sorted((ROOT / "requirements").rglob("*.txt")):
        for requirement in re.split(r"\n(?=[a-z])", path.read_text(encoding="utf-8").strip(), flags=re.IGNORECASE):
            assert "--hash=sha256:" in requirement, (path.name, requirement.splitlines()[0])
