"""OpenTelemetry: a span for each command and each request, by azure-core's own tracing; off unless asked for.

Who uses the library switches azure-core's tracing on by himself; this is for the commands. Must not: import anything of
OpenTelemetry where no variable asks for it, or write into a span what opens a door (`pipeline.Traced`).
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from patchmode.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"
"""Of the exporter that the extra `otel` installs.

Source: OpenTelemetry, "OTLP Exporter Configuration": the default protocol should be http/protobuf.
"""


class Tracing(NamedTuple):
    """Whether spans are sent, and why."""

    is_on: bool
    told: str
    """`on, to HOST` or `off: …`."""
    source: str
    """The variable that says so; `default` where none does."""


def tracing() -> Tracing:
    """What the environment asks for, and whether it can be had."""
    asked = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if asked is None:
        return Tracing(False, f"off: {ENDPOINTS[1]} is not set", "default")
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().casefold() == "true":
        return Tracing(False, "off", "OTEL_SDK_DISABLED")
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().casefold()
    if exporter not in ("", "otlp"):
        return Tracing(False, "off: patchmode sends traces by otlp only", "OTEL_TRACES_EXPORTER")
    protocol = next((name for name in _PROTOCOLS if os.environ.get(name)), None)
    if protocol and os.environ[protocol].strip().casefold() != _PROTOCOL:
        return Tracing(False, f"off: patchmode speaks {_PROTOCOL} only", protocol)
    if not _is_installed():
        return Tracing(False, "off: patchmode is installed without its extra otel", asked)
    return Tracing(True, f"on, to {_host(os.environ[asked])}", asked)


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # of a package above it
        return False


def _host(address: str) -> str:
    try:
        return urlsplit(address).netloc.rpartition("@")[2] or "an address that is none"
    except ValueError:
        return "an address that is none"


@contextmanager
def traced(command: str, remark: Callable[[str], None]) -> Iterator[None]:
    """Send spans of what is done inside, where that is asked for: one of the command, with one of each request below.

    Args:
        command: its words without options.
        remark: told once where they do not arrive.
    """
    asked = tracing()
    if not asked.is_on:
        yield
        return
    from opentelemetry import trace

    _begin(_Undelivered(remark, asked.told.removeprefix("on, to ")))
    tracer = trace.get_tracer("patchmode", __version__)
    # An exception's text is for people, and stays out of the span: it names machines, and what Azure answered.
    with tracer.start_as_current_span(
        f"patchmode {command}", record_exception=False, set_status_on_exception=False
    ) as span:
        span.set_attribute("patchmode.command", command)
        try:
            yield
        except BaseException as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(trace.Status(trace.StatusCode.ERROR))
            raise


_ends: list[Callable[[], object]] = []


def finish() -> None:
    """Send what was not sent yet; nothing where nothing was begun. It gives up as OTEL_EXPORTER_OTLP_TIMEOUT says."""
    while _ends:
        _ends.pop()()


class _Undelivered(logging.Handler):
    """In place of the exporter's own lines, which would be the last of a command and tell of its retries."""

    def __init__(self, remark: Callable[[str], None], host: str) -> None:
        super().__init__(logging.ERROR)
        self._remark = remark
        self._host = host
        self._is_told = False

    def emit(self, _: logging.LogRecord) -> None:
        """Say it, once."""
        if not self._is_told:
            self._is_told = True
            self._remark(f"Sending traces to {self._host} failed. The exit code stays as it is.")


def _begin(undelivered: logging.Handler) -> None:
    """Switch azure-core's tracing on, and send spans at the end of each batch and of the process; once."""
    from azure.core.settings import settings
    from opentelemetry import trace

    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before it.
        ours = Resource({"service.name": "patchmode", "service.version": __version__})
        provider = TracerProvider(resource=ours.merge(_named_around()), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
        _ends.append(provider.shutdown)
        exporter = logging.getLogger("opentelemetry.exporter")
        exporter.addHandler(undelivered)
        exporter.propagate = False
    settings.tracing_enabled.set_value(True)


def _named_around() -> "Resource":
    from opentelemetry.sdk.resources import OTELResourceDetector

    return OTELResourceDetector().detect()
