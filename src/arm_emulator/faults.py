"""Faults on request: what a call meets instead of, before or after its proper answer.

A fault file is ``{"seed": 0, "rules": [...]}``; the rules are tried in order and the first that strikes is the only
one. The schema is the ``Rule`` struct below, member for member in camelCase; unknown members are refused.
"""

import fnmatch
import random
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from arm_emulator.protocol.http import Request
    from arm_emulator.protocol.operations import Operation


class FaultError(ValueError):
    """A fault file that cannot be read or does not follow the schema."""


class _Wire(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    pass


class Matcher(_Wire):
    """Which calls a rule is about; what is left out fits every call."""

    method: str | list[str] | None = None
    """E.g. ``PATCH`` or ``["PATCH", "PUT"]``."""
    path: str = "*"
    """A glob over the decoded path in any casing; ``*`` takes slashes too."""


class Respond(_Wire):
    """An answer in place of the proper one. Neither ``json`` nor ``html``: an empty body."""

    status: int
    json: Any = None
    html: str | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)


class BendOperation(_Wire):
    """How the operation that the call starts ends."""

    result: Literal["failed", "canceled", "hang", "succeeded"]
    error: dict[str, Any] | None = None
    """``{"code", "message"}``; for failed and canceled one is made up where it is left out."""
    seconds: float | None = None
    """How long it takes instead; None: as long as it would."""


class Meanwhile(_Wire):
    """What somebody else does to the fleet."""

    put: list[dict[str, Any]] = msgspec.field(default_factory=list)
    """Resource Manager documents, as in a fleet file; one of a resource that exists takes its place."""
    delete: list[str] = msgspec.field(default_factory=list)
    """Resource ids."""

    def __post_init__(self) -> None:
        if not all(isinstance(document.get("id"), str) for document in self.put):
            raise ValueError("every document under `put` names its `id`")


class Modification(_Wire):
    """One operation of a policy with the modify effect, on the body of a request."""

    operation: Literal["remove", "addOrReplace"]
    field: str
    """The members down to the one meant, joined by dots, e.g. ``properties.osProfile``."""
    value: Any = None
    """With ``addOrReplace``."""


class Action(_Wire):
    """What happens when a rule strikes; members combine."""

    delay_seconds: float = 0.0
    """Real seconds before the answer."""
    respond: Respond | None = None
    reset: Literal["connection", "mid-body"] | None = None
    """Break the connection instead of answering, or in the middle of the answer's body."""
    silence: bool = False
    """Never answer; the connection stays open."""
    commit: bool = False
    """Whether the call takes its effect before ``respond``, ``reset`` or ``silence`` hides its proper answer."""
    operation: BendOperation | None = None
    expire_tokens: bool = False
    """Every token issued so far is refused from this call on."""
    disable_subscription: bool = False
    """The subscription in the path becomes Disabled before the call is handled."""
    throttle_storm: bool = False
    """Every bucket in use is emptied before the call is handled."""
    stale_graph_seconds: float | None = None
    """From now on Resource Graph lags by so many seconds."""
    meanwhile: Meanwhile | None = None
    """Somebody else changes the fleet before the call is handled."""
    modify: list[Modification] = msgspec.field(default_factory=list)
    """What a policy with the modify effect does to the body of the call before the provider sees it. Which members of a
    machine Azure lets a policy modify is not confirmed."""
    shift_pages: int = 0
    """The pages to come of every list that is being read begin so many members late, so that those stand on no page;
    below 0: so many members early, so that they stand on two."""


class Rule(_Wire):
    """One fault."""

    do: Action
    match: Matcher = msgspec.field(default_factory=Matcher)
    name: str = ""
    nth: int | list[int] | None = None
    """Strike only at this call (or these) among those that match, counted from 1."""
    count: int | None = None
    """Strike so many times at most."""
    probability: float = 1.0
    """Strike with this chance, drawn from the seed."""


class FaultPlan(_Wire):
    """A whole fault file."""

    rules: list[Rule] = msgspec.field(default_factory=list)
    seed: int = 0


