"""`--notify-file`: how a command ended, told to a web hook; and no fault of the hook changes how it ends."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jsonschema
import pytest
from tests.cli.conftest import Program, Start, wait_for_words
from tests.leaks import leaks, marks_of

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from patchmode.arm.web_hooks import post_notice
from patchmode.documents.notice import NoticeDocument
from patchmode.documents.published import FOLDER
from patchmode.reports.formats.notices import KINDS, kind_for, notice_body

SCHEMA = json.loads((FOLDER / "notice-v1.json").read_text(encoding="utf-8"))
PATH = "/hook/Vm9yeVNlY3JldA?sig=U2lnbmF0dXJl"
"""Of an address: who has it may write to the channel."""
SECRETS = (b"Vm9yeVNlY3JldA", b"U2lnbmF0dXJl")


@dataclass
class Receiver:
    """A web hook on loopback."""

    address: str = ""
    statuses: list[int] = field(default_factory=list)
    """Of the next answers; then 202. 0: no answer until the test ends."""
    got: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    """Path, headers and body of each POST."""
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def bodies(self) -> list[Any]:
        return [body for _, _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    known = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known.got.append((self.path, dict(self.headers), json.loads(body)))
            status = known.statuses.pop(0) if known.statuses else 202
            if not status:
                known.is_over.wait(30)
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    known.address = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
    yield known
    known.is_over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def failing_once(program: Program) -> None:
    refused = Respond(status=400, json={"error": {"code": "BadRequest", "message": "No."}})
    rule = Rule(do=Action(respond=refused), match=Matcher(method="PATCH"), count=1)
    program.served.emulator.faults.arm(FaultPlan(rules=[rule]))  # type: ignore[attr-defined]


def test_each_command_that_carries_out_or_watches_says_how_it_ended(start: Start, receiver: Receiver) -> None:
    """A run that failed, its resume, its rollback and a watch; no machine, no secret, and no token of Azure's."""
    program = start("small")
    failing_once(program)
    hook = {"PATCHMODE_NOTIFY_URL": receiver.address}
    codes = [
        program(*command, **hook).code
        for command in (
            ("apply", "--all", "--yes", "--max-failures", "1"),
            ("runs", "resume", "--yes", "--max-failures", "9"),
            ("rollback", "latest", "--yes"),
            ("watch", "--all", "--count", "1"),
            ("audit", "--all"),
        )
    ]
    assert [one["command"] for one in receiver.bodies] == ["apply", "runs resume", "rollback", "watch"]
    assert [one["exitCode"] for one in receiver.bodies] == codes[:4]
    for path, headers, body in receiver.got:
        jsonschema.validate(body, SCHEMA)
        assert path == PATH
        assert headers["Content-Type"] == "application/json"
        assert "Authorization" not in headers
        text = json.dumps(body)
        assert not any(name in text for name in ("web-01", "web-02", "db-01", "db-02"))
        assert not list(leaks("notice", text.encode(), marks_of(program.served)))  # type: ignore[attr-defined]
    applied, resumed, _, watched = receiver.bodies
    assert applied["run"] == resumed["run"]
    assert (applied["exitCode"], applied["state"], applied["halts"]) == (11, "stopped", ["FailureBudgetSpent"])
    assert applied["counts"]["failed"] == 1
    assert f"patchmode runs resume {applied['run']}" in applied["next"]
    assert applied["target"]["tenantId"] == "11111111-1111-1111-1111-111111111111"
    assert watched["counts"] == {"looks": 1, "changed": 0, "machines": 4}
    said = "".join(program.ran_raw).encode() + b"".join(one.out.encode() for one in program.ran)
    kept = b"".join(path.read_bytes() for path in program.folder.rglob("*") if path.is_file())
    assert not [one for one in SECRETS if one in said + kept]


