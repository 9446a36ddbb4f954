"""Whether a resource meets a condition of a policy definition: yes, no, or not known.

Must not: know any definition. What a condition names and is not known here makes its answer unknown.

Source: Microsoft, "Azure Policy definition structure: policy rule". All conditions that compare texts regard no case,
except `match` and `notMatch`; a field that the resource does not have meets no positive condition.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from patchmode.rules.policy.expressions import Surrounding, UnknownError, evaluate

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "microsoft.compute/imageid": ("storageProfile", "imageReference", "id"),
    "microsoft.compute/imagepublisher": ("storageProfile", "imageReference", "publisher"),
    "microsoft.compute/imageoffer": ("storageProfile", "imageReference", "offer"),
    "microsoft.compute/imagesku": ("storageProfile", "imageReference", "sku"),
    "microsoft.compute/imageversion": ("storageProfile", "imageReference", "version"),
}
"""Aliases that are not the path of their member; `Microsoft.Compute/{type}/{path}` is. Source: `az provider list`."""
_OWN = ("id", "name", "type", "location", "kind", "tags")


@dataclass(frozen=True, slots=True)
class Scene:
    """A resource and the parameters with which a definition looks at it."""

    resource: Mapping[str, Any]
    """The document that its provider answers, with `id`, `type` and `properties`."""
    parameters: Mapping[str, Any]
    """Name in lower case → value; every parameter of the definition that has one."""
    group: str
    """The resource group's name."""
    current: tuple[str, Any] | None = None

    @property
    def surrounding(self) -> Surrounding:
        """What the functions of expressions ask for."""
        return Surrounding(self.parameters, self.field, self.group, self.current)

    def field(self, name: str) -> Any:
        """The value of a field or an alias; None: the resource has none.

        Raises:
            UnknownError: no such alias is known here.
        """
        lowered = name.lower()
        if lowered in _OWN:
            return _at(self.resource, (lowered,))
        if lowered.startswith("tags[") and lowered.endswith("]"):
            return _at(self.resource, ("tags", name[5:-1].strip("'")))
        path = _ALIASES.get(lowered)
        own = f"{str(self.resource.get('type', '')).lower()}/"
        if path is None and "[*]" not in name:
            if lowered.startswith(own):
                path = tuple(name[len(own) :].split("."))
            elif lowered.count("/") > 1 and lowered.startswith("microsoft."):
                return None  # an alias of another type: this resource has no such field
        if path is None:
            raise UnknownError(f"the field {name}")
        return _at(self.resource, ("properties", *path))


def holds(condition: Mapping[str, Any], scene: Scene, unknown: list[str] | None = None) -> bool | None:
    """Whether a resource meets a condition.

    Args:
        condition: an object of a policy rule: `allOf`, `anyOf`, `not`, or a comparison of a field, a value or a count.
        scene: the resource and the parameters.
        unknown: gets what was not known, in words; repeated as often as it was met.

    Returns:
        None: it is not known, and it decides.
    """
    asked = {name.lower(): value for name, value in condition.items()}
    if "allof" in asked:
        return _joined((holds(one, scene, unknown) for one in asked["allof"]), decides=False)
    if "anyof" in asked:
        return _joined((holds(one, scene, unknown) for one in asked["anyof"]), decides=True)
    if "not" in asked:
        found = holds(asked["not"], scene, unknown)
        return None if found is None else not found
    try:
        return _compared(asked, scene)
    except UnknownError as error:
        if unknown is not None:
            unknown.append(str(error))
        return None


def _joined(found: Iterable[bool | None], *, decides: bool) -> bool | None:
    """All of them, where False decides; any of them, where True does; None: not known.

    They are looked at only until one decides, as Azure does: the rest may not even have a value.
    """
    is_known = True
    for one in found:
        if one is decides:
            return decides
        is_known = is_known and one is not None
    return not decides if is_known else None


def _compared(asked: Mapping[str, Any], scene: Scene) -> bool:
    operators = [name for name in asked if name in _OPERATORS]
    if len(operators) != 1:
        raise UnknownError(f"the condition {', '.join(sorted(asked))}")
    subject = _subject(asked, scene)
    wanted = evaluate(asked[operators[0]], scene.surrounding)
    if str(asked.get("field", "")).lower() == "location":
        subject, wanted = _region(subject), _region(wanted)
    return _OPERATORS[operators[0]](subject, wanted)


def _region(value: Any) -> Any:
    """A region by its name. Source: "Fields": East US 2 is considered equal to eastus2."""
    if isinstance(value, list | tuple):
        return [_region(one) for one in value]
    return value.replace(" ", "") if isinstance(value, str) else value


def _subject(asked: Mapping[str, Any], scene: Scene) -> Any:
    if "field" in asked:
        return scene.field(str(evaluate(asked["field"], scene.surrounding)))
    if "value" in asked:
        return evaluate(asked["value"], scene.surrounding)
    count = asked.get("count")
    if isinstance(count, Mapping) and "value" in count:
        entries = evaluate(count["value"], scene.surrounding)
        if not isinstance(entries, list):
            raise UnknownError("a count of a value that is not a list")
        name, where = str(count.get("name", "")), count.get("where")
        met = [where is None or holds(where, replace(scene, current=(name, one))) for one in entries]
        if None in met:
            raise UnknownError("a condition within a count")
        return sum(map(bool, met))
    raise UnknownError(f"the condition {', '.join(sorted(asked))}")


def _at(holder: Any, path: Sequence[str]) -> Any:
    for name in path:
        if not isinstance(holder, Mapping):
            return None
        key = name if name in holder else next((one for one in holder if one.lower() == name.lower()), None)
        holder = None if key is None else holder[key]
    return holder


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    """A value for a comparison: policies write booleans and numbers as texts too, and no case counts."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).lower() if isinstance(value, str | int | float) else value


def _in(one: Any, others: Any) -> bool:
    if not isinstance(others, list | tuple):
        raise UnknownError("a list that is none")
    return any(_same(one, other) for other in others)


def _like(one: Any, pattern: Any) -> bool:
    if one is None:
        return False
    text, (first, *others) = str(one).lower(), str(pattern).lower().split("*")
    if not others:
        return text == first
    *between, last = others
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in between:  # the earliest place is as good as any later one
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _holds_text(one: Any, part: Any) -> bool:
    return one is not None and str(part).lower() in str(one).lower()


def _exists(one: Any, wanted: Any) -> bool:
    return bool((one is not None) == (_plain(wanted) == "true"))


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(one: Any, other: Any) -> bool:
        is_number = isinstance(one, int | float) and isinstance(other, int | float)
        if not is_number and not (isinstance(one, str) and isinstance(other, str)):
            raise UnknownError("an order of values of different types")
        return bool(compare(one, other))

    return compared


def _never(operator: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda one, other: not operator(one, other)


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": _same,
    "notequals": _never(_same),
    "in": _in,
    "notin": _never(_in),
    "like": _like,
    "notlike": _never(_like),
    "contains": _holds_text,
    "notcontains": _never(_holds_text),
    "exists": _exists,
    "greater": _ordered(lambda one, other: one > other),
    "greaterorequals": _ordered(lambda one, other: one >= other),
    "less": _ordered(lambda one, other: one < other),
    "lessorequals": _ordered(lambda one, other: one <= other),
}
"""Condition in lower case → whether a value meets it."""
