"""Two JSON documents, compared leaf by leaf.

Must not: know what the leaves mean, apart from ids: Azure gives one resource's id back in several casings (a
subscription-wide list upper-cases the resource group, nested ids vary; recorded exchanges), so texts that are ids, and
members named by ids, compare without regard to case. The order of members never counts; the order of array items does.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from patchmode.model.outcome import ABSENT_TEXT

Path = tuple[str | int, ...]


class _Absent(Enum):
    """The value of a leaf that is not there; null is a value."""

    ABSENT = ABSENT_TEXT


ABSENT: Final = _Absent.ABSENT


class Leaf(NamedTuple):
    """One leaf where two documents differ; an empty object or array counts as a leaf."""

    path: Path
    expected: Any
    found: Any


def leaf_differences(expected: Any, found: Any, path: Path = ()) -> Iterator[Leaf]:
    """Every leaf that differs, in the order of the expected document, then of the found one.

    Args:
        expected: a JSON value, or ABSENT.
        found: likewise.
        path: where the two stand.
    """
    if expected is not ABSENT and found is not ABSENT and same_json(expected, found):
        return
    if _both(Mapping, expected, found):
        yield from _members(expected, found, path)
    elif _both(list, expected, found):
        for index, (left, right) in enumerate(zip_longest(_or_empty(expected), _or_empty(found), fillvalue=ABSENT)):
            yield from leaf_differences(left, right, (*path, index))
    elif not _same_id(expected, found):
        yield Leaf(path, expected, found)


def same_json(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same: as in Python, but `true` is not `1`."""
    return bool(left == right) and not _mixes(left, right)


def _mixes(left: Any, right: Any) -> bool:
    """Whether two values that are equal in Python hold a boolean where the other holds a number."""
    if isinstance(left, Mapping):
        return any(_mixes(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        return any(map(_mixes, left, right))
    return isinstance(left, bool) is not isinstance(right, bool)


def _both(kind: type, expected: Any, found: Any) -> bool:
    """Whether to descend: both are containers, or one is a filled container and the other is absent."""
    sides = [side for side in (expected, found) if side is not ABSENT]
    if not all(isinstance(side, kind) for side in sides):
        return False
    return len(sides) == 2 or any(len(side) for side in sides)


def _or_empty(value: Any) -> Sequence[Any]:
    return () if value is ABSENT else value


def _members(expected: Any, found: Any, path: Path) -> Iterator[Leaf]:
    left: Mapping[str, Any] = {} if expected is ABSENT else expected
    right: Mapping[str, Any] = {} if found is ABSENT else found
    by_folded = {_fold(key): key for key in right}
    for key, value in left.items():
        other = by_folded.pop(_fold(key), None)
        yield from leaf_differences(value, ABSENT if other is None else right[other], (*path, key))
    for key in by_folded.values():
        yield from leaf_differences(ABSENT, right[key], (*path, key))


def _same_id(expected: Any, found: Any) -> bool:
    return isinstance(expected, str) and isinstance(found, str) and _is_id(expected) and _fold(expected) == _fold(found)


def _is_id(text: str) -> bool:
    return text[:15].lower() == "/subscriptions/"


def _fold(text: str) -> str:
    return text.casefold() if _is_id(text) else text


def dotted(path: Path) -> str:
    """A path for people: `properties.storageProfile.dataDisks[0].lun`; a member with a dot in its name is quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def shown(value: Any) -> str:
    """A leaf's value as JSON text, or `(absent)`."""
    return str(ABSENT.value) if value is ABSENT else json.dumps(value, ensure_ascii=False)