def test_a_hook_that_refuses_changes_nothing(start: Start, receiver: Receiver) -> None:
    receiver.statuses += [404]
    program = start("small")
    (program.folder / "hook.txt").write_text(f"{receiver.address}\n")
    done = program("apply", "--all", "--yes", "--no-progress", "--notify-file", "hook.txt", "-q")
    host = receiver.address.split("/")[2]
    told = f"Sending the notice to {host} failed: it was answered 404. The exit code stays as it is.\n"
    assert (done.code, program.ran_raw[-1]) == (0, told)


@pytest.mark.parametrize(
    ("statuses", "why", "posts"),
    [
        ([404], "it was answered 404", 1),
        ([302], "it was answered 302", 1),
        ([503, 500], "it was answered 500", 2),
        ([503], "", 2),
        ([], "", 1),
    ],
)
async def test_what_may_pass_is_tried_twice(receiver: Receiver, statuses: list[int], why: str, posts: int) -> None:
    receiver.statuses += statuses
    assert await post_notice(receiver.address, {}, pause_s=0) == why
    assert len(receiver.got) == posts


async def test_a_hook_that_never_answers_is_given_up(receiver: Receiver) -> None:
    receiver.statuses += [0, 0]
    assert await post_notice(receiver.address, {}, timeout_s=0.05, pause_s=0) == "no answer within 0.05 s"
    assert len(receiver.got) == 2


async def test_a_hook_that_is_not_there() -> None:
    assert await post_notice("http://127.0.0.1:1/x", {}, pause_s=0) == "no connection (Connection refused)"
    why = await post_notice("http://[::1/x", {}, pause_s=0)
    assert why.startswith("no usable answer (")


async def test_it_goes_by_the_proxy(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not resolve here; NO_PROXY is honoured as for every request."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, receiver.address.partition("/hook")[0])
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert await post_notice("http://hook.invalid/a", {"a": 1}) == ""
    assert receiver.got[0][0] == "http://hook.invalid/a"


def test_it_trusts_the_same_authorities(start: Start) -> None:
    """The emulator's own certificate: its answer shows that the connection stood."""
    program = start("small")
    done = program("watch", "--all", "--count", "1", PATCHMODE_NOTIFY_URL=f"{program.served.endpoint}/x")  # type: ignore[attr-defined]
    assert done.code == 0
    assert ": it was answered 40" in program.ran_raw[-1]
    # What cannot be trusted is not asked twice.
    (program.folder / "other.pem").write_text("")
    refused = program(
        "apply", "--all", "--yes", SSL_CERT_FILE="/dev/null", PATCHMODE_NOTIFY_URL="https://127.0.0.1:1/x"
    )
    assert refused.code == 1


def test_what_could_not_begin_is_told_where_nobody_sits(offline: Program, receiver: Receiver) -> None:
    """A night's job whose plan is missing must not end in silence."""
    done = offline("apply", "missing.json", "--yes", PATCHMODE_NOTIFY_URL=receiver.address)
    assert done.code == 2
    (body,) = receiver.bodies
    assert (body["exitCode"], body["run"], body["counts"], body["next"]) == (2, None, {}, [])


def test_an_interruption_is_told(start: Start, receiver: Receiver) -> None:
    program = start("small", lro_seconds=600)
    program.environment["PATCHMODE_NOTIFY_URL"] = receiver.address
    process = program.beside("apply", "--all", "--yes", "--operation-timeout", "1")
    wait_for_words("Applying: ", process)
    process.terminate()
    process.communicate()
    (body,) = receiver.bodies
    assert process.returncode == body["exitCode"]
    assert body["state"] in {"interrupted", "finished"}
    assert f"patchmode runs show {body['run']}" in body["next"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("ftp://hook.example/Vm9yeVNlY3JldA", "holds no http or https address"),
        ("https:///Vm9yeVNlY3JldA", "holds no http or https address"),
        ("http://[Vm9yeVNlY3JldA", "holds no http or https address"),
        ("https://hook.example/Vm9yeVNlY3JldA more", "holds no http or https address"),
        ("", "holds no http or https address"),
        (None, "could not read the file of --notify-file"),
    ],
)
def test_an_address_that_is_none_is_refused_before_anything_is_done(
    offline: Program, content: str | None, told: str
) -> None:
    if content is not None:
        (offline.folder / "hook.txt").write_text(content)
    done = offline("apply", "plan.json", "--notify-file", "hook.txt")
    assert (done.code, told in done.err) == (2, True)
    assert "Vm9y" not in done.err
    if content:
        refused = offline("watch", PATCHMODE_NOTIFY_URL=content)
        assert (refused.code, told in refused.err, "Vm9y" in refused.err) == (2, True, False)


