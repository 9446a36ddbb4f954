"""What the count of records rests on: which are copies of each other, and which are two on purpose."""

import ast

from benchmarks.structure import SOURCE, TWO_ON_PURPOSE, records_of, same_fields


def _records() -> list[tuple[str, frozenset[str]]]:
    paths = sorted(SOURCE.rglob("*.py"))
    return [one for path in paths for one in records_of(ast.parse(path.read_text(encoding="utf-8")))]


def test_no_record_is_a_copy_of_another() -> None:
    """If this fails, use the one that is there, or say in `TWO_ON_PURPOSE` why there are two."""
    assert [sorted(one) for one in same_fields(_records()) if one not in TWO_ON_PURPOSE] == []


def test_every_exception_is_one() -> None:
    """A pair that is no longer alike needs no reason, and a pair of one name would excuse any other."""
    assert TWO_ON_PURPOSE.keys() <= set(same_fields(_records()))
    assert all(len(one) == 2 and why for one, why in TWO_ON_PURPOSE.items())


def test_records_with_the_same_fields_are_found() -> None:
    """One field is no likeness, and fields with other names are none."""
    text = """
class Left(Edge): a: int; b: str
class Right(NamedTuple): b: str; a: int
class Other(Edge): a: int; c: str
class One(Edge): a: int
class Alone(Edge): a: int
"""
    assert same_fields(list(records_of(ast.parse(text)))) == [frozenset({"Left", "Right"})]
