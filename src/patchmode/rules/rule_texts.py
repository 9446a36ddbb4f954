"""What each rule means in words, for reports: `rule_texts.json` beside this file is made from docs/reference/rules.md.

`make docs` writes it anew, so that the words stand in one place and the wheel has them all the same.

Must not: hold a rule that the registry does not.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from patchmode.model.finding import Severity
from patchmode.model.record import Level, RuleText
from patchmode.rules.registry import RULES, Rule

_LEVELS = {Severity.BLOCKS: Level.ERROR, Severity.WARNS: Level.WARNING, Severity.NOTES: Level.NOTE}


@cache
def rule_texts() -> Mapping[str, RuleText]:
    """Rule id → its words, in the order of the registry."""
    texts = json.loads(files("patchmode.rules").joinpath("rule_texts.json").read_text(encoding="utf-8"))
    return {rule.id: _text(rule, texts[rule.id]) for rule in RULES}


def _text(rule: Rule, texts: Mapping[str, str]) -> RuleText:
    worst = next(severity for severity in Severity if severity in rule.severities)
    return RuleText(rule.id, rule.title, f"{texts['what']} {texts['why']}", texts["fix"], _LEVELS[worst])