@dataclass(slots=True)
class _Armed:
    rule: Rule
    path: re.Pattern[str]
    methods: frozenset[str]
    matched: int = 0
    struck: int = 0

    def fits(self, method: str, path: str) -> bool:
        return (not self.methods or method in self.methods) and self.path.match(path) is not None

    def strikes(self, draw: random.Random) -> bool:
        self.matched += 1
        nth = self.rule.nth
        if nth is not None and self.matched not in (nth if isinstance(nth, list) else [nth]):
            return False
        if self.rule.count is not None and self.struck >= self.rule.count:
            return False
        if self.rule.probability < 1 and draw.random() >= self.rule.probability:
            return False
        self.struck += 1
        return True


class Faults:
    """The faults in force."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self.plan = FaultPlan()
        self._armed: list[_Armed] = []
        self._draw = random.Random()  # noqa: S311  repeatable on purpose, no secret
        self._bends: dict[str, BendOperation] = {}
        self.arm(plan or FaultPlan())

    def arm(self, plan: FaultPlan) -> None:
        """Put a plan in force, with all its counters at zero."""
        self.plan = plan
        self._armed = [_arm(rule) for rule in plan.rules]
        self._draw = random.Random(plan.seed)  # noqa: S311  repeatable on purpose, no secret
        self._bends.clear()

    def strike(self, method: str, path: str) -> Rule | None:
        """The rule that strikes this call, or None. Counts it."""
        for armed in self._armed:
            if armed.fits(method, path) and armed.strikes(self._draw):
                return armed.rule
        return None

    def will_bend(self, request_id: str, bend: BendOperation) -> None:
        """Have the operation that this request starts end as ``bend`` says."""
        self._bends[request_id] = bend

    def bend(self, operation: "Operation", request: "Request") -> None:
        """Make an operation that is being started fail, be cancelled or hang, where a fault says so."""
        bend = self._bends.pop(request.request_id, None)
        if bend is None:
            return
        if bend.seconds is not None:
            operation.ends = operation.started + timedelta(seconds=bend.seconds)
        match bend.result:
            case "hang":
                operation.ends = None
            case "failed":
                operation.outcome = "Failed"
                operation.error = bend.error or _made_up(
                    "InternalExecutionError", "An internal execution error occurred."
                )
            case "canceled":
                operation.outcome = "Canceled"
                operation.error = bend.error or _made_up("OperationCanceled", "The operation was canceled.")
            case "succeeded":
                operation.outcome, operation.error = "Succeeded", None

    def as_json(self) -> dict[str, Any]:
        """The answer of ``GET /_emulator/faults``: the plan, with each rule's ``matched`` and ``struck``."""
        rules = [
            {**msgspec.to_builtins(armed.rule), "matched": armed.matched, "struck": armed.struck}
            for armed in self._armed
        ]
        return {"seed": self.plan.seed, "rules": rules}


def _made_up(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def _arm(rule: Rule) -> _Armed:
    methods = rule.match.method
    named = [methods] if isinstance(methods, str) else methods or []
    pattern = re.compile(fnmatch.translate(rule.match.path.lower()), re.IGNORECASE)
    return _Armed(rule, pattern, frozenset(method.upper() for method in named))


def load_faults(path: Path) -> FaultPlan:
    """The plan of a fault file.

    Raises:
        FaultError: when it cannot be read or does not follow the schema.
    """
    try:
        return faults_from(path.read_bytes())
    except OSError as error:
        raise FaultError(f"faults {path}: {error}") from error


def faults_from(content: bytes) -> FaultPlan:
    """A plan from JSON text; a bare list is taken for its rules.

    Raises:
        FaultError: when it does not follow the schema, saying where.
    """
    try:
        if content.lstrip().startswith(b"["):
            return FaultPlan(rules=msgspec.json.decode(content, type=list[Rule]))
        return msgspec.json.decode(content, type=FaultPlan)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise FaultError(f"faults: {error}") from error
