"""Whether a definition selects a machine with given parameters, and if not, which of its clauses says no.

Must not: hold a definition or a list of images: both are read from Azure, in the version that is in force there.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from patchmode.model.machine import Machine
from patchmode.model.policy import PolicyDefinition, PolicyReason
from patchmode.rules.policy.conditions import Scene, holds
from patchmode.rules.policy.expressions import Surrounding, UnknownError, evaluate

MODIFY = "modify"
_IMAGE, _OS, _TAGS, _REGION, _GROUP, _TYPE, _OTHER = "image", "os", "tags", "region", "resource-group", "type", "other"
_SETTING = "setting"
_TYPE_FIELD = '"field": "type"'


class Clause:
    """One clause of a definition, and what it is about.

    The list of images is long and machines are made from few: what it says of the same values is worked out once.
    """

    def __init__(self, condition: Mapping[str, Any]) -> None:
        self._condition = condition
        text = json.dumps(condition)
        self.subject = _subject(text.lower())
        self._parameters = tuple({name.lower() for name in _PARAMETER.findall(text)})
        names = {one for pair in _FIELD.findall(text) for one in pair if one}
        # What a field is called may itself be an expression, and a group's name is no field.
        is_plain = not any(name.startswith("[") for name in names) and "resourcegroup()" not in text.lower()
        self._fields = tuple(names) if is_plain and self.subject == _IMAGE else None
        self._known: dict[str, tuple[bool | None, tuple[str, ...]]] = {}

    def holds(self, scene: Scene) -> tuple[bool | None, tuple[str, ...]]:
        """Whether it is met, and what was not known of it."""
        key = self._key(scene)
        if key is None or key not in self._known:
            unknown: list[str] = []
            found = holds(self._condition, scene, unknown), tuple(unknown)
            if key is None:
                return found
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = found
        return self._known[key]

    def _key(self, scene: Scene) -> str | None:
        """The values that it looks at; None: they are not told by its text."""
        if self._fields is None:
            return None
        try:
            values = [scene.field(name) for name in self._fields]
        except UnknownError:
            return None
        return repr((values, [scene.parameters.get(name) for name in self._parameters], scene.resource.get("type")))


_PARAMETER = re.compile(r"parameters\('(\w+)'\)", re.IGNORECASE)
_FIELD = re.compile(r"""field\('([^']+)'\)|"field": "([^"]+)\"""", re.IGNORECASE)
_KEPT = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A definition whose clauses were sorted by what they are about, once for all machines."""

    definition: PolicyDefinition
    clauses: tuple[Clause, ...]
    """Of the outermost conjunction of its `if`."""

    @classmethod
    def of(cls, definition: PolicyDefinition) -> "Prepared":
        """Sort the clauses of a definition."""
        return cls(definition, tuple(map(Clause, _clauses(definition.rule.get("if")))))


@dataclass(frozen=True, slots=True)
class Selection:
    """What a definition makes of one machine."""

    selected: bool | None
    """Whether everything but the setting itself is as the definition asks; None: not known."""
    fulfilled: bool | None
    """Whether the setting is there already, by the definition's own test; None: not known."""
    reasons: tuple[PolicyReason, ...]
    """Why it is not selected, or what is not known."""


