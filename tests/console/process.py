"""A console as a whole process, and the requests of a browser that has its cookie."""

import http.client
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.cli.conftest import PROGRAM, clean_environment


class Process:
    """A console that somebody started in a terminal."""

    def __init__(self, state: Path, environment: dict[str, str], *options: str) -> None:
        self.state = state
        self.process = subprocess.Popen(
            [PROGRAM, "console", *options],
            env={**clean_environment(), **environment, "PATCHMODE_STATE_DIR": str(state)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, dict[str, str]]:
        """One request as a browser with the cookie sends it: status, text, headers."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port or 0, timeout=60)
        origin = f"http://{address.netloc}"
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request(method, path, body, {"Origin": origin, "Accept": "text/html", **kind, **headers})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text, dict(answer.getheaders())

    def next_url(self) -> None:
        """Read the address for another browser, which is printed once the one before was opened."""
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def enter(self) -> dict[str, str]:
        """Open the address that was printed; the cookie that it gives."""
        address = urlsplit(self.url)
        status, _, headers = self.ask("GET", f"{address.path}?{address.query}")
        assert status == 200
        self.next_url()
        return {"Cookie": headers["Set-Cookie"].split(";")[0]}

    def page(self, path: str, cookie: dict[str, str]) -> str:
        """A page once it has stopped waiting for what is read in the background."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            status, text, _ = self.ask("GET", path, **cookie)
            assert status == 200, text
            if "data-poll" not in text:
                return text
        raise AssertionError(text)

    def end(self, *signals: signal.Signals) -> tuple[int, str]:
        """Press Ctrl-C, or what is given; the exit code and standard error."""
        for one in signals or (signal.SIGINT,):
            self.process.send_signal(one)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err

    def leave(self) -> None:
        """End it at once, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
