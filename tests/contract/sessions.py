"""A measured session, one file with all its exchanges in wire order, cut into cases for the judge.

Unlike a folder of recordings, a session shows what stood before each call: whatever an earlier call of it was answered.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.contract.cases import ELSEWHERE, FAULT, UNSEEN, Case, graphed
from tests.contract.recordings import MEASURED, Exchange, read, settled
from tests.contract.replay import Start, start_of

from arm_emulator.profile import Profile, load_profile

LIMITED = "what Azure's limits answer: replays have none"
SIGNED_OUT = "the token had ended"
ABOUT_WHO_ASKS = "it depends on who is signed in, not on what is loaded"
FOLLOWED = "judged within the write that began it"


def files() -> list[Path]:
    """The measured sessions that are here; empty: none, or no folder."""
    return sorted(MEASURED.glob("*.json"))


def profile_of(path: Path) -> Profile | None:
    """What was measured with a session, in a file of its name that ends in ``.toml``; None: there is none."""
    beside = path.with_suffix(".toml")
    return load_profile(beside) if beside.exists() else None


def session_cases(path: Path) -> list[Case]:
    """Every exchange of a session as a case, a write together with what followed its operation."""
    exchanges = read(path)
    known: dict[str, dict[str, Any]] = {}
    followed: set[int] = set()
    found = []
    for at, exchange in enumerate(exchanges):
        rest = _rest(exchanges, at) if exchange.is_machine and exchange.method in ("PUT", "PATCH") else []
        followed |= {one.position for one in rest if "/operations/" in one.path}
        case = _case(exchange, known, rest)
        found.append(Case(case.flow, case.start, FOLLOWED) if exchange.position in followed else case)
        _learn(known, exchange)
    return found


def _case(exchange: Exchange, known: dict[str, dict[str, Any]], rest: Sequence[Exchange]) -> Case:
    lowered = exchange.path.lower()
    left_out = _left_out(exchange)
    everything = Start(tuple(known.values()), "read")
    if left_out:
        return Case((exchange,), everything, left_out)
    if lowered.endswith("/resources") and exchange.method == "POST":
        documents = tuple(graphed(exchange))
        return Case((exchange,), Start(documents, "answer"), "" if documents or exchange.status == 400 else UNSEEN)
    if "/operations/" in lowered:
        return Case((exchange,), Start((), "nothing"))
    if exchange.method == "GET":
        return Case((exchange,), _before_a_read(exchange, known))
    if exchange.is_machine and lowered not in known:
        return Case((exchange, *rest), start_of(exchange))
    return Case((exchange, *rest), everything)


def _left_out(exchange: Exchange) -> str:
    lowered = exchange.path.lower()
    if exchange.status == 429:
        return LIMITED
    if exchange.status == 401:
        return SIGNED_OUT
    if exchange.status >= 500 and exchange.status != 501:
        return FAULT
    is_short = lowered.count("/") < 4 and not lowered.endswith("/resources")
    if is_short or "microsoft.authorization" in lowered:
        return ABOUT_WHO_ASKS
    emulated = ("/microsoft.compute/", "/microsoft.maintenance/", "/microsoft.resourcegraph/")
    return "" if any(one in lowered for one in emulated) else ELSEWHERE


def _before_a_read(exchange: Exchange, known: dict[str, dict[str, Any]]) -> Start:
    """What a read showed, among whatever else is known."""
    if exchange.status != 200 or not isinstance(exchange.answer, dict):
        return Start(tuple(known.values()), "read")
    shown = exchange.answer["value"] if isinstance(exchange.answer.get("value"), list) else [exchange.answer]
    if exchange.is_machine or exchange.path.lower().endswith("/instanceview"):
        return start_of(exchange)
    ids = {str(document.get("id", "")).lower() for document in shown}
    is_all = exchange.path.lower().endswith(("/virtualmachines", "/maintenanceconfigurations"))
    others = () if is_all else (document for place, document in known.items() if place not in ids)
    return Start((*others, *shown), "answer")


def _rest(exchanges: Sequence[Exchange], at: int) -> list[Exchange]:
    """What followed a write up to the next one: its polls, and the machine once it was settled."""
    write, found = exchanges[at], []
    place = write.answer_headers.get("azure-asyncoperation", "").partition("?")[0].rpartition("/")[2].lower()
    for other in exchanges[at + 1 :]:
        if other.method != "GET":
            if other.path.lower().endswith("/resources"):
                continue
            break
        if "/operations/" in other.path.lower() and other.path.lower().endswith(place) and place:
            found.append(other)
        elif other.path.lower() == write.path.lower() and _is_settled(other):
            return [*found, other]
    return found


def _is_settled(exchange: Exchange) -> bool:
    return exchange.shows_machine and exchange.answer["properties"].get("provisioningState") != "Updating"


def _learn(known: dict[str, dict[str, Any]], exchange: Exchange) -> None:
    """What an answer shows of a resource; whoever reads it later gets it as it stands once the write is over."""
    place, shown = exchange.path.lower(), exchange.answer
    if exchange.status >= 300:
        return
    if exchange.method == "DELETE":
        known.pop(place, None)
    elif exchange.method != "POST" and isinstance(shown, dict) and str(shown.get("id", "")).lower() == place:
        known[place] = settled(shown) if exchange.is_machine else shown
