"""A transport that answers from a script and remembers what it was asked; a clock that only counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.credentials import AccessTokenInfo
from azure.core.pipeline.transport import AsyncHttpTransport
from multidict import CIMultiDict

from patchmode.arm import pipeline as policies
from patchmode.arm.channel import Channel
from patchmode.arm.clouds import Cloud
from patchmode.arm.credentials import SignIn
from patchmode.arm.governor import Governor, Identities
from patchmode.model.exchange import Exchange

ENDPOINT = "https://arm.example"
CLOUD = Cloud("Example", ENDPOINT, "https://login.example", "https://arm.example/.default")


class CountingClock:
    """Waiting takes no time, but is added up."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.at_sleep: Callable[[], object] = lambda: None
        """Called before each wait."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.at_sleep()
        self.slept.append(seconds)


@dataclass
class Scripted:
    """One answer; what azure-core's policies and the channel read of a response."""

    status_code: int
    content: bytes = b"{}"
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)


def answer(status: int, content: bytes = b"{}", **headers: str) -> Scripted:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, content, CIMultiDict(named))


class ScriptedTransport(AsyncHttpTransport[Any, Any]):
    """Gives the script's answers in order, the last one again and again; an exception in it is raised."""

    def __init__(self, script: Sequence[Scripted | BaseException]) -> None:
        self.script = list(script)
        self.asked: list[Any] = []

    async def send(self, request: Any, **_: Any) -> Any:
        self.asked.append((request.method, request.url, dict(request.headers), request.content))
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, BaseException):
            raise step
        return step

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""


class Tokens:
    """A credential whose tokens are numbered."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.given: list[dict[str, Any]] = []

    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        self.given.append(dict(options or {}))
        return AccessTokenInfo(f"{self.name}token-{len(self.given)}", 4_000_000_000)

    async def close(self) -> None:
        """Nothing to close."""


@dataclass
class Wire:
    """The real policies and channel over a scripted transport."""

    channel: Channel
    transport: ScriptedTransport
    clock: CountingClock
    tokens: Tokens
    """Of the first identity."""
    ledger: policies.Ledger
    remarks: list[str]
    roster: Identities
    exchanges: list[Exchange]


def wire(
    *script: Scripted | BaseException,
    read_only: bool = False,
    chance: Callable[[], float] = lambda: 0.0,
    names: Sequence[str] = ("",),
) -> Wire:
    transport, clock, tokens = ScriptedTransport(script), CountingClock(), [Tokens(name) for name in names]
    roster = Identities(names)
    exchanges: list[Exchange] = []
    ledger = policies.Ledger(clock, exchanges.append)
    remarks: list[str] = []
    governor = Governor(clock, roster=roster, patience_s=policies.Patience().throttled_s)
    pipeline = policies.build(
        transport,
        policies.Retry(clock, patience=policies.Patience(), remark=remarks.append, chance=chance),
        policies.Throttle(governor),
        policies.Authenticate([_sign_in(one) for one in tokens], CLOUD.scope),
        policies.Guard(ENDPOINT, read_only=read_only),
        ledger,
    )
    return Wire(Channel(pipeline, ENDPOINT, governor), transport, clock, tokens[0], ledger, remarks, roster, exchanges)


def _sign_in(tokens: Tokens) -> SignIn:
    return SignIn(lambda: tokens, CLOUD, None, name=tokens.name)
