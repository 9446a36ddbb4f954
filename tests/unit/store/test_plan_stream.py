"""A plan written and read change by change is, byte by byte, the plan written and read as one document."""

import hashlib
from dataclasses import replace
from io import BytesIO
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.store import plans

from patchmode.documents.plan import plan_document
from patchmode.errors import BrokenPlanError
from patchmode.model.left_alone import Skipped
from patchmode.model.plain_text import json_escaped
from patchmode.model.plan import Plan, Unchanged
from patchmode.model.resource_id import ResourceId
from patchmode.packing import PackedDocument, Packer
from patchmode.store import plan_documents, plan_file


class Dripping:
    """A source that gives few bytes at a time, so that marks are cut in two."""

    def __init__(self, content: bytes, first: int, step: int) -> None:
        self.stream, self.first, self.step = BytesIO(content), first, step

    def read(self, length: int = -1, /) -> bytes:
        size, self.first = self.first or self.step, 0
        return self.stream.read(size)


def as_one_document(plan: Plan) -> tuple[bytes, bytes, str]:
    canonical = msgspec.json.encode(plan_document(plan), order="sorted")
    digest = hashlib.sha256(canonical).hexdigest()
    sealed = b'{"digest":"%s",' % digest.encode() + canonical[1:]
    return sealed, json_escaped(msgspec.json.format(sealed, indent=2).decode()).encode() + b"\n", digest


def packed(plan: Plan) -> Plan:
    packer = Packer()
    return replace(plan, changes=tuple(replace(one, document=packer.pack(one.document)) for one in plan.changes))


@given(plan=plans.plans(), is_packed=st.booleans())
def test_what_is_written_is_the_text_of_the_whole_document(plan: Plan, is_packed: bool) -> None:
    sealed, indented, digest = as_one_document(plan)
    given_plan = packed(plan) if is_packed else plan
    assert plan_file.seal_plan(given_plan) == plan_file.Seal(digest, len(sealed))
    assert b"".join(plan_documents.sealed_pieces(given_plan, digest)) == sealed
    assert b"".join(plan_documents.indented_pieces(given_plan, digest)) == indented


@given(plan=plans.plans(), step=st.integers(1, 300), layout=st.sampled_from([0, 1]))
def test_what_is_read_piece_by_piece_is_the_plan(plan: Plan, step: int, layout: int) -> None:
    content = as_one_document(plan)[:2][layout]
    found = plan_documents.read_pieces(Dripping(content, first=200, step=step))
    if not plan.changes:
        assert found is None
    else:
        assert found is not None
        assert found[0] == plan
        assert all(isinstance(one.document, PackedDocument) for one in found[0].changes)
    assert plan_file.decode_plan(content, name="plan") == plan


@settings(max_examples=examples(100))
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), layout=st.sampled_from([0, 1]))
def test_one_changed_byte_is_never_read_as_another_plan(position: int, byte: int, layout: int) -> None:
    plan = plans.full_plan()
    content = as_one_document(plan)[:2][layout]
    position %= len(content)
    damaged = content[:position] + bytes([byte]) + content[position + 1 :]
    found = plan_documents.read_pieces(BytesIO(damaged))
    assert found is None or found[0] == plan


@pytest.mark.parametrize("layout", [0, 1])
def test_rows_of_other_parts_are_not_taken_for_changes(layout: int) -> None:
    one = replace(plans.change(), document={"id": "one"})
    same = [Unchanged(ResourceId.parse(f"{one.id}-{place}"), one.kind, one.outcome_after) for place in range(3)]
    left = [Skipped(ResourceId.parse(f"{one.id}-left-{place}"), "filter-ids", "Left out.") for place in range(3)]
    plan = replace(plans.plan(one), unchanged=tuple(same), skipped=tuple(left))
    found = plan_documents.read_pieces(BytesIO(as_one_document(plan)[:2][layout]))
    assert found is not None
    assert found[0] == plan
    assert found[1].unchanged == 3


DECOYS: tuple[dict[str, Any], ...] = (
    {"properties": {"list": [{"after": 1}, {"after": 2}], "counts": 3}},
    {"list": [{"a": {}}], "counts": {"scope": 1}},
    {"text": '},{"after":', "more": "\n    },\n    {", "end": '}],"counts":'},
    {"digest": "x", "changes": []},
)


@pytest.mark.parametrize("document", DECOYS)
@pytest.mark.parametrize("layout", [0, 1])
def test_marks_inside_a_machines_document_do_not_mislead(document: dict[str, Any], layout: int) -> None:
    plan = plans.plan(replace(plans.change(), document=document))
    content = as_one_document(plan)[:2][layout]
    assert plan_file.decode_plan(content, name="plan") == plan


def test_other_layouts_of_the_same_plan_are_read_as_before() -> None:
    sealed, indented, _ = as_one_document(plans.full_plan())
    for content in (msgspec.json.format(sealed, indent=4), b" " + sealed, indented.replace(b"\n", b"\r\n")):
        assert plan_documents.read_pieces(BytesIO(content)) is None
        assert plan_file.decode_plan(content, name="plan") == plans.full_plan()


def test_a_text_that_is_edited_but_laid_out_alike_is_refused() -> None:
    _, indented, _ = as_one_document(plans.full_plan())
    edited = indented.replace(b'"location": "', b'"location": "x', 1)
    with pytest.raises(BrokenPlanError, match="was changed after it was written"):
        plan_file.decode_plan(edited, name="plan")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(documents=st.lists(st.dictionaries(st.text(), JSON, max_size=4), min_size=1, max_size=5))
def test_a_packed_document_is_the_dict_it_stands_for(documents: list[dict[str, Any]]) -> None:
    documents = [msgspec.json.decode(msgspec.json.encode(one)) for one in documents]
    packer = Packer()
    shelved = [packer.pack(one) for one in documents]
    assert shelved == documents
    assert documents == shelved
    for document, one in zip(documents, shelved, strict=True):
        assert dict(one) == document
        assert len(one) == len(document)
        assert one == packer.pack(one)
        assert one.text() == msgspec.json.encode(document, order="sorted")
        assert all(one[key] == document[key] for key in document)
        assert "no such member" not in one or "no such member" in document
    assert [one.unpacked() for one in shelved] == documents
    assert [[left == right for left in shelved] for right in shelved] == [
        [left == right for left in documents] for right in documents
    ]
