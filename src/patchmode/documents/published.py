"""The JSON Schemas of every published document: `python -m patchmode.documents.published` writes them anew.

Must not: be needed at run time; the files in `schemas` are what others read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from patchmode.documents.access import DoctorDocument, IdentitiesDocument, SubscriptionCheckRow
from patchmode.documents.attachments import AttachDocument, CreateDocument, DeleteDocument, UpdateDocument
from patchmode.documents.audit import AuditDocument, ExplainDocument
from patchmode.documents.base import DifferenceRow, ErrorRow, LeftOutRow, TargetRow, UnreadableRow, WantedRow
from patchmode.documents.history import AfterWindowDocument, DriftDocument, FailedMachinesRow, FailuresDocument
from patchmode.documents.iac import IacCheckDocument
from patchmode.documents.live_check import LiveCheckDocument
from patchmode.documents.log import LogDocument
from patchmode.documents.notice import NoticeDocument
from patchmode.documents.plan import PlanDocument
from patchmode.documents.policy import PolicyAssignDocument, PolicyAuditDocument, PolicyRemediateDocument
from patchmode.documents.run import RunDocument, RunsDocument
from patchmode.documents.schedules import (
    FailedMemberRow,
    ScheduleCheckDocument,
    ScheduleListDocument,
    ScheduleNextDocument,
    ScheduleShowDocument,
    StaticAssignmentRow,
)
from patchmode.documents.verification import EvidenceCheckDocument, ManifestDocument, VerifyDocument
from patchmode.model.drift import Move
from patchmode.model.evidence import EvidenceProblem
from patchmode.model.iac import UnreadSource
from patchmode.model.policy import RemediatedMachine

FOLDER = Path(__file__).parent / "schemas"

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "audit": AuditDocument,
    "verify": VerifyDocument,
    "runs": RunsDocument,
    "doctor": DoctorDocument,
    "explain": ExplainDocument,
    "evidence-check": EvidenceCheckDocument,
    "drift": DriftDocument,
    "after-window": AfterWindowDocument,
    "schedule-failures": FailuresDocument,
    "schedule-list": ScheduleListDocument,
    "schedule-show": ScheduleShowDocument,
    "schedule-next": ScheduleNextDocument,
    "schedule-check": ScheduleCheckDocument,
    "schedule-attach": AttachDocument,
    "schedule-create": CreateDocument,
    "schedule-delete": DeleteDocument,
    "schedule-update": UpdateDocument,
    "plan": PlanDocument,
    "run": RunDocument,
    "identities": IdentitiesDocument,
    "evidence": ManifestDocument,
    "live-check": LiveCheckDocument,
    "policy-audit": PolicyAuditDocument,
    "iac-check": IacCheckDocument,
    "policy-assign": PolicyAssignDocument,
    "policy-remediate": PolicyRemediateDocument,
    "log": LogDocument,
    "notice": NoticeDocument,
}
"""Name of the format → the struct of its document."""

_MACHINES = (TargetRow, "AuditTarget", "Where the machines stand.")
_PLACE = (UnreadableRow, "AuditUnreadable", "A machine or a place that could not be read.")
_ASKED = "What machines were measured against; null and false mean that it was not asked for."
_DIFFERS = "One leaf that differs; a member that is left out means that the leaf is absent."
_FIELD = "One field that moved; null: the model does not say."
_CALLED: Mapping[str, tuple[tuple[type, str, str], ...]] = {
    "audit": (
        _MACHINES,
        _PLACE,
        (
            WantedRow,
            "AuditWanted",
            _ASKED,
        ),
        (LeftOutRow, "AuditSkipped", "A machine that a filter left out."),
    ),
    "verify": (_MACHINES, (LeftOutRow, "NotAskedRow", "A machine in scope of which nothing was asked.")),
    "doctor": (_MACHINES, _PLACE, (SubscriptionCheckRow, "SubscriptionRow", "What doctor found in one subscription.")),
    "explain": (_MACHINES,),
    "drift": ((Move, "MoveRow", _FIELD),),
    "evidence-check": ((EvidenceProblem, "EvidenceProblemRow", "One file that is not as the manifest says."),),
    "after-window": (_MACHINES,),
    "schedule-failures": (
        _MACHINES,
        (FailedMachinesRow, "FailedRow", "The machines of one run that failed for one reason."),
    ),
    "schedule-list": (_MACHINES,),
    "schedule-show": (
        _MACHINES,
        (StaticAssignmentRow, "AssignmentRow", "One static assignment."),
        (FailedMemberRow, "FailedRow", "One machine of a past run that was not patched."),
    ),
    "schedule-next": (_MACHINES,),
    "schedule-check": (_MACHINES,),
    "schedule-attach": (
        _MACHINES,
        (ErrorRow, "AttachError", "Why it did not end as wanted."),
        (LeftOutRow, "AttachSkipped", "A machine that a filter left out."),
        (UnreadableRow, "AttachUnreadable", "What could not be read."),
    ),
    "iac-check": ((UnreadSource, "IacUnreadRow", "A file, a folder or a part of one that could not be read."),),
    "policy-remediate": ((RemediatedMachine, "RemediatedRow", "What the task did about one machine."),),
    "schedule-create": (_MACHINES, (DifferenceRow, "CreateDifference", _DIFFERS)),
}
"""Format → the rows that it shares with others or with the model, and that its schema calls otherwise: the type, and
the name and the description with which the schema was published before it was shared."""
_ORDER: Mapping[str, tuple[str, ...]] = {
    "LaterRow": ("path", "changedBy", "clientType", "timestamp", "expected", "found"),
}
"""Row → its members as its schema lists them, where that is another order than the documents have."""


def render_schemas() -> dict[str, str]:
    """File name → the JSON Schema's text (draft 2020-12), laid out for reading, ending in a line feed."""
    return {f"{name}-v1.json": _schema(struct, _CALLED.get(name, ())) for name, struct in DOCUMENTS.items()}


def _schema(struct: type[msgspec.Struct], called: tuple[tuple[type, str, str], ...]) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(struct)}
    names = {shared.__name__: (name, description) for shared, name, description in called}
    schema["$defs"] = dict(_definition(name, one, names) for name, one in schema["$defs"].items())
    text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
    for own, (name, _) in names.items():
        text = text.replace(f'"#/$defs/{own}"', f'"#/$defs/{name}"')
    return text


def _definition(
    own: str, definition: dict[str, Any], names: Mapping[str, tuple[str, str]]
) -> tuple[str, dict[str, Any]]:
    if own in _ORDER:
        members = definition["properties"]
        definition = {**definition, "properties": {name: members[name] for name in _ORDER[own]}}
    if own not in names:
        return own, definition
    name, description = names[own]
    # A noun is open where a struct is not.
    return name, {**definition, "title": name, "description": description, "additionalProperties": False}


def write_schemas(folder: Path, schemas: Mapping[str, str]) -> None:
    """Write schemas into a folder, over what is there.

    Args:
        folder: must exist.
        schemas: file name → text.

    Raises:
        OSError: the folder cannot be written.
    """
    for name, text in schemas.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_schemas(FOLDER, render_schemas())
