"""Rule ids are an interface: each is unique, whole, given by something, and what gives an id gives a registered one."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

import pytest
from tests.sources import product

from patchmode.rules.registry import RULES, rule, rule_texts, text_of
from patchmode.rules.rule import SECTIONS, Rule

IDS = frozenset(known.id for known in RULES)
WHOLE = rule("client-os")
FILTERS = ("filter-", "exclude-")
"""What a filter left out is skipped with its name, which is no rule's."""


def test_ids_are_unique() -> None:
    """They stand in JSON, in plans and in CI gates."""
    assert len(IDS) == len(RULES)


def test_every_rule_is_whole() -> None:
    """Without a severity, a remedy or a section of the reference a rule does not exist."""
    omissions = [sentence for known in RULES for sentence in known.omissions()]
    assert not omissions, "\n".join(omissions)


@pytest.mark.parametrize(
    ("unfinished", "says"),
    [
        (replace(WHOLE, id="Client_OS"), "The id 'Client_OS' of a rule is not of the form words-with-hyphens"),
        (replace(WHOLE, title=""), "The rule 'client-os' has no title."),
        (replace(WHOLE, severities=()), "The rule 'client-os' names no severity"),
        *(
            (replace(WHOLE, reference=WHOLE.reference.replace(f"{label}: ", "")), f"has no paragraph '{label}:'")
            for label in SECTIONS
        ),
    ],
)
def test_what_a_rule_leaves_out_is_told_in_a_sentence(unfinished: Rule, says: str) -> None:
    """Whoever forgets a part reads which, and of which rule."""
    (sentence,) = unfinished.omissions()
    assert says in sentence


def test_a_rule_without_any_text_ends_no_report() -> None:
    """The suite tells of it; whoever runs a report with it still gets one."""
    bare = Rule("not-yet-written", "", (), "")
    assert len(list(bare.omissions())) == 2 + len(SECTIONS)
    assert text_of(bare).fix == ""
    assert bare.warns("It is so.", "leaf = value").fix == ""


def test_the_words_of_reports_are_those_of_the_reference_without_marks() -> None:
    """SARIF's help and a screen show no Markdown."""
    told = rule_texts()["arc-no-orchestration"]
    assert told.fix == (
        "Attach a schedule to it; for periodic assessment give --periodic-assessment, without --reboot and --hotpatch."
    )
    assert list(rule_texts()) == [known.id for known in RULES]
    linked = replace(WHOLE, reference="Fix: **See** [`edition-not-known`](#edition-not-known)\n    and `--os`.")
    assert linked.fix == "See edition-not-known and --os."


def test_a_rule_is_found_by_its_id() -> None:
    """And an unknown one is not."""
    assert rule("client-os").title == "Update Manager does not support Windows client systems"
    with pytest.raises(KeyError):
        rule("no-such-rule")


# ------------------------------------------------------------------------------------------------ what the source gives


def test_every_rule_that_is_written_is_registered() -> None:
    """One that is in no `RULES` would have no place in the order and no section."""
    written = {found: path for path, tree in product().items() for found in _written(tree).values()}
    missing = [f"{path.name}: the rule {one!r} is in no RULES." for one, path in written.items() if one not in IDS]
    assert not missing, "\n".join(missing)
    assert set(written) == IDS


def test_every_id_that_is_given_is_registered() -> None:
    """In the whole source: an id that a screen or a plan shows has a section."""
    given = {(one, path.name) for path, tree in product().items() for one in _given(tree)}
    assert {"would-autopatch", "last-schedule", "agent-missing", "filter-ids"} <= {one for one, _ in given}
    unknown = {(one, name) for one, name in given if one not in IDS and not one.startswith(FILTERS)}
    assert not unknown, "\n".join(f"{name} gives {one!r}, which is no rule." for one, name in sorted(unknown))


@pytest.mark.parametrize(
    "line",
    [
        'Skipped(machine.id, "no-such-rule", "because")',
        'Membership(is_certain=False, rule=hit.doubt_rule or "no-such-rule")',
        'if entry.rule in {"client-os", "no-such-rule"}: pass',
        '_DOUBT_RULE = "no-such-rule"',
        'doubt, rule = "it is odd", "no-such-rule"',
        'Forecast(result, reason, "client-os" if client else "no-such-rule")',
    ],
)
def test_an_id_that_is_no_rule_is_found(line: str) -> None:
    """However it is given."""
    assert "no-such-rule" in set(_given(ast.parse(line)))


def test_every_rule_is_given_by_something() -> None:
    """An id that nothing gives is dead."""
    names = {name: found for tree in product().values() for name, found in _written(tree).items()}
    literal = {one for path, tree in product().items() if "rules" in path.parts for one in _given(tree)}
    used = {names[name] for tree in product().values() for name in _used_in_functions(tree) if name in names}
    dead = IDS - used - literal
    assert not dead, "\n".join(f"Nothing gives the rule {one!r}." for one in sorted(dead))


def _written(tree: ast.Module) -> Mapping[str, str]:
    """Names of the values in a module that are rules, each with the rule's id."""
    return {
        target.id: node.value.args[0].value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _name(node.value.func) == "Rule"
        for target in node.targets
        if isinstance(target, ast.Name)
        and isinstance(node.value.args[0], ast.Constant)
        and isinstance(node.value.args[0].value, str)
    }


def _used_in_functions(tree: ast.Module) -> Iterator[str]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (_name(node) for node in ast.walk(function) if isinstance(node, ast.Name | ast.Attribute))


def _given(tree: ast.AST) -> Iterator[str]:
    """Texts that stand where a rule's id belongs: in a field, a keyword, a variable or a comparison called `rule`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                fields = _fields_of_classes().get(_name(node.func), ())
                named = [value for field, value in zip(fields, node.args, strict=False) if _is_rule(field)]
                named += [keyword.value for keyword in node.keywords if _is_rule(keyword.arg or "")]
                yield from (text for value in named for text in _texts(value))
            case ast.Compare() if any(_is_rule(_name(side)) for side in (node.left, *node.comparators)):
                yield from (text for side in (node.left, *node.comparators) for text in _texts(side))
            case ast.Assign():
                yield from (text for target in node.targets for text in _assigned(target, node.value))


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=False):
            yield from _assigned(one, other)
    elif _is_rule(_name(target)):
        yield from _texts(value)


def _texts(value: ast.expr) -> Iterator[str]:
    match value:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.IfExp():
            yield from (text for part in (value.body, value.orelse) for text in _texts(part))
        case ast.BoolOp():
            yield from (text for part in value.values for text in _texts(part))
        case ast.Set() | ast.Tuple() | ast.List():
            yield from (text for part in value.elts for text in _texts(part))


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_rule(name: str) -> bool:
    return name.casefold() == "rule" or name.casefold().endswith("_rule")


@cache
def _fields_of_classes() -> Mapping[str, tuple[str, ...]]:
    """Class → its fields, in order, for every class of the source that has one for a rule."""
    found = {
        node.name: tuple(_name(one.target) for one in node.body if isinstance(one, ast.AnnAssign))
        for tree in product().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    return {name: fields for name, fields in found.items() if any(map(_is_rule, fields))}
