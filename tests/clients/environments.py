"""The foreign clients' own environments, made below `.venv-clients`: `python -m tests.clients.environments [NAME…]`.

Each is installed from a pinned file alone, and anew when that file changes. One that cannot be installed here leaves
its reason, which `make clients` prints: its tests are skipped, and the others go on.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv-clients"
_REQUIREMENTS = ROOT / "requirements" / "clients"
_PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


@dataclass(frozen=True, slots=True)
class Client:
    """A client with an environment of its own.

    Attributes:
        name: of its folder, and of its requirements.
        told: as the table of `make clients` names it.
        package: what has its version; of npm's clients the first of several.
        extensions: wheels that the client installs by itself, by requirements file; empty without.
        npm: the folder of a package.json with its lock; None without.
    """

    name: str
    told: str
    package: str
    extensions: str = ""
    npm: Path | None = None

    @property
    def folder(self) -> Path:
        """Where it is, or would be."""
        return FOLDER / self.name

    def program(self, name: str) -> Path:
        """One of its programs."""
        return self.folder / "bin" / name

    def sources(self) -> tuple[Path, ...]:
        """The pinned files that say what is installed."""
        files = [_REQUIREMENTS / f"{self.name}.txt"]
        if self.extensions:
            files.append(_REQUIREMENTS / f"{self.extensions}.txt")
        if self.npm is not None:
            files += [self.npm / "package.json", self.npm / "package-lock.json"]
        return tuple(files)

    def why_not(self) -> str:
        """Why it is not here, in one line; empty where it is."""
        if self._stamp.exists():
            return ""
        return self._reason.read_text("utf-8") if self._reason.exists() else "not installed: run `make clients`"

    def install(self) -> str:
        """Install it unless what is here is of the same pinned files.

        Returns:
            Why it could not be done, in one line; empty where it is here.
        """
        digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in self.sources())).hexdigest()
        if self._stamp.exists() and self._stamp.read_text("utf-8") == digest:
            return ""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            for command in self.commands():
                subprocess.run(command, check=True, capture_output=True, text=True, env=self._environment())
        except (OSError, subprocess.CalledProcessError) as error:
            lines = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            told = [line for line in lines if line.lower().startswith(("error", "npm error"))] or lines
            self.folder.mkdir(parents=True, exist_ok=True)
            self._reason.write_text(f"cannot be installed here: {told[-1] if told else error}", "utf-8")
            return self.why_not()
        self._stamp.write_text(digest, "utf-8")
        return ""

    @property
    def _stamp(self) -> Path:
        return self.folder / ".installed"

    @property
    def _reason(self) -> Path:
        return self.folder / ".not-installed"

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def commands(self) -> Iterable[list[str]]:
        """What makes and fills its environment, in this order."""
        yield [sys.executable, "-m", "venv", str(self.folder)]
        python, pinned = str(self.program("python")), ["--require-hashes", "-r", str(self.sources()[0])]
        # The file names everything there is to install; a resolver would only take time, and older ones of pip end
        # at an extra whose package is pinned to another version than the newest.
        yield [python, *_PIP, "install", "--no-compile", "--no-deps", *pinned]
        if self.extensions:
            wheels = [
                "--no-deps",
                "-d",
                str(self.folder / "extensions"),
                "--require-hashes",
                "-r",
                str(self.sources()[1]),
            ]
            yield [python, *_PIP, "download", *wheels]
        if self.npm is not None:
            shutil.copy(self.npm / "package.json", self.folder)
            shutil.copy(self.npm / "package-lock.json", self.folder)
            npm = ["--prefix", str(self.folder), "ci", "--no-audit", "--no-fund", "--loglevel", "error"]
            yield [str(self.program("npm")), *npm]


AZ = Client("az", "az", "azure-cli", extensions="extensions")
AZ_BEFORE = Client("az-2.78", "az, older", "azure-cli", extensions="extensions")
SDK = Client("sdk", "Python SDKs", "azure-mgmt-compute")
NODE = Client("node", "npm SDKs", "@azure/arm-compute", npm=Path(__file__).parent / "node")
ANSIBLE = Client("ansible", "Ansible azure.azcollection", "ansible")
CUSTODIAN = Client("custodian", "Cloud Custodian", "c7n-azure")
CLIENTS = (AZ, AZ_BEFORE, SDK, NODE, ANSIBLE, CUSTODIAN)


def main(names: list[str]) -> int:
    """Install the named clients, or all; 0 also where one could not be, 2 for a name that is none."""
    known = {client.name: client for client in CLIENTS}
    if unknown := set(names) - set(known):
        print(f"No client is called {', '.join(sorted(unknown))}; they are {', '.join(known)}.", file=sys.stderr)
        return 2
    for client in [known[name] for name in names] or CLIENTS:
        print(f"{client.told}: {client.install() or 'installed'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