def test_none_on_the_command_line_sends_none(offline: Program, receiver: Receiver) -> None:
    offline("apply", "missing.json", "--notify-file", "none", PATCHMODE_NOTIFY_URL=receiver.address)
    assert receiver.got == []


def test_doctor_says_that_there_is_an_address_and_not_which(start: Start) -> None:
    program = start("small")
    done = program("doctor", PATCHMODE_NOTIFY_URL=f"https://hooks.slack.com{PATH}")
    assert "an address, which is not shown" in done.out
    assert "Vm9y" not in done.out


# ------------------------------------------------------------------------------------------------------- shapes

NOTICE = NoticeDocument(
    format="patchmode/notice/v1",
    sent_at="2026-12-01T00:00:00Z",  # type: ignore[arg-type]
    command="apply",
    exit_code=11,
    verdict="a change failed <https://evil.example|here> & more",
    run="20261201T001218745Z-ad8718",
    state="stopped",
    halts=("MaxFailures",),
    target=None,
    counts={"scope": 3, "applied": 0, "failed": 1, "notSent": 2, "stale": 0},
    next=("patchmode runs resume 20261201T001218745Z-ad8718 --state-dir '/a*b_c'",),
)
FACTS = [("run", "20261201T001218745Z-ad8718"), ("scope", "3"), ("applied", "0"), ("failed", "1"), ("not sent", "2")]


def test_the_shape_that_teams_takes() -> None:
    body = notice_body(NOTICE, "teams")
    (attachment,) = body["attachments"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.2")
    title, verdict, facts, command = card["body"]
    assert title["text"] == "patchmode apply: exit code 11"
    assert verdict["text"].endswith("& more. Stopped by: MaxFailures.")
    assert [(one["title"], one["value"]) for one in facts["facts"]] == FACTS
    assert command["inlines"][0]["text"] == NOTICE.next[0]


def test_the_shape_that_slack_takes() -> None:
    body = notice_body(NOTICE, "slack")
    verdict = "A change failed &lt;https://evil.example|here&gt; &amp; more."
    assert body["text"] == f"patchmode apply: exit code 11: {verdict} Stopped by: MaxFailures."
    header, section, fields, commands = body["blocks"]
    assert header["text"] == {"type": "plain_text", "text": "patchmode apply: exit code 11"}
    assert section["text"]["text"].startswith(verdict)
    assert [one["text"] for one in fields["fields"]] == [f"*{name}*\n{value}" for name, value in FACTS]
    assert commands["text"]["text"] == f"```{NOTICE.next[0]}```"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("https://hooks.slack.com/services/a/b/c", "slack"),
        ("https://prod-1.westeurope.logic.azure.com:443/workflows/a", "teams"),
        ("https://a.b.environment.api.powerplatform.com:443/x", "teams"),
        ("https://contoso.webhook.office.com/x", "teams"),
        ("https://hooks.slack.com.evil.example/x", "json"),
        ("https://evilhooks.slack.com.example/x", "json"),
        ("http://127.0.0.1:8080/x", "json"),
    ],
)
def test_the_kind_by_the_host(address: str, kind: str) -> None:
    assert kind in KINDS
    assert kind_for(address) == kind
