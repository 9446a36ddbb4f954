"""OpenTelemetry: off unless asked for; then a span for the command and each request, to a local collector."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from azure.core.pipeline import AsyncPipeline, PipelineRequest
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.rest import HttpRequest
from azure.core.settings import settings
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.cli.conftest import Start
from tests.leaks import ECHOED, SIGNED, leaks, marks_of

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from patchmode.arm import tracing
from patchmode.arm.pipeline import Traced
from patchmode.errors import RejectedError


class Collector:
    """What receives spans by OTLP over http."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        collected = self.raw

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collected.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def spans(self) -> list[tuple[Any, dict[str, Any]]]:
        """Each span with its attributes, in order of their beginnings."""
        found = []
        for raw in self.raw:
            request = ExportTraceServiceRequest.FromString(raw)
            for resource in request.resource_spans:
                self.resource = {one.key: one.value.string_value for one in resource.resource.attributes}
                found += [span for scope in resource.scope_spans for span in scope.spans]
        found.sort(key=lambda span: span.start_time_unix_nano)
        return [
            (span, {one.key: one.value.string_value or one.value.int_value for one in span.attributes})
            for span in found
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    thread = threading.Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield one
    one.server.shutdown()
    one.server.server_close()
    thread.join()


def test_a_run_is_a_span_with_its_requests_below_it(start: Start, collector: Collector) -> None:
    """A refused PATCH and followed operations among them: statuses and Azure's request ids, and nothing secret."""
    program = start("small", lro_seconds=0.05)
    message = f"The token {ECHOED} is known, see {SIGNED} (Bearer {ECHOED})."
    refused = Respond(status=400, json={"error": {"code": "BadRequest", "message": message}})
    rule = Rule(do=Action(respond=refused), match=Matcher(method="PATCH", path="*/db-02"))
    program.served.emulator.faults.arm(FaultPlan(rules=[rule]))  # type: ignore[attr-defined]
    around = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_RESOURCE_ATTRIBUTES": "team=patching"}
    done = program("apply", "--all", "--yes", "-q", **around)
    assert done.code == 11
    assert done.err == ""
    spans = collector.spans()
    assert (collector.resource["service.name"], collector.resource["team"]) == ("patchmode", "patching")
    commands = {span.span_id: attributes for span, attributes in spans if span.name == "patchmode apply"}
    assert commands
    assert all(one == {"patchmode.command": "apply"} for one in commands.values())
    requests = [
        (span, attributes)
        for span, attributes in spans
        if "url.full" in attributes and "patchmode" in attributes["user_agent.original"]
    ]
    assert all(span.parent_span_id in commands for span, _ in requests)
    patches = [attributes for _, attributes in requests if attributes["http.request.method"] == "PATCH"]
    assert 400 in [one["http.response.status_code"] for one in patches]
    assert all(one["az.service_request_id"] and one["az.client_request_id"] for one in patches)
    assert all(one["url.full"].startswith(program.endpoint) for one in patches)
    assert not list(leaks("spans", b"".join(collector.raw), marks_of(program.served)))  # type: ignore[attr-defined]


def test_a_collector_that_is_not_there_changes_nothing(start: Start) -> None:
    program = start("small")
    around = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    told = "! Sending traces to 127.0.0.1:1 failed. The exit code stays as it is."
    done = program("audit", "--all", **around)
    assert (done.code, done.err.count(told)) == (10, 1)
    done = program("audit", "--all", "--log-format", "json", **around)
    found = [json.loads(line) for line in program.ran_raw[-1].splitlines()]
    assert [one["message"] for one in found].count(told) == 1
    assert found[-1]["event"] == "end"


@pytest.mark.parametrize(
    ("around", "told"),
    [
        ({}, (False, "off: OTEL_EXPORTER_OTLP_ENDPOINT is not set", "default")),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, (False, "off: OTEL_EXPORTER_OTLP_ENDPOINT is not set", "default")),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:word@otel.example:4318/x"},
            (True, "on, to otel.example:4318", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://[", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://b"},
            (True, "on, to an address that is none", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"},
            (False, "off", "OTEL_SDK_DISABLED"),
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "none"},
            (False, "off: patchmode sends traces by otlp only", "OTEL_TRACES_EXPORTER"),
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            (False, "off: patchmode speaks http/protobuf only", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ),
    ],
)
def test_whether_it_is_on(monkeypatch: pytest.MonkeyPatch, around: dict[str, str], told: tuple[bool, str, str]) -> None:
    for name in [name for name in tracing.os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    assert tracing.tracing() == told


def test_without_the_extra_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a")
    monkeypatch.setattr(tracing, "find_spec", lambda _: None)
    assert tracing.tracing() == (
        False,
        "off: patchmode is installed without its extra otel",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    )
    with tracing.traced("audit", lambda _: None):
        assert not settings.tracing_enabled()


def test_doctor_says_whether_it_is_on(start: Start) -> None:
    program = start("small")
    assert "tracing            off: OTEL_EXPORTER_OTLP_ENDPOINT is not set  (default)" in program("doctor").out


def test_nothing_is_loaded_where_nobody_asks(start: Start) -> None:
    """An audit without these variables must not pay for them."""
    program = start("small")
    code = (
        "import sys\nfrom patchmode.cli.main import run\ncode = run(['audit', '--all', '-q'])\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')], 'loaded'\nsys.exit(code)\n"
    )
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", code], env=program.environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (10, "")


# ------------------------------------------------------------------------------------------------- one request


class Answers(AsyncHTTPPolicy[Any, Any]):
    """In place of the network."""

    async def send(self, request: PipelineRequest[Any]) -> Any:
        raise RejectedError(f"GET x: {SIGNED}", code="Conflict", status=409) from ValueError(SIGNED)


@pytest.fixture(scope="module")
def exported() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


async def test_a_failure_leaves_neither_text_nor_signature(
    exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TRACING_ENABLED", "1")
    pipeline: Any = AsyncPipeline(None, [Traced(), Answers()])  # type: ignore[arg-type]
    url = "https://management.example/subscriptions/x/operations/y?api-version=2025-04-01&c=MII&s=U2lnbmF0dXJlT2ZUaGVCbG9i"
    with pytest.raises(RejectedError):
        await pipeline.run(HttpRequest("GET", url))
    (span,) = exported.get_finished_spans()
    assert span.attributes is not None
    address = span.attributes["url.full"]
    assert (
        address
        == "https://management.example/subscriptions/x/operations/y?api-version=2025-04-01&c=REDACTED&s=REDACTED"
    )
    assert span.attributes["error.type"] == "Conflict"
    assert (span.status.is_ok, span.events) == (False, ())
    assert "U2ln" not in span.to_json()
