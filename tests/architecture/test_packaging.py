"""What is published: the source archive holds a whole checkout, and whoever builds it again gets the same bytes."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_PUBLISHED = (".ci/", ".github/")
"""What builds and releases it, and not what is built."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two builds, in folders of their own and at different times, as far as the files can tell."""
    folders = [tmp_path_factory.mktemp("dist") for _ in range(2)]
    for number, folder in enumerate(folders):
        environment = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
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
    """And is small: what a container of the command downloads of ours."""
    (found,) = built[0].glob("*.whl")
    with zipfile.ZipFile(found) as held:
        tops = {name.split("/")[0] for name in held.namelist()}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert tops == {"patchmode", "arm_emulator", f"patchmode-{version}.dist-info"}
    assert found.stat().st_size < 2_000_000


def test_every_file_that_an_installation_downloads_has_its_hash() -> None:
    """In each list of requirements; npm's lock has its own."""
    for path in sorted((ROOT / "requirements").rglob("*.txt")):
        for requirement in re.split(r"\n(?=[a-z])", path.read_text(encoding="utf-8").strip(), flags=re.IGNORECASE):
            assert "--hash=sha256:" in requirement, (path.name, requirement.splitlines()[0])
