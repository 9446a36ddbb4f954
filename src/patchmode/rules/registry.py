"""Every rule, in the order of the reference, and what each means in words for reports."""

from collections.abc import Mapping
from functools import cache

from patchmode.model.finding import Severity
from patchmode.model.record import LEVELS, RuleText
from patchmode.rules.eligibility import judgement
from patchmode.rules.iac import findings
from patchmode.rules.rule import Rule, by_id
from patchmode.rules.schedules import checks
from patchmode.rules.settings import rollback

RULES: tuple[Rule, ...] = (*judgement.RULES, *checks.RULES, *rollback.RULES, *findings.RULES)
"""Of machines, of their schedules, of the way back, and of files that declare machines."""
_BY_ID = by_id(*RULES)


def rule(rule_id: str) -> Rule:
    """The rule with this id.

    Raises:
        KeyError: there is none.
    """
    return _BY_ID[rule_id]


@cache
def rule_texts() -> Mapping[str, RuleText]:
    """Rule id → its words, in the order of the registry."""
    return {rule.id: text_of(rule) for rule in RULES}


def text_of(rule: Rule) -> RuleText:
    """The words of a rule; of one that leaves something out, what is there: a report is made all the same."""
    worst = next((severity for severity in Severity if severity in rule.severities), Severity.NOTES)
    return RuleText(rule.id, rule.title, f"{rule.plain('What')} {rule.plain('Why')}", rule.fix, LEVELS[worst])
