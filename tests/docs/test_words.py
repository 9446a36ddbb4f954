"""What the program prints and what its pages say is in the words of Azure's documentation, read once by a tired person.

The table holds the words that were there before, with what is said instead. A new sentence of the kind is refused by
name; the member names and values of published JSON, rule ids and option names are no prose and stay as they are.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.docs.pages import DOCS, ROOT, name_of, read

PROGRAMS = (ROOT / "src" / "patchmode", ROOT / "src" / "arm_emulator")


class Avoided(NamedTuple):
    """A word that is not printed, what is said instead, and why."""

    pattern: str
    say: str
    why: str


_METAPHOR = "a metaphor: name the state, the place or the operation"
_PLAIN = "no verb of Azure's documentation"
WORDS = (
    Avoided(
        r"(?<!or )(?<!was )\bmov(?:e|es|ed|ing)\b(?! (?:or|one|it|the|from|them|to))",
        "changed since the plan",
        "in Azure, to move is to another group, subscription or region",
    ),
    Avoided(r"\bas wanted\b|^to be set$|\bto be set,", "compliant / needs change", "the words of Azure Policy"),
    Avoided(r"^may (?:not )?be set\b", "Eligible. / Already compliant. / Blocked.", "says nothing of what is so"),
    Avoided(r"\b(?:stands?|standing|stood)\b", "is, exists, current state", _METAPHOR),
    Avoided(r"\bin the way\b", "blocks, blocked", _METAPHOR),
    Avoided(r"\bas (?:hoped|told)\b", "problems; succeeded", _METAPHOR),
    Avoided(r"\bset all whose\b", "to fix every machine that …", "unclear what is set"),
    Avoided(r"\bshall\b", "is to, should, add … to …", "legal English"),
    Avoided(r"\b(?:taken?|takes?|taking|comes?|came|took) (?:it |them |these )?off\b", "detach, delete", _METAPHOR),
    Avoided(r"\banew\b", "again, recreate, rewrite", "archaic"),
    Avoided(r"\bwhen it likes\b|\bat will\b|\bif you like\b", "at a time it chooses", "a machine has no will"),
    Avoided(r"\bleaf by leaf\b", "compare its settings", "a word of the document's tree"),
    Avoided(r"\bsent again as it is, it\b", "retrying will not help", "two clauses for one fact"),
    Avoided(r"\bsays all\b", "is complete", "a maxim"),
    Avoided(r"\bwhom\b", "which machines, members", "a machine is no person"),
    Avoided(r"(?<![-\w])hits?(?![-\w])", "reaches, members", _METAPHOR),
    Avoided(r"\b(?:left|leaves?) (?:it |them |these |those )?alone\b", "skipped, not changed", "unclear by whom"),
    Avoided(r"\bwho am i\b", "check sign-in, subscriptions and permissions", "the command does more"),
    Avoided(r"\b(?:told|tells?)\b", "shown, reported, known; shows, says", _PLAIN),
    Avoided(r"\bnowhere\b", "not documented", "says where nothing is, not what is missing"),
    Avoided(r"\bways? back\b", "rollback; cannot be undone", _METAPHOR),
    Avoided(r"\btakes? (?:it|the run) up\b|\btake up (?:a|the) run\b", "resume", "the command is called so"),
    Avoided(r"\bcarry it out\b", "apply it", "the command is called so"),
    Avoided(r"\bcarr(?:y|ies|ied|ying)\b[^.;]{0,40}\bout\b", "apply it", "the command is called so"),
    Avoided(r"(?<!there )\bis no (?!longer\b)", "is not a …", "English says of a wrong value that it is not a …"),
    Avoided(r"\b(?:leaves?|left) at once\b", "stops immediately", "nobody leaves; and at once is also all together"),
    Avoided(r"\b(?:comes?|came) later\b|\bor go(?:es)? away\b", "retry later", "a request does not come"),
    Avoided(r"\bhangs? on\b", "depends on", _METAPHOR),
    Avoided(r"\bin force\b", "current, run options, active", "legal English"),
    Avoided(r"\b(?:taken?|takes|taking) up\b", "resume", "the command is called so"),
    Avoided(r"\b(?:what|whatever) (?:became|becomes|will become) of\b", "the result of, what happens to", _PLAIN),
    Avoided(r"\b(?:taken?|takes|taking) (?:it )?back\b", "roll back, undo", "the command is called so"),
    Avoided(r"\b(?:leaves?|left) [^.;]{1,60} alone\b", "skips, does not change", "unclear by whom"),
    Avoided(r"\bhad (?:no|its) turn\b", "was not reached, not sent", _METAPHOR),
    Avoided(r"\b(?:hold together|contradicts itself)\b", "is not valid, is inconsistent", _METAPHOR),
    Avoided(r"\b(?:writes?|written) (?:it |the schedule |what exists )?over\b", "overwrite", _PLAIN),
    Avoided(r"\b(?:a|each|every|first|last|the|two|between the) looks?\b(?!-)", "audit, read", _METAPHOR),
    Avoided(r"\bmeans? nothing\b", "cannot be combined with, needs", "unclear whether it is refused"),
    Avoided(r"\b(?:holds?|holding) (?:it|this|them) up\b|\bheld up\b", "enforces; delays", _METAPHOR),
    Avoided(r"\b(?:every|a|the|other) (?:leaf|leaves)\b", "property", "a word of the document's tree"),
    Avoided(r"(?<!`)\b(?:strikes?|struck)\b", "applies, occurs", _METAPHOR),
    Avoided(r"\bspeaks? (?:to|of|for)\b", "sends requests to; is about", _METAPHOR),
    Avoided(r"\b(?:hold|holds|held) (?:\w+ ){0,3}back\b(?! to\b)", "limits, delays", _METAPHOR),
    Avoided(r"\btaken? for\b", "reported as, counted as", _METAPHOR),
    Avoided(r"\bgo(?:es)? (?:on|away)\b", "continues; is deleted", _PLAIN),
    Avoided(r"\bturns? (?:it|them|the order) round\b", "reverses", _PLAIN),
    Avoided(r"\bhand(?:s|ed)? (?:it |them )?(?:on|over|back|out)\b", "passes on, gives", _METAPHOR),
    Avoided(r"\b(?:dull|brakes?|lanes?|siblings?|spoils?)\b", "run options, queue, property", _METAPHOR),
    Avoided(r"\bmade[- ]up\b", "invented", "also means made from parts"),
    Avoided(r"\bjudge[sd]?\b|\bjudging\b", "checked, decided, compared", _METAPHOR),
    Avoided(r"\blets? (?:\w+ ){1,3}through\b", "allows, accepts", _METAPHOR),
    Avoided(r"\b(?:come|comes|came) back\b", "is restarted, has its old value again", _METAPHOR),
    Avoided(r"\b(?:is|are|was|were|has|have) gone\b", "does not exist, was deleted", _METAPHOR),
    Avoided(r"\btouch(?:es|ed|ing)?\b", "changes, sets", _METAPHOR),
    Avoided(r"\bother way round\b", "without an option, in reverse order", _PLAIN),
)
_MARKUP = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|class=\"[^\"]*\"", re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`|\([^()\s]*\)|<!--.*?-->")
# Pages for developers too, decisions and architecture among them.
_PAGES = [*(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")), *sorted(DOCS.rglob("*.md"))]
# The descriptions of published schemas stay to the byte.
_SOURCES = sorted(one for program in PROGRAMS for one in program.rglob("*.py") if one.name != "published.py")
_TEMPLATES = sorted(one for program in PROGRAMS for ending in ("*.html", "*.j2") for one in program.rglob(ending))


def _literals(source: Path) -> Iterator[tuple[int, str]]:
    """Every text of a file that may be printed: no docstring, and no name without a blank."""
    tree = ast.parse(read(source))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings and " " in node.value.strip():
            yield node.lineno, node.value


def _faults(texts: Iterator[tuple[int, str]], where: Path) -> list[str]:
    return [
        f"{name_of(where)}:{line}: {found[0]!r}: say {word.say!r} ({word.why})"
        for line, text in texts
        for word in WORDS
        if (found := re.search(word.pattern, text, re.IGNORECASE | re.MULTILINE))
    ]


@pytest.mark.parametrize("source", _SOURCES, ids=name_of)
def test_no_message_is_in_words_of_our_own(source: Path) -> None:
    """Messages, help of options, tables, the demo."""
    assert _faults(_literals(source), source) == []


@pytest.mark.parametrize("template", _TEMPLATES, ids=name_of)
def test_no_page_of_the_console_and_no_report_is(template: Path) -> None:
    """What is between the marks of the template language."""
    text = _MARKUP.sub("", read(template))
    assert _faults(iter(enumerate(text.splitlines(), 1)), template) == []


@pytest.mark.parametrize("page", _PAGES, ids=name_of)
def test_no_page_of_the_documentation_is(page: Path) -> None:
    """The help of the commands among them, which is printed into docs/reference/cli.md."""
    lines = ((number, _CODE.sub("", line)) for number, line in enumerate(read(page).splitlines(), 1))
    assert _faults(lines, page) == []