def select(
    prepared: Prepared,
    machine: Machine,
    parameters: Mapping[str, Any],
    related: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Selection:
    """What a definition makes of a machine.

    Args:
        prepared: the definition as Azure answers it.
        machine: with its provider's document.
        parameters: name in lower case → value, defaults included.
        related: type in lower case → documents of that type that belong to the machine; a type that is not in it was
            not looked for, so that nothing is known of a condition on it.
    """
    definition = prepared.definition
    scene = Scene(machine.document or {}, parameters, machine.id.resource_group)
    effect = effect_of(definition, parameters)
    reasons: list[PolicyReason] = []
    verdicts: list[bool | None] = []
    settings: list[bool | None] = []
    for clause in prepared.clauses:
        found, unknown = clause.holds(scene)
        subject = clause.subject
        if subject == _SETTING and effect == MODIFY:
            settings.append(None if found is None else not found)
            continue
        verdicts.append(found)
        if found is None:
            reasons.append(PolicyReason("unknown", f"patchmode cannot evaluate {_listed(unknown)}."))
        elif found is False:
            reasons.append(_reason(subject, machine, scene))
    is_selected = _conjunction(verdicts)
    if effect == MODIFY:
        return Selection(is_selected, _conjunction(settings) if settings else None, tuple(reasons))
    fulfilled, why = _exists(definition, machine, parameters, related)
    if why and is_selected is not False:
        reasons.append(PolicyReason("unknown", why))
    return Selection(is_selected, fulfilled, tuple(reasons))


def effect_of(definition: PolicyDefinition, parameters: Mapping[str, Any]) -> str:
    """The effect in lower case; empty: it cannot be told."""
    then = definition.rule.get("then")
    given = then.get("effect") if isinstance(then, Mapping) else None
    try:
        return str(evaluate(given, Surrounding(parameters, lambda _: None))).lower()
    except UnknownError:
        return ""


def role_ids(definition: PolicyDefinition) -> tuple[str, ...]:
    """The roles that a definition names for its identity, by their guids in lower case."""
    then = definition.rule.get("then")
    details = then.get("details") if isinstance(then, Mapping) else None
    given = details.get("roleDefinitionIds") if isinstance(details, Mapping) else None
    return tuple(str(one).rsplit("/", 1)[-1].lower() for one in given or ())


def with_defaults(definition: PolicyDefinition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter that has a value: name in lower case → what was given, or the definition's default."""
    found = {name.lower(): one["defaultValue"] for name, one in definition.parameters.items() if "defaultValue" in one}
    return {**found, **{name.lower(): value for name, value in given.items()}}


def _clauses(condition: object) -> Iterator[Mapping[str, Any]]:
    """The members of the outermost conjunction: each of the built-ins is one."""
    if isinstance(condition, Mapping):
        inner = next((value for name, value in condition.items() if name.lower() == "allof"), None)
        if isinstance(inner, list):
            for one in inner:
                yield from _clauses(one) if _is_conjunction(one) else (one,)
        else:
            yield condition


def _is_conjunction(condition: object) -> bool:
    return isinstance(condition, Mapping) and {name.lower() for name in condition} == {"allof"}


def _subject(text: str) -> str:
    """What a clause is about, by what it names; its JSON in lower case."""
    for part, subject in (
        ("parameters('tagvalues')", _TAGS),
        ("parameters('locations')", _REGION),
        ("parameters('resourcegroups')", _GROUP),
        ("imagepublisher", _IMAGE),
        ("parameters('operatingsystemtypes')", _OS),
        ("patchsettings.assessmentmode", _SETTING),
        (_TYPE_FIELD, _TYPE),
    ):
        if part in text:
            return subject
    return _OTHER


def _conjunction(found: Sequence[bool | None]) -> bool | None:
    if False in found:
        return False
    return None if None in found else True


def _listed(unknown: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(unknown)) or "a condition of the definition"


# ------------------------------------------------------------------------------------------------ existence


def _exists(
    definition: PolicyDefinition,
    machine: Machine,
    parameters: Mapping[str, Any],
    related: Mapping[str, Sequence[Mapping[str, Any]]],
) -> tuple[bool | None, str]:
    """Whether a related resource meets the existence condition; and why it is not known."""
    details = _member(definition.rule.get("then"), "details")
    condition, kind = _member(details, "existenceCondition"), str(_member(details, "type") or "").lower()
    if not isinstance(condition, Mapping):
        return None, "the definition has no condition of existence that patchmode knows."
    if kind == str((machine.document or {}).get("type", "")).lower():
        candidates: Sequence[Mapping[str, Any]] = (machine.document or {},)
    elif kind in related:
        candidates = related[kind]
    else:
        return None, f"resources of type {kind} were not read."
    unknown: list[str] = []
    found = [holds(condition, Scene(one, parameters, machine.id.resource_group), unknown) for one in candidates]
    if True in found:
        return True, ""
    return (None, f"patchmode cannot evaluate {_listed(unknown)}.") if None in found else (False, "")


def _member(holder: object, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else None


# ------------------------------------------------------------------------------------------------ reasons


def _reason(subject: str, machine: Machine, scene: Scene) -> PolicyReason:
    told = {
        _IMAGE: _image_text,
        _OS: _os_text,
        _TAGS: _tags_text,
        _REGION: _region_text,
        _GROUP: _group_text,
        _TYPE: _type_text,
    }.get(subject)
    if subject == _IMAGE and (other := _wrong_system(machine, scene)):
        return PolicyReason(_OS, other)
    return PolicyReason(subject, told(machine, scene) if told else "A condition of the definition is not met.")


def _image_text(machine: Machine, scene: Scene) -> str:
    image = machine.image
    reference = _member(_member(_member(scene.resource, "properties"), "storageProfile"), "imageReference")
    shared = next(
        (name for name in ("communityGalleryImageId", "sharedGalleryImageId") if _member(reference, name)), ""
    )
    has_name = scene.field("Microsoft.Compute/virtualMachines/osProfile.computerName") is not None
    if shared:
        return f"The image is named by {shared}; the definition looks at imageReference.id only."
    if image.is_marketplace:
        return f"The definition's image list does not name {image.publisher}/{image.offer}/{image.sku}."
    if image.id is not None:
        return f"The definition does not select machines of the image {image.id}."
    created = machine.os_disk_create_option or "not stated"
    if has_name:
        return (
            f"The machine names no image (osDisk.createOption {created}), and it has osProfile.computerName: of "
            "machines without an image, the definition selects those with an attached disk and without computerName."
        )
    return f"The machine names no image, and osDisk.createOption is {created}; the definition asks for Attach."


def _wrong_system(machine: Machine, scene: Scene) -> str:
    """Where the image's clause also names the operating system, and that is what differs."""
    wanted = scene.parameters.get("ostype")
    if not isinstance(wanted, str) or machine.os is None or wanted.lower() == machine.os.lower():
        return ""
    return f"The assignment is for {wanted}, and the machine runs {machine.os}; each system needs an assignment."


def _os_text(machine: Machine, scene: Scene) -> str:
    wanted = ", ".join(map(str, scene.parameters.get("operatingsystemtypes", ()))) or "none"
    system = machine.os or "no operating system that its disk names"
    return f"operatingSystemTypes is {wanted}; the machine has {system}."


def _region_text(machine: Machine, scene: Scene) -> str:
    return f"locations is {_some(scene.parameters.get('locations'))}; the machine is in {machine.location}."


def _group_text(machine: Machine, scene: Scene) -> str:
    wanted = _some(scene.parameters.get("resourcegroups"))
    return f"resourceGroups is {wanted}; the machine is in {machine.id.resource_group}."


def _type_text(machine: Machine, scene: Scene) -> str:
    del scene
    return f"The definition is not for machines of type {machine.id.namespace}/{machine.id.type}."


def _tags_text(machine: Machine, scene: Scene) -> str:
    wanted = list(_pairs(scene.parameters.get("tagvalues")))
    operator = str(scene.parameters.get("tagoperator", "Any"))
    joiner = " and " if operator.lower() == "all" else " or "
    asked = joiner.join(f"{key}={value}" for key, value in wanted)
    for key, value in wanted:
        for own, held in machine.tags.items():
            if (own, held) != (key, value) and (own.lower(), held.lower()) == (key.lower(), value.lower()):
                return f"tagValues asks for {asked}; the machine's tag {own}={held} differs in case, which counts."
    return f"tagValues asks for {asked}; the machine's tags do not have it."


def _pairs(given: object) -> Iterator[tuple[str, str]]:
    """The tags that are asked for: a list of `{key, value}`, or an object."""
    if isinstance(given, Mapping):
        yield from ((str(key), str(value)) for key, value in given.items())
    elif isinstance(given, list | tuple):
        for one in given:
            if isinstance(one, Mapping):
                yield str(one.get("key")), str(one.get("value"))


def _some(values: object) -> str:
    found = [str(one) for one in values] if isinstance(values, list | tuple) else []
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
